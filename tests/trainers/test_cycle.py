from __future__ import annotations

import contextlib
import functools
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.cache import write_bar_ring, write_quote_ring, write_tick_cache
from streaming.events import Code
from streaming.rings.counters import ConnectionState
from tests.trainers.world import SYMBOL, Failing, Spy, World, second, seconds_of
from trainers.config import SessionConfig
from trainers.engine.cycles import due_after, second_due
from trainers.engine.runners.learner_runner import LONGEST_REST
from trainers.session.market.live_stream import wait_for_rings

STEP = 30


@pytest.fixture
def make(tmp_path):
    with contextlib.ExitStack() as stack:

        def made(*learners, **settings):
            world = World(tmp_path, *learners, **settings)
            stack.callback(world.close)
            return world

        yield made


@pytest.fixture
def make_logged(make, root, client):
    return functools.partial(make, root=root, client=client)


# ---- the grid


@given(
    st.integers(1, 10**6),
    st.none() | st.floats(0, 1, exclude_max=True),
    st.lists(st.integers(0, 200), max_size=30),
)
def test_cycles_stay_on_a_grid_and_the_next_one_lies_ahead_within_a_step(start, phase, steps):
    first = due = second_due(start, STEP, phase)
    now = start
    for step in steps:
        now += step
        before, due = due, due_after(due, now, STEP)
        assert (due - first) % STEP == 0
        assert now < due
        assert due <= max(now, before) + STEP


@given(st.integers(1, 10**6), st.floats(0, 1, exclude_max=True))
def test_with_a_phase_the_grid_is_the_same_whenever_the_first_cycle_began(now, phase):
    due = second_due(now, STEP, phase)
    assert due % STEP == int(phase * STEP)
    assert STEP // 2 <= due - now < STEP // 2 + STEP


def test_a_market_that_is_alone_has_its_second_cycle_an_interval_after_the_first():
    assert SessionConfig().phase_of("BTCUSDT") is None
    assert second_due(100, STEP, None) == 100 + STEP


def test_the_markets_of_a_session_share_the_interval_out():
    config = SessionConfig(symbols="AAAUSDT,BBBUSDT,CCCUSDT,DDDUSDT")
    assert [config.phase_of(name) for name in config.symbol_list] == [0, 0.25, 0.5, 0.75]


def test_a_cycle_asked_for_before_its_time_moves_nothing():
    assert due_after(130, 117, STEP) == 130


def test_a_cycle_on_time_or_late_is_followed_by_the_next_of_the_grid():
    assert [due_after(130, now, STEP) for now in (130, 131, 159, 160, 1000)] == [
        160, 160, 160, 190, 1030,
    ]  # fmt: skip


# ---- when


def test_the_first_cycle_comes_with_the_ticks_asked_for_and_the_others_a_step_apart(make):
    world = make(Spy())
    ran = world.run(60)
    assert ran == [20, 30, 40, 50, 60]
    assert world.trainer.cycle == 5


def test_a_cycle_learns_what_was_final_when_it_began_and_not_a_bar_more(make):
    spy = Spy()
    world = make(spy)
    ran = world.run(60)
    # The tick of second s makes the bar of s - 1 final; the first tick came in second 0.
    assert spy.bars_learned == [ticks - 1 for ticks in ran]  # one tick a second
    assert spy.learned() == [ticks - 2 for ticks in ran]


def test_bars_that_come_while_a_cycle_is_due_are_left_to_the_next(make):
    spy = Spy()
    world = make(spy)

    def more_market(snapshot):
        world.market(5)
        return Spy.learn(spy, snapshot)

    spy.learn = more_market
    world.run(20)
    assert spy.bars_learned == [19]
    assert spy.learned() == [18]


