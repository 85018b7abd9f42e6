from __future__ import annotations

import dataclasses
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.program.settings import Settings, setting

PROJECT = Path(__file__).parents[2]
FIELDS = dataclasses.fields(StreamConfig)
BOUNDED = [field for field in FIELDS if field.metadata["high"] < math.inf]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Larger(StreamConfig):
    """A record with more fields, such as the session's."""

    on: bool = setting(True, "a switch")
    rate: float = setting(0.5, "any number")


def test_the_defaults_are_the_product_definition():
    config = StreamConfig()
    assert (config.source, config.symbols, config.channel) == ("sim", "BTCUSDT", "trade")
    assert (config.tick_cache, config.bar_ring) == (54_000, 24 * 3600)
    assert config.symbol_list == ["BTCUSDT"]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_every_setting_has_a_help_text_and_numbers_have_bounds(field):
    assert len(field.metadata["help"]) > 10
    if isinstance(field.default, int | float) and not isinstance(field.default, bool):
        assert field.metadata["low"] <= field.default <= field.metadata["high"] < math.inf


@pytest.mark.parametrize("field", BOUNDED, ids=lambda field: field.name)
def test_both_bounds_are_allowed_and_what_lies_beyond_is_refused_in_one_line(field):
    low, high = field.metadata["low"], field.metadata["high"]
    for value in (low, high):
        assert getattr(StreamConfig(**{field.name: value}), field.name) == value
    for value in (low - 1, high + 1, -math.inf, math.inf, math.nan):
        with pytest.raises(ConfigError) as refusal:
            StreamConfig(**{field.name: value})
        line = str(refusal.value)
        assert line.startswith(f"{field.name}: ")
        assert f"{low:g} to {high:g}" in line
        assert "\n" not in line
        if math.isfinite(value):
            assert f"got {value!r}" in line


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("source", "nyse", "sim, sim:<market>, tape:PATH or binance"),
        ("source", "", "sim, sim:<market>, tape:PATH or binance"),
        ("source", "tape", "tape:PATH"),
        ("source", "tape:", "tape:PATH"),
        ("source", "binance:x", "binance"),
        ("symbols", "", "names such as BTCUSDT"),
        ("symbols", "BTCUSDT,", "names such as BTCUSDT"),
        ("symbols", "BTC USDT", "names such as BTCUSDT"),
        ("symbols", "../../etc", "names such as BTCUSDT"),
        ("symbols", "BTC\nUSDT", "names such as BTCUSDT"),
        ("symbols", "B" * 61, "1 to 60 characters"),
        ("symbols", "\udce9", "UTF-8"),
        ("source", "tape:caf\udce9.csv", "UTF-8"),
        ("symbols", "BTCUSDT,btcusdt", "each symbol once"),
        ("venue_ws", "localhost:1", "ws://HOST"),
        ("venue_ws", "http://localhost:1", "ws://HOST"),
        ("venue_ws", "ws://", "ws://HOST"),
        ("venue_ws", "ws://localhost:99999", "ws://HOST"),
        ("venue_ws", "ws://localhost:port", "ws://HOST"),
        ("venue_rest", "ws://localhost:1", "http://HOST"),
        ("venue_rest", "http://[::1", "http://HOST"),
        ("channel", "depth", "trade, aggTrade"),
        ("tick_cache", "many", "a whole number, 100 to 1e+07"),
        ("tick_cache", 1000.5, "a whole number"),
        ("seed", None, "a whole number"),
        ("speed", "fast", "a number, 0.01 to 1000"),
        ("speed", "nan", "0.01 to 1000"),
    ],
)
def test_an_impossible_value_is_refused_naming_field_value_and_what_is_allowed(
    name, value, allowed
):
    with pytest.raises(ConfigError) as refusal:
        StreamConfig(**{name: value})
    line = str(refusal.value)
    assert line.startswith(f"{name}: ")
    assert "got " in line
    assert allowed in line
    assert "\n" not in line


def test_unknown_fields_are_refused():
    with pytest.raises(TypeError, match="spead"):
        StreamConfig(spead=2)


def test_the_record_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        StreamConfig().speed = 2.0


