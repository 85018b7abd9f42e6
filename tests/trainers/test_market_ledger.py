"""What a market writes into its ledger: when, of whom, and what is never written or changed."""

from __future__ import annotations

import contextlib
import time

import numpy as np
import pytest

from datamodules.target import NEXT_BAR
from datamodules.transitions import Action
from streaming.events import Code
from tests.trainers.whole import edge_bps, edges_of, scores_of
from tests.trainers.world import SYMBOL, Failing, Spy, World, second, seconds_of
from trainers.config import SessionConfig
from trainers.learners.registry import baselines_of
from trainers.recording.files import CHECKPOINT, of_market
from trainers.recording.ledger import Ledger, read_ledger
from trainers.scoring.arena.board import standings_of
from trainers.scoring.ledger import FAILED, MADE, MISSED, NO_ACTION, SILENT
from trainers.scoring.metrics import named
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import scored_of


@pytest.fixture
def make(tmp_path):
    with contextlib.ExitStack() as stack:
        folders = iter(range(100))

        def made(*learners, **settings):
            folder = tmp_path / str(next(folders))
            folder.mkdir()
            world = World(folder, *learners, **settings)
            stack.callback(world.close)
            return world

        yield made


class Numbered(Spy):
    """Says which cycle its weights are of, a hundredth each."""

    def __init__(self, name="numbered"):
        super().__init__(name, says=None)

    def learn(self, snapshot):
        self.says = snapshot.cycle / 100
        return super().learn(snapshot)


class Agent(Spy):
    kind = "agent"


def statuses(rows):
    return rows["status"].tolist()


# ---- which rows there are


def test_each_bar_from_the_first_cycle_on_has_one_row_of_each_learner_in_order(make):
    world = make(Spy("a"), Spy("b"), baselines=[Spy("c")])
    world.run(60)
    names, outcomes, forecasts = read_ledger(world.folder, SYMBOL)
    assert names == ["a", "b", "c"]
    assert seconds_of(outcomes) == list(range(19, 59))
    assert forecasts["bar"].tolist() == np.repeat(outcomes["bar"], 3).tolist()
    assert forecasts["learner"].tolist() == [0, 1, 2] * 40
    assert set(forecasts["status"].tolist()) == {MADE}


def test_outcomes_tell_what_the_bars_came_to(make):
    world = make(Spy())
    world.run(40)
    outcomes = read_ledger(world.folder, SYMBOL).outcomes
    bars = world.live.stream.bars(0).rows[19:]
    assert outcomes["bar"].tolist() == bars["ts_open"].tolist()
    assert outcomes["close"].tolist() == bars["close"].tolist()
    assert (outcomes["half_spread_bps"] >= 0).all()
    assert (np.abs(outcomes["mid"] / outcomes["close"] - 1) < 0.05).all()


def test_history_from_before_the_first_cycle_is_not_in_the_ledger(make):
    world = make(Spy(), min_ticks=50)
    world.market(49)
    assert not world.advance()
    assert len(read_ledger(world.folder, SYMBOL).outcomes) == 0
    world.run(1)
    assert world.trainer.cycle == 1
    assert len(read_ledger(world.folder, SYMBOL).outcomes) == 0
    world.run(2)
    assert seconds_of(world.rows("spy")) == [49, 50]


def test_a_row_is_there_when_its_bar_is_the_newest_and_no_label_of_it_exists(make):
    world = make(Spy(), Spy("other"))
    world.run(20)
    for _ in range(25):
        world.run(1)
        newest = second(world.trainer.bars[-1:])
        _, outcomes, forecasts = read_ledger(world.folder, SYMBOL)
        assert seconds_of(outcomes)[-1] == newest
        assert seconds_of(forecasts)[-2:] == [newest] * 2
        assert statuses(forecasts)[-2:] == [MADE, MADE]


