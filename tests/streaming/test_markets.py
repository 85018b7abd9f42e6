"""Synthetic markets: deterministic, endless, and like the real thing where it matters."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streaming.bars import bars_of
from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.exchange.markets import MARKETS, trades
from streaming.exchange.markets.arrivals import BLOCK_S, Arrivals
from streaming.exchange.markets.default import leaning
from streaming.exchange.markets.fills import FILLS, FIRST_ID, level
from streaming.exchange.markets.hawkes import STEP
from streaming.exchange.markets.market import SIGMA, STEPS, moves_of
from streaming.exchange.markets.registry import PROCESSES
from streaming.exchange.sources import market_of
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks
from tests.oracles import processes as oracles
from tests.oracles.hawkes import Hawkes, orders_per_s

EACH = pytest.mark.parametrize("name", MARKETS)
START = 1_704_067_200 * NS_PER_S
SECONDS = 3600
DOCUMENTATION = Path(__file__).parents[2].joinpath("docs/markets.md").read_text(encoding="utf-8")


def chunks(
    seconds: int = SECONDS,
    *,
    seed: int = 0,
    symbol: str = "BTCUSDT",
    start_ns: int = START,
    name: str = "default",
) -> list[Ticks]:
    return list(itertools.islice(trades(MARKETS[name], seed, symbol, start_ns), seconds))


@pytest.fixture(scope="module")
def hour() -> list[Ticks]:
    return chunks()


@pytest.fixture(scope="module")
def ticks(hour: list[Ticks]) -> Ticks:
    return np.concatenate(hour)


def test_each_chunk_is_one_second(hour: list[Ticks]) -> None:
    for i, chunk in enumerate(hour):
        assert (chunk["ts_event"] // NS_PER_S == START // NS_PER_S + i).all()


def test_ids_run_on_and_times_are_whole_ms_that_never_go_back(ticks: Ticks) -> None:
    assert ticks["id"].tolist() == list(range(FIRST_ID, FIRST_ID + len(ticks)))
    assert (np.diff(ticks["ts_event"]) >= 0).all()
    assert not (ticks["ts_event"] % NS_PER_MS).any()


def test_the_same_seed_gives_the_same_trades_whenever_it_starts() -> None:
    first, again = (np.concatenate(chunks(200, start_ns=at)) for at in (START, START + NS_PER_S))
    again["ts_event"] -= NS_PER_S
    assert (first == again).all()


@pytest.mark.parametrize("other", [{"seed": 1}, {"symbol": "BTCEUR"}])
def test_another_seed_or_symbol_gives_other_trades(other) -> None:
    assert not np.array_equal(
        np.concatenate(chunks(10))["size"], np.concatenate(chunks(10, **other))["size"]
    )


def test_another_process_draws_the_same_trades() -> None:
    code = (
        "import itertools, numpy as np; from streaming.exchange.markets import *;"
        f"print(np.concatenate(list(itertools.islice(trades(MARKETS['default'], 3, 'ETHUSDT', "
        f"{START}), 90)))['size'].tobytes().hex()[-64:])"
    )
    env = {"PYTHONHASHSEED": "7", "PYTHONPATH": "."}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    )
    here = np.concatenate(chunks(90, seed=3, symbol="ETHUSDT"))["size"].tobytes().hex()[-64:]
    assert run.stdout.strip() == here


def test_prices_are_whole_ticks_near_the_symbol_s_level(ticks: Ticks) -> None:
    price, decimals = level("BTCUSDT")
    assert decimals == 2
    assert price == pytest.approx(60_000, rel=0.01)
    assert (ticks["price"] == np.round(ticks["price"], decimals)).all()
    assert ticks["price"] == pytest.approx(price, rel=0.05)
    assert (ticks["size"] > 0).all()


def test_trades_come_at_the_rate_of_the_process_and_in_bursts(hour: list[Ticks]) -> None:
    count = np.array([len(chunk) for chunk in hour])
    assert count.mean() == pytest.approx(orders_per_s(Arrivals()) * FILLS, rel=0.05)
    assert 25 <= count.mean() <= 30
    assert count.var() > 3 * count.mean()  # a Poisson process has 1


def test_500_ticks_come_within_30_s_for_any_seed() -> None:
    for seed in range(20):
        assert sum(map(len, chunks(30, seed=seed))) > 500


def test_sizes_are_log_normal_and_know_nothing_of_the_side(ticks: Ticks) -> None:
    log_size = np.log(ticks["size"])
    assert log_size.std() == pytest.approx(1.5, rel=0.03)
    assert abs(np.corrcoef(log_size, ticks["side"])[0, 1]) < 0.02


def test_trades_bounce_between_bid_and_ask(ticks: Ticks) -> None:
    turn = (np.diff(ticks["side"]) != 0) & (np.diff(ticks["ts_event"]) < 20 * NS_PER_MS)
    move = np.diff(ticks["price"])[turn]
    up = np.diff(ticks["side"])[turn] > 0
    assert np.median(move[up]) > 0 > np.median(move[~up])


def test_the_next_second_can_be_known_a_little_but_not_well() -> None:
    bars = bars_of(np.concatenate(chunks(4 * SECONDS)))
    move = np.sign(np.diff(bars["close"]))
    same = np.mean(move[1:] == move[:-1])
    assert 0.53 < same < 0.60  # 0.566 without bounce
    assert np.diff(np.log(bars["close"])).std() == pytest.approx(0.33e-4, rel=0.1)


def test_the_default_market_draws_what_it_always_drew() -> None:
    ticks = np.concatenate(chunks(180))
    assert len(ticks) == 4994
    assert ticks["price"][[0, 1000, -1]].tolist() == [59522.08, 59537.01, 59479.26]
    assert ticks["price"].sum() == pytest.approx(297308535.66, abs=0.005)
    assert ticks["size"].sum() == pytest.approx(50.74345)
    assert ticks["side"].sum(dtype=int) == 42


def test_the_moves_of_the_default_market_are_whole_blocks() -> None:
    moves = next(leaning(np.random.default_rng(0)))
    assert len(moves.returns) == STEPS * len(moves.lean) == STEPS * BLOCK_S
    assert (np.abs(moves.lean) <= 1).all()


@EACH
def test_every_market_s_ids_run_on_and_its_seconds_are_whole(name: str) -> None:
    parts = chunks(150, name=name)
    ticks = np.concatenate(parts)
    assert ticks["id"].tolist() == list(range(FIRST_ID, FIRST_ID + len(ticks)))
    assert (np.diff(ticks["ts_event"]) >= 0).all()
    for i, part in enumerate(parts):
        assert (part["ts_event"] // NS_PER_S == START // NS_PER_S + i).all()
    assert (ticks["price"] > 0).all()


@EACH
def test_every_market_is_the_same_for_the_same_seed_and_no_other(name: str) -> None:
    first, again, other = (np.concatenate(chunks(70, name=name, seed=s)) for s in (1, 1, 2))
    assert all((first[field] == again[field]).all() for field in first.dtype.names or ())
    assert not np.array_equal(first["price"], other["price"])


@pytest.mark.parametrize("name", PROCESSES)
def test_a_process_as_moves_goes_as_it_was_drawn(name: str) -> None:
    process = PROCESSES[name]
    rng, same = np.random.default_rng(3), np.random.default_rng(3)
    drawn = np.concatenate(list(itertools.islice(process.blocks(same.spawn(1)[0], BLOCK_S), 3)))
    moves = list(itertools.islice(moves_of(process)(rng), 3))
    seconds = np.concatenate([part.returns.reshape(-1, STEPS).sum(axis=1) for part in moves])
    assert seconds == pytest.approx(SIGMA * drawn, abs=1e-15)


def test_the_mid_goes_inside_a_second_as_a_random_walk_does() -> None:
    moves = itertools.islice(moves_of(PROCESSES["martingale"])(np.random.default_rng(0)), 200)
    steps = np.concatenate([part.returns for part in moves]) / SIGMA
    assert steps.std() == pytest.approx(STEPS**-0.5, rel=0.01)
    assert abs(np.corrcoef(steps[1:], steps[:-1])[0, 1]) < 0.01


def same_share(seconds: list[Ticks]) -> float:
    """How often the direction of a bar is that of the one before."""
    move = np.sign(np.diff(bars_of(np.concatenate(seconds))["close"]))
    return float(np.mean(move[1:] == move[:-1]))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("martingale", 0.44, 0.50), ("ar1", 0.53, 0.60), ("signs", 0.53, 0.60),
     ("momentum", 0.53, 0.60)],
)  # fmt: skip
def test_the_bars_of_a_market_move_as_its_process_does(name: str, low: float, high: float) -> None:
    assert low < same_share(chunks(4 * SECONDS, name=name)) < high


def test_the_bars_of_a_switch_go_on_for_an_hour_and_turn_in_the_next() -> None:
    seconds = chunks(2 * SECONDS, name="switch")
    assert 0.64 < same_share(seconds[:SECONDS]) < 0.72
    assert 0.25 < same_share(seconds[SECONDS:]) < 0.37


def test_each_order_of_hawkes_moves_the_mid_by_a_step_to_its_side() -> None:
    rngs = (np.random.default_rng(seed) for seed in (0, 1))
    block = next(Hawkes().blocks(*rngs))
    assert len(block.mid) == len(block.side) + 1
    assert np.diff(block.mid) == pytest.approx(STEP * block.side)
    assert (block.at == np.arange(len(block.side))).all()
    assert block.mid[0] == 0


def test_the_mid_of_hawkes_moves_about_as_much_as_the_others() -> None:
    bars = bars_of(np.concatenate(chunks(name="hawkes")))
    assert 0.5 * SIGMA < np.diff(np.log(bars["close"])).std() < 2 * SIGMA


@EACH
def test_every_market_can_be_named_as_a_source(name: str) -> None:
    assert market_of(StreamConfig(source=f"sim:{name}")) is MARKETS[name]


def test_sim_alone_is_the_default_and_an_error_about_an_unknown_name_lists_them_all() -> None:
    assert market_of(StreamConfig(source="sim")) is MARKETS["default"]
    with pytest.raises(ConfigError, match=r"known markets: default, martingale, .*, hawkes$"):
        market_of(StreamConfig(source="sim:moon"))


def test_the_oracles_know_the_markets_that_are_played() -> None:
    assert list(oracles.BY_NAME) == list(PROCESSES)
    for name, process in PROCESSES.items():
        oracle = oracles.BY_NAME[name]
        assert isinstance(oracle, type(process))
        assert dataclasses.asdict(oracle) == dataclasses.asdict(process)


@EACH
def test_the_table_of_the_documentation_has_the_figures_of_the_exact_rule(name: str) -> None:
    row = re.search(
        rf"^\| `{name}` \|.*\| (\d+) % \|" + r" ([\d.]+) \|" * 4 + "$", DOCUMENTATION, re.MULTILINE
    )
    assert row
    shows = MARKETS[name].shows
    assert int(row[1]) == 100 * shows
    figures = [float(figure) for figure in row.groups()[1:]]
    if name == "hawkes":  # known from a drawn flow, to about 0.002
        found = [*Hawkes().answer(), *Hawkes().answer(shows)]
        assert found == pytest.approx(figures, abs=0.002)
    else:
        oracle = oracles.BY_NAME[{"default": "momentum", "book": "martingale"}.get(name, name)]
        alone, seen = oracle.answer(), oracle.answer(shows)
        assert figures == [
            round(alone.accuracy, 3), round(alone.log_loss, 4),
            round(seen.accuracy, 3), round(seen.log_loss, 4),
        ]  # fmt: skip


def test_the_example_of_the_documentation_runs_as_written() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", DOCUMENTATION, re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    assert len(names["path"].returns) == 3600
    assert names["best"].per_bar > 0
