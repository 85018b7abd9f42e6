"""What a session's CNN may start from: learned from tapes, named by digest, refused where wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from streaming.errors import ConfigError
from tests.datamodules.samples import drawn, logistic
from tests.oracles.drawn_bars import bars_of_path
from tests.trainers.tapes import two_markets
from tests.trainers.whole import forecasts_of
from trainers.config import SessionConfig
from trainers.config.pretraining.settings import PretrainConfig
from trainers.config.pretraining.start import Start, read_start, save_start, with_start
from trainers.learners.cnn.forecaster import STEADY
from trainers.learners.cnn.pretraining import USUAL_SD, MarketWeights, in_common, weights_of
from trainers.learners.linear import fit_from
from trainers.learners.registry import learners_of
from trainers.replay.__main__ import ReplayConfig, replay
from trainers.research.pretraining.__main__ import pretrain
from trainers.tracking.store import ensure_store

ROOT = Path(__file__).parents[2]
WEIGHTS = 16  # of eight features, six moves, whether the newest agree, and the bias


def reverting(seed, n):
    """Bars of which each takes back most of the one before."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n + 1)
    return bars_of_path(rng, noise[1:] - 0.9 * noise[:-1])


def start_of(features="flow", n=WEIGHTS, **changes):
    same = {"label": "close", "horizon": 1, "bar_seconds": 1, "markets": ()}
    return Start(**{"features": features, "mean": (0.1,) * n, "spread": (0.5,) * n, **same,
                    **changes})  # fmt: skip


@pytest.fixture
def file(tmp_path):
    save_start(start_of(), tmp_path / "start.json")
    return tmp_path / "start.json"


# ---- what is learned


def test_a_fit_ends_where_the_slope_of_loss_and_expectation_is_zero():
    x, up = drawn(80, 5, seed=1)
    mean, spread = np.linspace(-1, 1, 6), np.linspace(0.1, 2, 6)
    weights, variances = fit_from(x, up, mean, spread)
    rows = np.column_stack([x, np.ones(80)])
    slope = rows.T @ (logistic(rows @ weights) - up) + (weights - mean) / spread**2
    assert np.abs(slope).max() < 1e-3
    assert (variances < spread**2).all()


def test_before_a_market_has_moved_its_weights_are_those_expected():
    mean, spread = np.linspace(-1, 1, 6), np.full(6, 0.5)
    weights, variances = fit_from(np.zeros((0, 5)), np.zeros(0, bool), mean, spread)
    np.testing.assert_allclose(weights, mean)
    np.testing.assert_allclose(variances, spread**2)


def test_a_weight_that_is_alike_everywhere_gets_a_smaller_spread_than_one_that_differs():
    rng = np.random.default_rng(0)
    true = np.column_stack([np.full(40, 0.7), rng.normal(0.3, 0.8, 40), np.full(40, 0.2)])
    sure = np.full(3, 0.05**2)
    mean, spread = in_common([MarketWeights(one, sure, 100) for one in true])
    assert mean == pytest.approx([0.7, 0.3, 0.0], abs=0.3)
    assert mean[-1] == 0  # of the bias
    assert spread[0] < 0.1
    assert spread[1] == pytest.approx(0.8, rel=0.3)


def test_two_markets_that_agree_leave_room_for_a_third_that_does_not():
    same = MarketWeights(np.full(3, 0.5), np.full(3, 1e-6), 100)
    _, spread = in_common([same, same])
    assert (spread > USUAL_SD / 2).all()


def test_a_session_that_starts_from_such_markets_is_better_in_its_first_minutes(tmp_path):
    others = [weights_of(reverting(seed, 1500), "flow", "close", 1) for seed in range(1, 5)]
    mean, spread = in_common(others)
    save_start(start_of(mean=tuple(mean), spread=tuple(spread)), tmp_path / "start.json")
    gained = []
    for seed in range(10, 13):
        bars = reverting(seed, 400)
        up = np.diff(bars["close"])[205:] > 0
        losses = []
        for start in ("", str(tmp_path / "start.json")):
            config = SessionConfig.of(learners="cnn", cnn_updates=1, cnn_start=start)
            said = forecasts_of(learners_of(config)["cnn"], bars, config)[205:-1]
            likely = np.array([one.probability for one in said])
            losses.append(-np.log(np.where(up, likely, 1 - likely)).mean())
        gained.append(losses[0] - losses[1])
    assert np.mean(gained) > 0.003


def test_steady_is_what_is_likeliest_given_the_file_and_the_bars(file):
    config = SessionConfig.of(learners="cnn", cnn_updates=1, cnn_start=str(file))
    cnn, bars = learners_of(config)["cnn"], reverting(1, 300)
    forecasts_of(cnn, bars[:231], config)  # two cycles, the newest at 230 bars
    own = weights_of(bars[:230], "flow", "close", 1)
    got = np.append(cnn._module.net.weights[STEADY].numpy(), cnn._module.net.bias[STEADY].item())
    start = read_start(str(file))
    nearer = np.abs(got - np.array(start.mean)) < np.abs(own.weights - np.array(start.mean))
    assert nearer.mean() > 0.6  # drawn to the file, whose spread is half of the other's


# ---- the program


@pytest.fixture(scope="module")
def tapes(tmp_path_factory):
    """Two markets of 12 minutes."""
    return two_markets(tmp_path_factory.mktemp("tapes"), 720)