def test_a_bar_is_not_known_before_the_tick_that_made_it_final(make, monkeypatch):
    spy = Spy()
    world = make(spy)
    world.run(20)
    held = []
    with monkeypatch.context() as patch:  # the feed writes bars first, then ticks
        patch.setattr(world.ingest.ticks, "append", held.append)
        world.market(5)
    world.trainer.wanted = True
    assert world.advance()
    assert second(world.live.stream.bars(0).rows) == 23
    assert spy.calls == [("learn", 18, 19), ("learn", 18, 19)]
    assert len(world.rows("spy")) == 0
    world.ingest.ticks.append(held[0])
    world.trainer.wanted = True
    assert world.advance()
    assert spy.learned() == [18, 18, 23]
    assert seconds_of(world.rows("spy")) == [19, 20, 21, 22, 23]


def test_each_bar_is_forecast_once_and_before_anything_was_learned_from_it(make):
    spy = Spy()
    world = make(spy)
    world.run(60)
    forecast = [newest for what, newest, _ in spy.calls if what == "forecast"]
    assert forecast == list(range(19, 59))  # before the first cycle nobody has learned
    learned_until = -1
    for what, newest, _ in spy.calls:
        if what == "learn":
            learned_until = newest
        else:
            assert newest > learned_until


def test_of_a_backlog_only_the_newest_bar_is_forecast_and_that_before_the_cycle_learns(make):
    spy = Spy()
    world = make(spy)
    world.run(20)
    world.market(15)
    assert world.advance()
    assert [(what, newest) for what, newest, _ in spy.calls[1:]] == [
        ("forecast", 33), ("learn", 33),
    ]  # fmt: skip


def test_history_is_learned_from_and_not_forecast(make):
    spy = Spy()
    world = make(spy)
    world.market(45)
    assert world.advance()
    assert spy.calls == [("learn", 43, 44)]


def test_scores_of_a_cycle_are_those_of_the_version_from_before(make):
    class Turning(Spy):
        def learn(self, snapshot):
            self.says = 0.1 if self.says > 0.5 else 0.9
            return Spy.learn(self, snapshot)

    spy = Turning(says=0.1)
    world = make(spy, min_ticks=30)
    world.run(90)
    # Closes go 100, 101, 102, 100, ...: up twice, down once.
    hits = []
    forecasts = [newest for what, newest, _ in spy.calls if what == "forecast"]
    for newest in forecasts[:-1]:
        cycles = sum(bars - 1 < newest for bars in spy.bars_learned)  # learned before this forecast
        said_up = cycles % 2 == 1
        hits.append(said_up == ((newest + 1) % 3 != 0))
    live = world.runner("spy").live
    assert live["live/scored"] == len(hits) == 59
    assert live["live/accuracy"] == pytest.approx(np.mean(hits))


def test_history_is_bounded_and_forecasts_see_no_more_than_it(make):
    spy = Spy()
    world = make(spy, history_bars=200, min_ticks=250)
    world.run(280)
    assert {n for what, _, n in spy.calls if what == "learn"} == {200}
    assert {n for what, _, n in spy.calls if what == "forecast"} == {200}


def test_a_market_that_is_paused_forecasts_and_does_not_learn(make):
    spy = Spy()
    world = make(spy)
    world.run(20)
    world.trainer.paused = True
    assert world.run(40) == []
    assert [what for what, *_ in spy.calls] == ["learn"] + ["forecast"] * 40
    world.trainer.paused = False
    assert world.advance()


def test_a_market_that_is_paused_from_the_start_neither_learns_nor_forecasts(make):
    spy = Spy()
    world = make(spy)
    world.trainer.paused = True
    assert world.run(40) == []
    assert spy.calls == []
    world.trainer.paused = False
    assert world.advance()


def test_a_cycle_asked_for_comes_at_once_and_leaves_the_grid_where_it_was(make):
    world = make(Spy())
    world.run(23)
    world.trainer.wanted = True
    assert world.run(20) == [24, 30, 40]


def test_training_longer_than_a_cycle_is_counted_and_the_next_cycle_comes_at_once(make):
    spy = Spy()
    world = make(spy)

    def slow(snapshot):
        world.market(15)
        return Spy.learn(spy, snapshot)

    spy.learn = slow
    world.run(20)
    assert (world.trainer.cycle, world.trainer.cycles.overruns) == (1, 1)
    assert world.advance()
    assert world.trainer.cycles.overruns == 2
    spy.learn = lambda snapshot: Spy.learn(spy, snapshot)
    world.advance()
    assert world.trainer.cycles.overruns == 2
    assert world.done.stream["stream/overruns"] == 2