def test_no_forecast_is_appended_after_its_label_was_in_the_ring(make, monkeypatch):
    class Slow(Spy):
        def forecast(self, bars):
            if second(bars) % 4 == 0:
                world.market(1)
            return super().forecast(bars)

        def learn(self, snapshot):
            world.market(3)
            return super().learn(snapshot)

    world = make(Slow("slow"), Spy())
    write, written = Ledger.write, []

    def watched(ledger, outcome, forecasts):
        newest = int(world.trainer.bars[-1:]["ts_open"][0])
        for row in forecasts:
            written.append(int(row["status"]))
            assert row["status"] == MISSED or row["bar"] == newest
        return write(ledger, outcome, forecasts)

    monkeypatch.setattr(Ledger, "write", watched)
    world.run(60)
    assert set(written) == {MADE, MISSED}


# ---- what comes too late


def test_a_backlog_is_missed_but_for_its_newest_bar(make):
    world = make(Spy(), baselines=[Spy("base")], cycle_seconds=100)
    world.run(25)
    world.market(6)
    world.advance()
    for name in ("spy", "base"):
        rows = world.rows(name)
        assert seconds_of(rows) == list(range(19, 30))
        assert statuses(rows) == [MADE] * 5 + [MISSED] * 5 + [MADE]
        missed = rows[rows["status"] == MISSED]
        assert np.isnan(missed["probability"]).all()
        assert set(missed["signal"].tolist()) == {Action.HOLD}
        assert set(missed["action"].tolist()) == {NO_ACTION}
        assert set(missed["version"].tolist()) == {1}


def test_a_label_that_comes_while_the_learners_answer_makes_the_row_missed_for_all(make):
    hurried = iter([False, True, False])

    def forecast(bars):
        if next(hurried, False):
            world.market(1)
        return 0.9

    first, late = Spy("first"), Spy("late")
    late.forecast = forecast
    world = make(first, late)
    world.run(24)
    for name in ("first", "late"):
        rows = world.rows(name)
        assert seconds_of(rows) == [19, 20, 21, 22, 23]
        assert statuses(rows) == [MADE, MISSED, MISSED, MADE, MADE]
        assert np.isnan(rows["probability"][1])
        assert rows["signal"][1] == Action.HOLD


def test_a_bar_whose_successor_is_in_the_ring_before_its_tick_is_missed(make, monkeypatch):
    world = make(Spy())
    world.run(20)
    world.market(1)
    with monkeypatch.context() as patch:  # the feed writes bars first, then ticks
        patch.setattr(world.ingest.ticks, "append", lambda ticks: None)
        world.market(1)
    world.advance()
    assert seconds_of(world.rows("spy")) == [19]
    assert statuses(world.rows("spy")) == [MISSED]


def test_what_was_written_is_never_changed_nor_what_was_missed_filled_in(make):
    world = make(Spy(), Spy("other"))
    world.run(22)
    files = [world.folder / f"{SYMBOL}.{kind}" for kind in ("outcomes", "forecasts")]
    for seconds in (1, 5, 1, 1, 12, 1):
        before = [file.read_bytes() for file in files]
        world.market(seconds)
        world.advance()
        for file, was in zip(files, before, strict=True):
            now = file.read_bytes()
            assert len(now) > len(was)
            assert now.startswith(was)
    live = world.runner("spy").live
    assert live["live/missed"] == 4 + 11
    assert statuses(world.rows("spy")).count(MISSED) == 15


def test_missed_bars_are_counted_and_not_scored(make):
    world = make(Spy(), cycle_seconds=20)
    world.run(25)
    world.market(15)
    assert world.advance()
    live = world.runner("spy").live
    assert live["live/missed"] == 14
    # Bars 19 to 23 and 38 were forecast; of 38 nobody knows what came yet.
    assert live["live/scored"] == 5


def test_forecasts_go_on_between_the_learners_of_a_cycle(make):
    class Long(Spy):
        def learn(self, snapshot):
            world.market(1)
            return super().learn(snapshot)

    world = make(Long("first"), Long("second"))
    world.run(20)
    world.run(7)
    # Each learned for a second of the first cycle, after which its newest bar was forecast.
    assert seconds_of(world.rows("first"))[:2] == [19, 20]
    assert set(statuses(world.rows("first"))) == {MADE}
    assert world.rows("first")["version"].tolist()[:2] == [1, 1]
    assert world.rows("second")["version"].tolist()[:2] == [0, 1]


