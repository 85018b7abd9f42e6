"""The engine by itself: events in, commands out; no file, clock or tracker anywhere."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from streaming.events import Code
from streaming.rings.counters import STATS
from tests.datamodules.samples import random_bars
from tests.trainers.ledger_rows import rows_among
from tests.trainers.world import Spy
from trainers.config import SessionConfig
from trainers.engine.commands import (
    Checkpoint,
    CycleDone,
    ForecastsMade,
    Happened,
    LedgerRows,
    RunUpdate,
)
from trainers.engine.drivers.backtest import Backtest, Decision
from trainers.engine.drivers.recorded import Recorded
from trainers.engine.drivers.streams import GONE, RecordedStream, digests
from trainers.engine.events import (
    BarsTaken,
    ControlGiven,
    CycleBegun,
    CycleEnded,
    ForecastsTimed,
    LearnerTurn,
)
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners import scorecard
from trainers.engine.runners.roster import Roster, make_roster
from trainers.scoring.ledger import MADE, MISSED

BARS = random_bars(330, seed=4)
CONFIG = SessionConfig.of(cycle_seconds=20, cnn_updates=1, dqn_updates=2, fee_bps=1)
NOTHING = dict.fromkeys(STATS.names, 0.0)


def stream_of(ticks, quotes=()):
    return RecordedStream(ticks, np.array(quotes, "i8"), BARS)


def trainer_of(*learners, config=CONFIG):
    return MarketTrainer(config, "BTCUSDT", Roster(config, learners, ()))


def begun(cycle=1, ticks=10, now=10**9):
    seen, oldest = {"ticks": ticks, "quotes": 0}, {"ticks": 0, "quotes": 0}
    hashes = {"ticks": "digest", "quotes": "another"}
    return CycleBegun(cycle, seen, now, oldest, 0, 1000, NOTHING, hashes)


def cycle_of(trainer, cycle=1):
    """The commands of a whole cycle."""
    events = [
        begun(cycle),
        *map(LearnerTurn, trainer.roster.turns),
        CycleEnded({"spy": 0.5}, False),
    ]
    return [command for event in events for command in trainer.handle(event)]


def test_before_the_first_cycle_bars_are_history_and_nobody_is_asked():
    spy = Spy()
    trainer = trainer_of(spy)
    assert list(trainer.handle(BarsTaken(BARS[:50]))) == []
    assert (trainer.next_bar, spy.calls) == (50, [])


def test_a_bar_asks_whether_its_forecasts_were_in_time_and_then_has_its_rows():
    trainer = trainer_of(Spy())
    list(trainer.handle(BarsTaken(BARS[:50])))
    cycle_of(trainer)
    (asked,) = trainer.handle(BarsTaken(BARS[50:51]))
    assert asked == ForecastsMade(int(BARS["ts_open"][50]))
    (rows,) = trainer.handle(ForecastsTimed(True, 77))
    assert isinstance(rows, LedgerRows)
    assert rows.forecasts["status"].tolist() == [MADE]
    assert rows.forecasts["latency_us"].tolist() == [77]
    list(trainer.handle(BarsTaken(BARS[51:52])))
    (late,) = trainer.handle(ForecastsTimed(False))
    assert late.forecasts["status"].tolist() == [MISSED]
    assert np.isnan(late.forecasts["probability"]).all()


def test_a_learner_is_tested_once_a_forecast_of_it_has_met_its_label():
    trainer = trainer_of(Spy())
    list(trainer.handle(BarsTaken(BARS[:50])))
    assert not trainer.tested("spy")
    cycle_of(trainer)
    list(trainer.handle(BarsTaken(BARS[50:51])))
    list(trainer.handle(ForecastsTimed(True)))
    cycle_of(trainer)
    assert not trainer.tested("spy")  # it waits for the next bar
    list(trainer.handle(BarsTaken(BARS[51:52])))
    list(trainer.handle(ForecastsTimed(False)))
    cycle_of(trainer)
    assert trainer.tested("spy")


def test_a_backlog_has_rows_at_once_and_one_known_to_be_late_asks_nobody():
    spy = Spy()
    trainer = trainer_of(spy)
    list(trainer.handle(BarsTaken(BARS[:50])))
    cycle_of(trainer)
    asked = len(spy.calls)
    commands = list(trainer.handle(BarsTaken(BARS[50:54], ask=False)))
    assert [type(command) for command in commands] == [LedgerRows] * 4
    assert len(spy.calls) == asked


def test_a_cycle_tells_what_it_came_to_before_anything_that_has_to_be_done_about_it():
    trainer = trainer_of(Spy())
    list(trainer.handle(BarsTaken(BARS[:50])))
    commands = cycle_of(trainer)
    kinds = [type(command) for command in commands]
    assert kinds == [RunUpdate, CycleDone, RunUpdate, Checkpoint]
    announced, done, reported, _ = commands
    assert announced.tags["status"] == "TRAINING"
    assert (done.cycle, done.wall_ms, done.hashes["ticks"]) == (1, 1000, "digest")
    assert done.stream["stream/ticks"] == 10
    assert reported.metrics["train/loss"] == 0.5
    assert reported.metrics["train/seconds"] == 0.5
    assert reported.wall_ms == 1000


@pytest.mark.parametrize(
    "events, wanted",
    [
        ([ForecastsTimed(True)], "BarsTaken before ForecastsTimed"),
        ([LearnerTurn("spy")], "CycleBegun before LearnerTurn"),
        ([CycleEnded({}, False)], "CycleBegun before CycleEnded"),
        ([begun(1), begun(2)], "CycleEnded before CycleBegun"),
    ],
)
def test_events_out_of_order_are_refused(events, wanted):
    trainer = trainer_of(Spy())
    *right, wrong = events
    for event in right:
        list(trainer.handle(event))
    with pytest.raises(ValueError, match=f"BTCUSDT: expected {wanted}; hand events in"):
        trainer.handle(wrong)


def test_a_request_that_is_refused_is_told_and_changes_nothing():
    trainer = trainer_of(Spy())
    (told,) = trainer.handle(ControlGiven("dance", ""))
    assert isinstance(told, Happened)
    assert told.code == Code.CONTROL
    assert told.text.startswith("refused control/dance: unknown; allowed: start, pause")


# ---- drivers


def entries_of(commands):
    """What a backtest has decided, as a decision log has it."""
    entries = []
    for command in commands:
        if isinstance(command, Decision):
            entries.append({"do": command.do, **command.fields})
        if isinstance(command, CycleDone):
            entries.append({"do": "end", "seconds": {}, "overran": False})
    return entries


def every_learner(config=CONFIG):
    return make_roster(config, "BTCUSDT")


def test_a_backtest_replayed_from_its_decisions_gives_the_same_commands():
    trainer = MarketTrainer(CONFIG, "BTCUSDT", every_learner())
    told = list(Backtest(trainer, min_bars=200).take(BARS))
    first = [one for one in told if not isinstance(one, Decision)]
    assert sum(isinstance(one, CycleDone) for one in first) == 7
    stream = stream_of(np.zeros(int(BARS["final_seq"][-1]), "i8"))
    again = MarketTrainer(CONFIG, "BTCUSDT", every_learner())
    _, forecasts = rows_among(first)
    recorded = Recorded(again, entries_of(told), stream, forecasts, lambda learner, version: None)
    second = list(recorded.run())
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert type(one) is type(other)
        if isinstance(one, LedgerRows):
            assert one.outcome.tobytes() == other.outcome.tobytes()
            assert one.forecasts.tobytes() == other.forecasts.tobytes()
        if isinstance(one, RunUpdate):
            assert repr(one) == repr(other)
        if isinstance(one, CycleDone):
            assert one.hashes["learners"] == other.hashes["learners"]
            assert one.hashes["forecasts"] == other.hashes["forecasts"]


def test_a_log_that_ends_within_a_cycle_says_whose_turn_is_next():
    trainer = MarketTrainer(CONFIG, "BTCUSDT", every_learner())
    told = list(Backtest(trainer, min_bars=200).take(BARS[:240]))
    _, forecasts = rows_among(told)
    entries = entries_of(told)
    starts = [i for i, entry in enumerate(entries) if entry["do"] == "cycle"]
    cut = entries[: starts[1] + 1]
    again = MarketTrainer(CONFIG, "BTCUSDT", every_learner())
    stream = stream_of(np.zeros(int(BARS["final_seq"][-1]), "i8"))
    recorded = Recorded(again, cut, stream, forecasts, lambda *_: None)
    list(recorded.run())
    assert recorded.begun.cycle == 2
    assert recorded.turns_left == again.roster.turns


def test_a_checkpoint_goes_on_to_the_bit(monkeypatch):
    monkeypatch.setattr(scorecard, "LONGEST", 30)  # the ledger is taken up in several parts
    whole = MarketTrainer(CONFIG, "BTCUSDT", every_learner())
    saved = None
    commands = []
    for command in Backtest(whole, min_bars=200).take(BARS):
        commands.append(command)
        if isinstance(command, Checkpoint) and saved is None:
            saved = (
                command.state,
                whole.next_bar,
                rows_among(commands),
            )
    state, taken, rows = saved
    again = MarketTrainer(CONFIG, "BTCUSDT", every_learner(dataclasses.replace(CONFIG)))
    again.restore(state, BARS[:taken].copy(), rows, lambda *_: None)
    later = []
    for i in range(taken, len(BARS)):
        for command in again.handle(BarsTaken(BARS[i : i + 1])):
            if isinstance(command, ForecastsMade):
                later += again.handle(ForecastsTimed(True))
        now = int(BARS["ts_open"][i]) + 10**9
        if now >= again.cycles.next_due:
            list(again.handle(begun(again.cycle + 1, int(BARS["final_seq"][i]), now)))
            for name in again.roster.turns:
                list(again.handle(LearnerTurn(name)))
            later += again.handle(CycleEnded({}, False))
    for one, early, late in zip(rows_among(commands), rows, rows_among(later), strict=True):
        assert one.tobytes() == early.tobytes() + late.tobytes()
    assert repr(updates_of(later)) == repr(updates_of(commands)[-len(updates_of(later)) :])


def updates_of(commands):
    """What is logged of each learner, but for what was only measured."""
    return [
        (each.learner, each.step, {k: v for k, v in each.metrics.items() if "seconds" not in k})
        for each in commands
        if isinstance(each, RunUpdate) and each.metrics
    ]


def hashes(since, oldest=(0, 0), stream=None):
    stream = stream or stream_of(np.arange(10), np.arange(10))
    rows = [{"ticks": ticks, "quotes": quotes} for ticks, quotes in (since, oldest, (8, 8))]
    return digests(stream, *rows)


def test_the_hash_of_rows_is_of_those_the_cycle_before_did_not_see():
    assert hashes((2, 3))["ticks"] == hashes((2, 5))["ticks"] != hashes((4, 3))["ticks"]
    assert hashes((2, 3))["quotes"] == hashes((1, 3))["quotes"] != hashes((2, 4))["quotes"]


def test_rows_that_were_overwritten_before_a_cycle_began_are_not_in_its_hash():
    assert hashes((2, 2), (4, 0)) == hashes((4, 2), (0, 0))
    assert hashes((2, 2), (4, 0)) != hashes((2, 2), (0, 0))


class Overwritten(RecordedStream):
    def rows(self, stream, start, stop=None):
        return super().rows(stream, max(start, 6), stop)


def test_rows_that_were_overwritten_since_have_no_hash():
    stream = Overwritten(np.arange(10), np.arange(10), BARS)
    assert hashes((2, 6), stream=stream)["ticks"] == GONE != hashes((2, 6), stream=stream)["quotes"]