def test_a_gap_takes_the_label_of_the_forecast_before_it(make):
    spy = Spy()
    world = make(spy)
    world.run(25)
    world.lost = 7
    world.run(15)
    live = world.runner("spy").live
    # Trades may be missing in the bar before the gap and the one after.
    assert live["live/broken"] == 2
    assert live["live/scored"] == len(range(19, 39)) - 1 - 2


# ---- learners that fail


@pytest.mark.parametrize("where", ["learn", "forecast"])
def test_a_learner_that_raises_turns_error_with_traceback_and_the_other_goes_on(make_logged, where):
    failing, spy = Failing(where), Spy()
    world = make_logged(failing, spy)
    assert world.run(40) == [20, 30, 40]
    if where == "forecast":
        world.run(2)  # a cycle of learning between, then it fails again
    assert spy.learned() == [18, 28, 38]
    tags = world.logged("failing").tags
    assert tags["status"] == "ERROR"
    text = {"learn": "no lesson today", "forecast": "no forecast today"}[where]
    assert tags["status_text"].startswith(f"RuntimeError: {text}; next try in cycle ")
    assert f"RuntimeError: {text}" in tags["traceback"]
    assert "Traceback" in tags["traceback"]
    (told,) = {*world.told(Code.LEARNER_FAILED)}
    assert told == f"{SYMBOL} failing failed: RuntimeError: {text}"
    other = world.client.get_run(world.live.run_ids["spy"]).data
    assert other.tags["status"] == "IDLE"
    assert other.metrics["live/scored"] == 19


def test_it_is_tried_again_after_1_2_4_cycles_and_recovers(make):
    failing, spy = Failing("learn"), Spy()
    world = make(failing, spy)
    world.run(20 + 10 * 14)
    assert failing.tried == [1, 2, 4, 8]
    assert world.runner("failing").status_text.endswith("next try in cycle 16")
    failing.fails = False
    world.run(10 * 3)
    assert failing.tried == [1, 2, 4, 8, 16, 17, 18]
    runner = world.runner("failing")
    assert (runner.status, runner.errors, runner.rests_until) == ("IDLE", 0, 0)
    assert len(spy.learned()) == world.trainer.cycle


def test_the_longest_rest_is_bounded(make):
    failing = Failing("learn")
    world = make(failing, min_ticks=2, cycle_seconds=1)
    world.run(2 + 5 * LONGEST_REST)
    assert np.diff(failing.tried).max() == LONGEST_REST


def test_a_learner_whose_forecasts_always_fail_rests_longer_each_time(make):
    failing = Failing("forecast")
    world = make(failing)
    world.run(20 + 10 * 14)
    assert len(failing.tried) <= 5


def test_a_report_that_is_none_is_its_learners_error_alone(make):
    odd, spy = Spy("odd"), Spy()
    odd.learn = lambda snapshot: "low"
    world = make(odd, spy)
    world.run(30)
    assert world.runner("odd").status == "ERROR"
    assert len(spy.learned()) == 2


def test_a_value_that_is_no_number_is_told_of_and_the_rest_is_kept(make):
    odd = Spy("odd")
    odd.learn = lambda snapshot: {"loss": "low", "bars": 3}
    world = make(odd)
    world.run(30)
    assert world.runner("odd").status == "IDLE"
    assert world.runner("odd").report == {"bars": 3.0}
    (text,) = world.told(Code.METRIC_REFUSED)
    assert "loss for its value, which is no number" in text


def test_a_learner_that_writes_into_its_bars_changes_nothing_for_the_others(make):
    class Vandal(Spy):
        def forecast(self, bars):
            bars["close"] = 0.0
            return 0.5

        def learn(self, snapshot):
            snapshot.bars["close"] = 0.0

    class Reader(Spy):
        def forecast(self, bars):
            assert (bars["close"] > 0).all()
            return Spy.forecast(self, bars)

        def learn(self, snapshot):
            assert (snapshot.bars["close"] > 0).all()
            return Spy.learn(self, snapshot)

    world = make(Vandal("vandal"), Reader("reader"))
    world.run(40)
    assert world.runner("reader").errors == 0