def test_the_same_tapes_give_the_same_file_to_the_byte(tapes, tmp_path, capsys):
    each = ",".join(map(str, sorted(tapes.iterdir())))
    for name, given in (("one", tapes), ("again", tapes), ("each", each)):
        assert pretrain(PretrainConfig(tapes=str(given), file=str(tmp_path / name))) == 0
    one, again = ((tmp_path / name).read_bytes() for name in ("one", "again"))
    assert one == again
    start, other = read_start(str(tmp_path / "one")), read_start(str(tmp_path / "each"))
    assert start.mean == other.mean
    assert [record["symbol"] for record in start.markets] == ["AAA", "BBB"]
    assert [record["digest"] for record in start.markets] == [
        record["digest"] for record in other.markets
    ]
    assert len(start.mean) == len(start.spread) == WEIGHTS
    assert "--learner.cnn.start" in capsys.readouterr().out


def test_one_market_is_refused_as_it_shows_nothing_in_common(tapes, tmp_path):
    one = tapes / "AAA-trades-2023-11-14.csv"
    with pytest.raises(ConfigError, match="tapes: got 1 market"):
        pretrain(PretrainConfig(tapes=str(one), file=str(tmp_path / "s.json")))
    with pytest.raises(ConfigError, match="features: got book"):
        pretrain(PretrainConfig(tapes=str(tapes), features="book", file=str(tmp_path / "s.json")))
    with pytest.raises(ConfigError, match="tapes: got none"):
        PretrainConfig(tapes=" , ")
    assert not (tmp_path / "s.json").exists()


def test_a_backtest_from_the_file_has_its_digest_and_replays_to_the_same_bits(tapes, tmp_path):
    run = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(ROOT)}, "timeout": 300,
           "capture_output": True, "text": True}  # fmt: skip
    made = ["trainers.research.pretraining", "--tapes", str(tapes), "--save", "start.json"]
    used = ["trainers.research.backtest", "--source", f"tape:{tapes}", "--symbols", "AAA",
            "--learners", "cnn", "--min_ticks", "300", "--cnn_start", "start.json"]  # fmt: skip
    for module, *flags in (made, used):
        done = subprocess.run([sys.executable, "-m", module, *flags], **run)
        assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "mlruns" / "sessions").iterdir()
    named = SessionConfig.load(folder / "config.json").flat["cnn_start"]
    whole, _, digest = named.rpartition("@")
    assert (Path(whole), len(digest)) == (tmp_path / "start.json", 16)
    params = MlflowClient(ensure_store(tmp_path)).get_run(folder.name).data.params
    assert digest in params["cnn_start"]
    assert replay(ReplayConfig(session=folder.name, runs=False), {}, tmp_path) == 0
    save_start(start_of(), tmp_path / "start.json")
    with pytest.raises(ConfigError, match=f"expected .* with the digest {digest}"):
        replay(ReplayConfig(session=folder.name, runs=False), {}, tmp_path)


# ---- what is refused


def test_the_settings_have_the_whole_path_and_the_digest_once(file, monkeypatch):
    monkeypatch.chdir(file.parent)
    config = with_start(SessionConfig.of(cnn_start="start.json"))
    assert config.flat["cnn_start"].startswith(f"{file}@")
    assert with_start(config) == config
    assert with_start(SessionConfig()) == SessionConfig()


@pytest.mark.parametrize("changes", [
    {"features": "classic"}, {"label": "mid"}, {"horizon": 5}, {"bar_seconds": 5},
])  # fmt: skip
def test_a_file_for_other_settings_is_refused_in_a_line_that_says_which(file, changes):
    ((name, wanted),) = changes.items()
    with pytest.raises(ConfigError, match=f"for {name} .* and the session has {wanted}") as told:
        with_start(SessionConfig.of(cnn_start=str(file), **changes))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("content", [
    "", "{", "[]", "{}", '{"format": 2}', '{"format": 1}', "\x00", "[" * 9999,
    json.dumps({"format": 1, **start_of()._asdict(), "spread": [0.0] * WEIGHTS}),
    json.dumps({"format": 1, **start_of()._asdict(), "mean": [0.1]}),
    json.dumps({"format": 1, **start_of()._asdict(), "mean": ["x"] * WEIGHTS}),
    json.dumps({"format": 1, **start_of()._asdict(), "mean": [float("nan")] * WEIGHTS}),
    json.dumps({"format": 1, **start_of()._asdict(), "markets": None}),
])  # fmt: skip
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path, content):
    (tmp_path / "start.json").write_text(content)
    with pytest.raises(ConfigError, match=r"cnn_start: got .*start\.json.*no such file") as told:
        with_start(SessionConfig.of(cnn_start=str(tmp_path / "start.json")))
    assert "\n" not in str(told.value)


def test_a_missing_file_and_one_of_other_weights_are_refused_in_one_line(tmp_path):
    with pytest.raises(ConfigError, match=r"cnn_start: got .*cannot be read \(No such file"):
        with_start(SessionConfig.of(cnn_start=str(tmp_path / "none.json")))
    save_start(start_of(n=3), tmp_path / "short.json")
    with pytest.raises(ConfigError, match="a file of 3 weights; expected 16"):
        learners_of(SessionConfig.of(learners="cnn", cnn_start=str(tmp_path / "short.json")))
