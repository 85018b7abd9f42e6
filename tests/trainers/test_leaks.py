"""No forecast knows its label: proven on the whole path, and a leak planted in it is found."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import numpy as np
import pytest

import datamodules.features
import trainers.learners.cnn.learner
import trainers.learners.dqn.learner
from datamodules.features import WARMUP_BARS, features_of, raw_columns
from streaming.bars import bars_of
from streaming.events import Code
from streaming.exchange.markets import MARKETS, trades
from streaming.tape import read_tape
from streaming.ticks import NS_PER_S
from tests.oracles.drawn_bars import bars_of_path
from tests.oracles.processes import Martingale
from tests.trainers.ledger_rows import score
from tests.trainers.whole import forecasts_of, judge_control
from tests.trainers.world import SYMBOL, Spy, World, second
from trainers.config import SessionConfig
from trainers.learners.registry import BASELINES, PERMUTED_LABELS, baselines_of, learners_of
from trainers.recording.ledger import read_ledger
from trainers.scoring.direction.cases import Directions
from trainers.scoring.direction.scores import log_loss
from trainers.scoring.ledger import MADE

TAPES = Path(__file__).parents[2].parent / "shared" / "tapes"
EQUITY, TRX = "us_equity_4sym_20131008.csv.gz", "binance_trx_3markets_20250304.csv.gz"

BEGAN = 1_704_067_200 * NS_PER_S
SECONDS, FIRST_S, CUT_S = 195, 120, 171.4  # the cut lies between two trades of a second
SMALL = {"dqn_updates": 50, "dqn_batch_size": 32, "cnn_updates": 2, "cnn_batch_size": 32}
CHANCE = math.log(2)


def market_ticks(name, seconds, seed=0):
    chunks = trades(MARKETS[name], seed, SYMBOL, BEGAN)
    return np.concatenate([next(chunks) for _ in range(seconds)])


TICKS = market_ticks("momentum", SECONDS)
SINCE_S = (TICKS["ts_event"] - BEGAN) / NS_PER_S
AFTER = SINCE_S > CUT_S
MIN_TICKS = int(np.searchsorted(SINCE_S, FIRST_S))
QUICK = {"cycle_seconds": 20, "min_ticks": MIN_TICKS, "backfill_seconds": 0, "seed": 1}


def other_future():
    """The tape with other prices, sizes and sides after the cut."""
    ticks, rng, n = TICKS.copy(), np.random.default_rng(5), int(AFTER.sum())
    ticks["price"][AFTER] *= np.exp(np.cumsum(rng.normal(0, 1e-4, n)))
    ticks["size"][AFTER] = rng.exponential(size=n)
    ticks["side"][AFTER] = rng.choice([-1, 1], n)
    return ticks


def play(folder, ticks, *names):
    """The ledger of a real market and real learners, a second of ticks at a time."""
    folder.mkdir()
    config = SessionConfig.of(learners=",".join(names or ("cnn", "dqn")), **QUICK, **SMALL)
    learners = learners_of(config).values()
    baselines = () if names else baselines_of(config).values()
    world = World(folder, *learners, baselines=baselines, **QUICK, **SMALL)
    with contextlib.closing(world):
        at = (ticks["ts_event"] - BEGAN) // NS_PER_S
        for chunk in np.split(ticks, np.flatnonzero(np.diff(at)) + 1):
            world.ingest.push(chunk)
            world.advance()
        assert not [one.status_text for one in world.roster.everyone if one.status == "ERROR"]
    return read_ledger(folder, SYMBOL)


def begins_with(whole, part):
    """Whether every forecast of ``part`` is in ``whole``, in all fields but how long it took.

    The outcomes of their bars always are: they know nothing of learners.
    """
    assert 0 < len(part.outcomes) < len(whole.outcomes)
    assert whole.names == part.names
    assert whole.outcomes[: len(part.outcomes)].tobytes() == part.outcomes.tobytes()
    rows = [ledger.forecasts[: len(part.forecasts)].copy() for ledger in (whole, part)]
    for some in rows:
        some["latency_us"] = 0
    return rows[0].tobytes() == rows[1].tobytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return play(tmp_path_factory.mktemp("whole") / "x", TICKS)


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """As if the market had ended at the cut."""
    return play(tmp_path_factory.mktemp("cut") / "x", TICKS[~AFTER])


def test_all_learners_and_baselines_forecast_and_the_cut_leaves_cycles_on_both_sides(whole, cut):
    silent = {"cnn.champion", "dqn.champion"}  # nobody was promoted
    assert set(whole.names) == {"cnn", "dqn", *silent, *BASELINES}
    for i, name in enumerate(whole.names):
        if name in silent:
            continue
        rows = cut.forecasts[cut.forecasts["learner"] == i]
        assert (rows["status"] == MADE).sum() >= 30, name
        assert set(rows["version"].tolist()) == {1, 2, 3}, name
    assert set(whole.forecasts["version"].tolist()) == {0, 1, 2, 3, 4}  # 0: of no champion


def test_without_the_ticks_after_a_moment_every_row_before_it_is_the_same(whole, cut):
    assert begins_with(whole, cut)


def test_with_another_future_every_row_before_it_is_the_same_and_later_ones_are_not(
    tmp_path, whole, cut
):
    other = play(tmp_path / "other", other_future())
    assert begins_with(other, cut)
    later = slice(len(cut.forecasts), None)
    for name in ("inputs", "probability", "signal"):
        assert (whole.forecasts[name][later] != other.forecasts[name][later]).any()


# ---- planted


def plant(monkeypatch, bars):
    """A leak: last_sold is one bar ahead, whoever asks, by the bars of the whole tape."""
    honest = raw_columns
    ahead = dict(zip(bars["ts_open"][:-1].tolist(), bars["last_sold"][1:].tolist(), strict=True))
    bid = datamodules.features.RAW_COLUMNS.index("last_sold")

    def leaky(asked):
        raw = honest(asked)
        for i, ts in enumerate(asked["ts_open"].tolist()):
            raw[i, bid] = ahead.get(ts, raw[i, bid])
        return raw

    for module in (
        datamodules.features,
        trainers.learners.cnn.learner,
        trainers.learners.dqn.learner,
    ):
        monkeypatch.setattr(module, "raw_columns", leaky)


def test_with_a_feature_that_is_a_bar_ahead_rows_are_not_the_same_without_their_future(
    tmp_path, monkeypatch
):
    found = {}
    tapes = {"whole": TICKS, "cut": TICKS[~AFTER], "other": other_future()}
    for name, ticks in tapes.items():
        with monkeypatch.context() as patch:
            plant(patch, bars_of(ticks))
            found[name] = play(tmp_path / name, ticks, "cnn", "logistic")
    assert not begins_with(found["whole"], found["cut"])
    assert not begins_with(found["other"], found["cut"])


def prefixes_agree(make):
    bars = bars_of(TICKS)
    every = make(bars)
    return all(
        np.array_equal(make(bars[:n]), every[: n - WARMUP_BARS])
        for n in range(WARMUP_BARS + 1, len(bars), 7)
    )


def test_features_of_a_prefix_are_a_prefix_of_the_features_and_those_a_bar_ahead_are_not(
    monkeypatch,
):
    def shifted(bars):
        rows = features_of(bars, "flow")
        rows[:-1, 2] = rows[1:, 2]
        return rows

    for name in ("flow", "classic"):
        assert prefixes_agree(lambda bars, name=name: features_of(bars, name))
    assert not prefixes_agree(shifted)


def said_on(bars, name, **settings):
    """What a learner said of each bar of a martingale, scored."""
    config = SessionConfig.of(learners=name, cycle_seconds=60, **SMALL, **settings)
    (learner,) = learners_of(config).values()
    return scored_of_bars(bars, forecasts_of(learner, bars, config))


def scored_of_bars(bars, said):
    probabilities = [np.nan if one is None else one.probability for one in said]
    seconds = (bars["ts_open"] // NS_PER_S).tolist()
    return score(bars["close"], probabilities, gaps=np.flatnonzero(bars["gap"]), bars=seconds)


@pytest.fixture(scope="module")
def martingale():
    rng = np.random.default_rng(7)
    return bars_of_path(rng, Martingale().draw(rng, 1300).returns)


@pytest.mark.parametrize("name", ["cnn", "logistic"])
def test_on_a_martingale_nobody_is_better_than_chance_but_who_sees_a_bar_ahead(
    martingale, name, monkeypatch
):
    honest = log_loss(Directions.of(said_on(martingale, name).samples()))
    assert honest.half_width < 0.1
    assert honest.value > CHANCE - honest.half_width
    plant(monkeypatch, martingale)
    leaky = log_loss(Directions.of(said_on(martingale, name).samples()))
    assert leaky.value < 0.6 * CHANCE


# ---- the permuted-label control


def verdict_on(bars):
    config = SessionConfig(cycle_seconds=30)
    control, majority = (
        scored_of_bars(bars, forecasts_of(baselines_of(config)[name], bars, config))
        for name in (PERMUTED_LABELS, "majority")
    )
    return judge_control(control, majority)


@pytest.mark.parametrize("market", ["default", "momentum", "switch"])
def test_the_control_is_at_chance_in_a_simulated_market(market):
    verdict = verdict_on(bars_of(market_ticks(market, 1000)))
    assert verdict.bars > 600
    assert not verdict.alarm


@pytest.mark.parametrize(
    ("file", "symbol", "venue"),
    [
        (EQUITY, "SPY", ""),
        (EQUITY, "BAC", ""),
        (TRX, "TRXUSDT", "binance"),
        (TRX, "TRXUSD_PERP", "binance-coinm"),
    ],
)
def test_the_control_is_at_chance_on_a_real_tape(file, symbol, venue):
    if not (TAPES / file).exists():
        pytest.skip(f"there is no tape {TAPES / file}")
    ticks = read_tape(TAPES / file, symbol, venue)
    verdict = verdict_on(bars_of(ticks[ticks["price"] > 0])[:2500])
    assert verdict.bars > 200
    assert not verdict.alarm


class Knowing(Spy):
    """A control that has the label: closes of the world go up, up, down."""

    def forecast(self, bars):
        return 0.1 if (second(bars) + 1) % 3 == 0 else 0.9


def alarms(world):
    return world.told(Code.LEAK_ALARM)


def test_a_control_that_knows_the_labels_is_told_of_once(tmp_path):
    (tmp_path / "x").mkdir()
    majority = baselines_of(SessionConfig())["majority"]
    world = World(tmp_path / "x", Spy(), baselines=[majority, Knowing(PERMUTED_LABELS)])
    with contextlib.closing(world):
        world.run(30)
        assert alarms(world) == []  # it needs more bars than that
        world.run(270)
        (told,) = alarms(world)
    assert "labels leak" in told


def test_a_control_that_knows_nothing_is_not_told_of(tmp_path):
    (tmp_path / "x").mkdir()
    baselines = baselines_of(SessionConfig())
    world = World(
        tmp_path / "x", Spy(), baselines=[baselines["majority"], baselines[PERMUTED_LABELS]]
    )
    with contextlib.closing(world):
        world.run(200)
        assert alarms(world) == []


def test_the_edge_is_not_over_the_control_nor_over_an_agent(tmp_path):
    (tmp_path / "x").mkdir()
    baselines = baselines_of(SessionConfig())
    rivals = [baselines["majority"], Knowing(PERMUTED_LABELS), baselines["flat"]]
    world = World(tmp_path / "x", Knowing("knowing"), baselines=rivals)
    with contextlib.closing(world):
        world.run(200)
        assert world.runner("knowing").live["live/edge"] > 0.3  # 0 over the control