def test_an_answer_that_is_no_forecast_is_an_error_of_its_learner(make):
    world = make(Spy("liar", says=1.5), Spy())
    world.run(21)
    assert world.runner("liar").status == "ERROR"
    assert "probability from 0 to 1, got 1.5" in world.runner("liar").status_text
    assert world.runner("spy").status == "IDLE"


# ---- waiting, logging


def test_a_learner_that_waits_for_bars_says_how_many(make):
    world = make(Spy(need=40))
    world.run(31)
    runner = world.runner("spy")
    assert (runner.status, runner.status_text) == ("IDLE", "warming up 29/40 bars")
    world.run(20)
    assert runner.status_text == "learned in cycle 4"


def test_a_cycle_logs_what_was_learned_and_scored_at_its_step(make_logged):
    world = make_logged(Spy())
    world.run(40)
    data = world.logged("spy")
    assert data.metrics["train/loss"] == 0.5
    assert data.metrics["train/seconds"] >= 0
    assert data.metrics["live/scored"] == 19
    history = world.client.get_metric_history(world.live.run_ids["spy"], "live/scored")
    assert [(point.step, point.value) for point in history] == [(1, 0), (2, 9), (3, 19)]
    assert data.tags["status"] == "IDLE"
    assert data.tags["status_text"] == "learned in cycle 3"


def test_stream_metrics_are_those_of_the_cycle(make):
    world = make(Spy())
    world.run(40)
    metrics = {name.removeprefix("stream/"): value for name, value in world.done.stream.items()}
    assert (metrics["ticks"], metrics["bars"], metrics["cached"]) == (40, 39, 40)
    assert metrics["ticks_per_second"] == pytest.approx(1.0)
    assert metrics["span_seconds"] == 39
    assert metrics["rejected"] == metrics["gaps"] == metrics["late"] == 0


def test_the_end_of_a_tape_needs_one_more_cycle_for_what_came_after_the_last(make):
    world = make(Spy())
    world.run(20)
    world.market(3)
    assert not world.advance()
    assert not world.live.over
    world.ingest.stats["state"] = ConnectionState.ENDED
    assert world.advance()
    assert (world.trainer.cycle, world.live.over) == (2, True)
    assert not world.advance()


def test_the_end_of_a_tape_that_the_last_cycle_has_seen_needs_none(make):
    world = make(Spy())
    world.run(20)
    world.ingest.stats["state"] = ConnectionState.ENDED
    assert not world.advance()
    assert (world.trainer.cycle, world.live.over) == (1, True)


def test_a_market_whose_cycles_are_done_takes_no_more_bars(make):
    world = make(Spy(), cycles=2)
    assert world.run(30) == [20, 30]
    taken = world.trainer.next_bar
    assert (world.trainer.cycle, world.live.over) == (2, True)
    assert world.run(30) == []
    assert world.trainer.next_bar == taken


def test_a_cache_that_overtakes_a_slow_forecast_does_not_end_the_training(make):
    spy = Spy()
    world = make(spy, tick_cache=100)
    world.run(25)
    flooded = iter([True])

    def slow(bars):
        if next(flooded, False):
            world.market(300)
        return 0.5

    spy.forecast = slow
    world.run(10)
    assert world.runner("spy").errors == 0


def test_rings_are_waited_for_until_they_are_there(tmp_path):
    with contextlib.ExitStack() as stack:

        def start():
            stack.callback(write_tick_cache(tmp_path, SYMBOL, 100).close)
            stack.callback(write_quote_ring(tmp_path, SYMBOL, 100).close)
            stack.callback(write_bar_ring(tmp_path, SYMBOL, 100).close)

        timer = threading.Timer(0.15, start)
        timer.start()
        assert wait_for_rings(tmp_path, [SYMBOL], lambda: False)
        timer.join()


def test_waiting_for_rings_ends_when_the_session_does(tmp_path):
    assert not wait_for_rings(tmp_path, [SYMBOL], lambda: True)