# ---- by whom


def test_a_row_tells_the_cycle_whose_weights_forecast(make):
    world = make(Numbered())
    world.run(60)
    rows = world.rows("numbered")
    # Cycles at ticks 20, 30, ...: bar 19 is the first that comes after the first of them.
    assert rows["version"].tolist() == [1 + (bar - 19) // 10 for bar in range(19, 59)]
    assert rows["probability"].tolist() == (rows["version"] / 100).tolist()


def test_who_has_not_learned_yet_in_a_cycle_forecasts_with_the_version_before(make):
    class Busy(Numbered):
        def learn(self, snapshot):
            world.market(2)
            return super().learn(snapshot)

    world = make(Busy("busy"), Numbered("waiting"))
    world.run(60)
    for name in ("busy", "waiting"):
        rows = world.rows(name)
        made = rows[(rows["status"] == MADE)]
        assert made["probability"].tolist() == (made["version"] / 100).tolist()
    busy, waiting = world.rows("busy")["version"], world.rows("waiting")["version"]
    behind = (waiting < busy) & (world.rows("busy")["status"] == MADE)
    # One forecast a cycle comes while the first has learned and the other has not.
    assert behind.sum() == world.trainer.cycle
    assert set((busy - waiting)[behind].tolist()) == {1}


def test_a_learner_that_did_not_learn_keeps_its_version(make):
    failing = Failing("learn", "failing")
    failing.fails = False
    world = make(failing)
    world.run(25)
    failing.fails = True
    world.run(20)
    assert set(world.rows("failing")["version"].tolist()) == {1}
    assert set(statuses(world.rows("failing"))) == {MADE}


def test_a_learner_that_raises_has_rows_that_failed_and_the_other_rows_that_were_made(make):
    world = make(Failing("forecast"), Spy())
    world.run(60)
    failed = world.rows("failing")
    assert set(statuses(failed)) == {FAILED}
    assert len(failed) == 40
    assert np.isnan(failed["probability"]).all()
    assert set(failed["signal"].tolist()) == {Action.HOLD}
    assert set(statuses(world.rows("spy"))) == {MADE}
    assert world.runner("failing").live["live/failed"] == 40


def test_an_answer_that_is_no_forecast_is_a_row_that_failed(make):
    world = make(Spy("liar", says=1.5))
    world.run(25)
    assert set(statuses(world.rows("liar"))) == {FAILED}
    assert np.isnan(world.rows("liar")["probability"]).all()


def test_a_learner_without_a_word_has_silent_rows(make):
    world = make(Spy("mute", says=None), Spy())
    world.run(40)
    rows = world.rows("mute")
    assert set(statuses(rows)) == {SILENT}
    assert np.isnan(rows["probability"]).all()
    assert set(rows["signal"].tolist()) == {Action.HOLD}
    live = world.runner("mute").live
    assert (live["live/silent"], live["live/scored"]) == (20, 0)
    assert "live/accuracy" not in live


def test_an_agents_row_has_its_action_and_no_probability(make):
    world = make(Agent("agent", says=(Action.SELL, (0.0, -1.0))))
    world.run(25)
    rows = world.rows("agent")
    assert set(rows["action"].tolist()) == set(rows["signal"].tolist()) == {Action.SELL}
    assert np.isnan(rows["probability"]).all()


# ---- what is in them


def test_a_gap_flags_its_bar_in_the_outcome_and_in_every_row(make):
    world = make(Spy(), Spy("other"))
    world.run(25)
    world.lost = 7
    world.run(6)
    _, outcomes, forecasts = read_ledger(world.folder, SYMBOL)
    assert seconds_of(outcomes[outcomes["gap"] != 0]) == [24, 25]
    assert seconds_of(forecasts[forecasts["gap"] != 0]) == [24, 24, 25, 25]


@pytest.mark.parametrize(
    "says, signal",
    [
        (0.65, Action.BUY),
        (0.649, Action.HOLD),
        (0.5, Action.HOLD),
        (0.351, Action.HOLD),
        (0.35, Action.SELL),
        (1.0, Action.BUY),
        (0.0, Action.SELL),
    ],
)
def test_a_forecast_is_a_signal_from_65_percent_on(make, says, signal):
    world = make(Spy(says=says))
    world.run(23)
    assert set(world.rows("spy")["signal"].tolist()) == {signal}
    assert set(world.rows("spy")["probability"].tolist()) == {says}


def test_a_confidence_asked_for_is_that_of_the_next_row_and_of_none_before(make):
    world = make(Spy(says=0.7), baselines=[Spy("base", says=0.25)])
    world.run(25)
    before = world.rows("spy").tobytes()
    world.ask("confidence", "0.8")
    world.run(5)
    assert world.rows("spy").tobytes().startswith(before)
    assert world.rows("spy")["signal"].tolist() == [Action.BUY] * 5 + [Action.HOLD] * 5
    assert world.rows("base")["signal"].tolist() == [Action.SELL] * 5 + [Action.HOLD] * 5


def test_inputs_are_the_same_for_all_learners_of_a_bar_and_others_for_each_bar(make):
    world = make(Spy(), Spy("other"))
    world.run(60)
    inputs = world.rows("spy")["inputs"]
    assert inputs.tolist() == world.rows("other")["inputs"].tolist()
    assert len(set(inputs.tolist())) == len(inputs)


def test_inputs_tell_whether_the_bars_were_the_same(make):
    once, again, other = (make(Spy()) for _ in range(3))
    for world in (once, again):
        world.run(30)
    other.run(10)
    other.price += 0.01
    other.run(1)
    other.price -= 0.01
    other.run(19)
    inputs = [world.rows("spy")["inputs"].tolist() for world in (once, again, other)]
    assert inputs[0] == inputs[1]
    assert not set(inputs[0]) & set(inputs[2])  # a bar long ago, by one cent


def test_latency_is_from_the_tick_that_told_the_bar_to_the_row(make):
    class Slow(Spy):
        def forecast(self, bars):
            time.sleep(0.02)
            return super().forecast(bars)

    world = make(Slow("slow"))
    world.run(30)
    latency = world.rows("slow")["latency_us"] / 1e6
    assert (latency >= 0.02).all()
    assert np.median(latency) < 0.2


# ---- another trainer on the same folder


def test_a_market_taken_up_again_goes_on_after_the_last_bar_and_rewrites_none(make):
    world = make(Spy())
    world.run(40)
    file = world.folder / f"{SYMBOL}.forecasts"
    before = file.read_bytes()
    world.reopen(Spy())
    world.run(25)
    assert file.read_bytes().startswith(before)
    assert seconds_of(world.rows("spy")) == list(range(19, 64))
    assert world.trainer.cycle > 1


def test_bars_that_came_while_no_trainer_had_the_market_are_missed(make):
    world = make(Spy(), cycle_seconds=30)
    world.run(40)
    world.market(10)
    world.reopen(Spy())
    world.run(30)
    rows = world.rows("spy")
    assert seconds_of(rows) == list(range(19, 79))
    missed = [bar for bar, status in zip(seconds_of(rows), statuses(rows), strict=True)
              if status == MISSED]  # fmt: skip
    assert missed == list(range(39, 49))
    assert world.runner("spy").live["live/missed"] == len(missed)


def test_a_market_taken_up_again_before_anything_new_writes_nothing(make):
    world = make(Spy())
    world.run(40)
    before = world.rows("spy").tobytes()
    world.reopen(Spy())
    assert not world.advance()
    assert world.rows("spy").tobytes() == before


# ---- what is logged


def test_every_live_metric_is_what_the_files_alone_say(make):
    """As another process would read them, with the scoring of this one."""

    class Wavering(Spy):
        def forecast(self, bars):
            super().forecast(bars)
            return 0.5 + 0.4 * np.sin(second(bars))

    class Trader(Agent):
        def forecast(self, bars):
            return (Action.BUY if second(bars) % 5 < 2 else Action.SELL), (0.0, 0.0)

    learners = [Wavering("wavering"), Trader("trader"), Failing("forecast")]
    baselines = baselines_of(SessionConfig()).values()
    world = make(*learners, baselines=baselines, fee_bps=0.5, cycle_seconds=20)
    world.run(100)
    world.market(20)
    assert world.advance()
    names, outcomes, forecasts = read_ledger(world.folder, SYMBOL)
    assert names == [runner.name for runner in world.roster.everyone]
    moves = moves_of(outcomes)
    scored = {name: scored_of(moves, forecasts, i) for i, name in enumerate(names)}
    rivals = {name: scored[name] for name in ("majority", "last_direction", "reversal", "logistic")}
    for name in ("wavering", "failing"):
        wanted = scores_of(scored[name], fee_bps=0.5)
        edges = edges_of(scored[name], rivals)
        wanted |= named("", {metric: edge.saved for metric, edge in edges.items()})
        assert {metric: value for metric, value in world.runner(name).live.items()
                if not metric.startswith("live/rank")} == wanted  # fmt: skip
    standings = standings_of(names, outcomes, forecasts, NEXT_BAR, "permuted_labels")
    ranks = {one.name: one.place for one in standings if one.bars}
    assert world.runner("wavering").live["live/rank"] == ranks["wavering"]
    papers = {name: paper_of(scored[name], 0.5) for name in ("flat", "buy_and_hold", "random")}
    trader = scored["trader"]
    _, edge = edge_bps(paper_of(trader, 0.5), papers, trader.first)
    wanted = scores_of(trader, fee_bps=0.5) | named("live/", {"edge_bps": edge})
    assert world.runner("trader").live == wanted
    for runner in world.roster.baselines:
        every = scores_of(scored[runner.name], fee_bps=0.5)
        assert runner.live
        assert runner.live.items() <= every.items()
    figures = world.runner("wavering").market  # the first learner has those of the market
    assert {"horizon/1s/move_bps", "horizon/5s/break_even"} <= figures.keys()
    assert figures.items() <= world.runner("wavering").metrics().items()
    assert not world.runner("trader").market
    live = world.runner("wavering").live
    assert {"live/edge", "live/log_loss", "live/1h/accuracy", "live/accuracy_ci"} <= live.keys()
    assert live["live/missed"] == 19
    assert world.runner("trader").live["live/trades"] > 5


def test_the_random_baseline_trades_as_often_as_the_agent_did(make):
    class Trader(Agent):
        def forecast(self, bars):
            return (Action.BUY if second(bars) % 2 else Action.SELL), (0.0, 0.0)

    random = baselines_of(SessionConfig())["random"]
    world = make(Trader("trader"), baselines=[random])
    world.run(60)
    turnover = world.runner("trader").live["live/turnover"]
    assert turnover > 0.9
    assert random.turnover == turnover


def test_the_newest_bar_is_in_no_score_before_the_next_has_come(make):
    world = make(Spy(), cycle_seconds=1)
    world.run(30)
    live, rows = world.runner("spy").live, world.rows("spy")
    assert live["live/scored"] == len(rows) - 1


def test_ticks_that_the_ring_has_lost_since_raise_no_false_alarm(make):
    world = make(Spy(), tick_cache=100)
    world.run(60)
    done = world.trainer.cycle
    of_market(world.folder, SYMBOL, CHECKPOINT).unlink()  # so that all cycles are repeated
    world.market(300)  # the ring has turned over since
    world.reopen(Spy())
    assert world.trainer.cycle == done > 3
    assert world.told(Code.NOT_REPRODUCED) == []


def test_another_version_of_what_was_done_is_still_told_of(make):
    world = make(Spy(), tick_cache=100)
    world.run(60)
    of_market(world.folder, SYMBOL, CHECKPOINT).unlink()
    world.market(300)
    world.reopen(Spy(says=0.1))
    assert world.told(Code.NOT_REPRODUCED)