def test_flags_are_the_field_names_and_give_typed_values():
    argv = ["--symbols", "ethusdt, BTCUSDT", "--speed", "10", "--tick_cache=500", "--seed", "7"]
    config = StreamConfig.from_args(argv)
    assert config.symbol_list == ["ETHUSDT", "BTCUSDT"]
    assert (config.speed, config.tick_cache, config.seed) == (10.0, 500, 7)
    assert isinstance(config.speed, float)
    assert StreamConfig.from_args([]) == StreamConfig()


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("sim", ["BTCUSD", "XBT/USD", "币安人生USDT"]),
        ("binance", ["BTCUSD", "XBT/USD", "币安人生USDT"]),
        ("tape:x", ["btcusd", "XBT/USD", "币安人生usdt"]),
    ],
)
def test_a_symbol_is_in_upper_case_but_on_a_tape_spelled_as_given(source, names):
    config = StreamConfig(source=source, symbols="btcusd, XBT/USD,币安人生usdt")
    assert config.symbol_list == names


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("False", False), ("0", False), ("1", True)]
)
def test_a_switch_is_given_as_true_or_false(text, value):
    assert Larger.from_args(["--on", text]).on is value


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--speed", "0"], "speed: got 0.0; allowed: 0.01 to 1000"),
        (["--seed", "1.5"], "seed: expected a whole number, 0 to 2.14748e+09; got '1.5'"),
        (["--on", "maybe"], "on: expected true or false; got 'maybe'"),
        (["--spe", "2"], "unrecognized arguments: --spe 2"),
        (["--speed"], "argument --speed: expected one argument"),
    ],
)
def test_a_wrong_flag_is_one_line_and_exit_code_2(argv, said, capsys):
    with pytest.raises(SystemExit) as exit_:
        Larger.from_args(argv)
    assert exit_.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert err.endswith(f": {said}\n")


def test_a_process_with_a_wrong_flag_ends_with_code_2_and_one_line():
    code = "from streaming.config import StreamConfig; StreamConfig.from_args()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--channel", "depth"],
        cwd=PROJECT, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == "-c: channel: got 'depth'; allowed: trade, aggTrade\n"


def test_help_names_every_setting_with_its_unit_bounds_and_default(capsys):
    with pytest.raises(SystemExit) as exit_:
        StreamConfig.from_args(["--help"])
    assert exit_.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for field in FIELDS:
        assert f"--{field.name}" in text
        assert f"(default: {field.default!r})" in text
    assert "[ms], 0 to 60000 (default: 0)" in text


def fitting(field):
    meta, kind = field.metadata, type(field.default)
    if field.name == "bar_seconds":
        return st.sampled_from([1, 5, 60, 3600])
    if meta["choices"]:
        return st.sampled_from(meta["choices"])
    if kind is float:
        return st.floats(meta["low"], min(meta["high"], 1e300))
    if kind is int:
        return st.integers(meta["low"], meta["high"])
    return st.just(field.default)


@given(st.fixed_dictionaries({field.name: fitting(field) for field in FIELDS}))
def test_what_is_saved_is_loaded(tmp_path_factory, values):
    path = tmp_path_factory.mktemp("config") / "config.json"
    config = StreamConfig(**values)
    config.save(path)
    assert StreamConfig.load(path) == config
    flags = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    assert StreamConfig.from_args(flags) == config


def test_a_larger_record_can_be_read_as_its_part(tmp_path):
    Larger(speed=3, on=False).save(tmp_path / "config.json")
    assert StreamConfig.load(tmp_path / "config.json") == StreamConfig(speed=3)


def test_a_loaded_record_is_checked(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"speed": -1}))
    with pytest.raises(ConfigError, match="speed: got -1"):
        StreamConfig.load(path)


def test_a_setting_without_bounds_takes_any_number_of_its_type():
    assert Larger(rate=-1e300).rate == -1e300
    assert issubclass(Larger, Settings)


@pytest.mark.parametrize(
    ("source", "local"), [("sim", True), ("sim:x", True), ("tape:a:b", True), ("binance", False)]
)
def test_simulated_markets_and_tapes_are_played_locally(source, local):
    assert StreamConfig(source=source).plays_locally is local
