"""Markets that share a trainer: what each learns is its own, and no bar waits for a cycle."""

from __future__ import annotations

import contextlib

import pytest

from streaming.rings.credit import Credits
from streaming.ticks import NS_PER_S
from tests.trainers.sessions import MARKETS, Session, record, settings
from tests.trainers.world import START, Spy
from trainers.engine.events import ControlGiven
from trainers.engine.runners.roster import Roster
from trainers.learners.stacked import FEWEST
from trainers.recording.decision_log import read_decisions
from trainers.recording.files import DECISIONS, of_market
from trainers.recording.ledger import read_ledger
from trainers.scoring.ledger import MADE
from trainers.session.processes.shards import shares_of

SECONDS = 160


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    """The record of each market, by the number of trainers."""
    found = {}
    for shards in (1, 2, 3):
        folder = tmp_path_factory.mktemp("session")
        with contextlib.closing(Session(folder, settings(), shares_of(MARKETS, shards))) as session:
            session.run(SECONDS)
            assert together(session) == (len(MARKETS) // shards >= FEWEST)
        found[shards] = {market: record(folder, market) for market in MARKETS}
    return found


def together(session):
    """Whether the learners of a session's markets were asked together for the newest forecast."""
    markets = [market for shard in session.shards for market in shard.markets.values()]
    (asked,) = {
        learner.answered.get(learner.question(market.trainer.bars)) is not None
        for market in markets
        for learner in (runner.learner for runner in market.trainer.roster.learners)
    }
    return asked


@pytest.mark.parametrize("shards", [2, 3])
def test_a_market_has_the_same_bytes_however_many_trainers_there_are(records, shards):
    assert records[shards] == records[1]
    assert len({outcomes for outcomes, *_ in records[1].values()}) == len(MARKETS)


def test_cycles_of_the_markets_are_spread_over_the_interval(records):
    begun = [[now // NS_PER_S % 30 for now, _ in records[1][market][2]] for market in MARKETS]
    assert [set(seconds[1:]) for seconds in begun] == [{0}, {6}, {12}, {18}, {24}]


def spies(config, _):
    return Roster(config, [Spy(f"spy {i}") for i in range(3)], [])


def test_a_bar_that_comes_while_others_are_forecast_waits_for_no_step(tmp_path, monkeypatch):
    config = settings(learners="none")
    with contextlib.closing(Session(tmp_path, config, [MARKETS], spies)) as session:
        session.run(90)
        (shard,) = session.shards
        first, *_, last = shard.markets.values()
        take, known = last.take, first.trainer.next_bar

        def late():
            session.push()  # the first market has been asked already
            return take()

        monkeypatch.setattr(last, "take", late)
        shard.go_on()
        assert first.trainer.next_bar == known + 1


def test_bars_that_come_within_a_cycle_of_one_market_are_forecast_in_all(tmp_path):
    config = settings(learners="none")
    with contextlib.closing(Session(tmp_path, config, [MARKETS], spies)) as session:
        (shard,) = session.shards
        session.run(90)  # each has had its first cycle
        while session.seconds < 130:
            session.push()  # a second goes by with each step of a cycle
            shard.go_on()
        shard.go_on()
    for market in MARKETS:
        _, _, forecasts = read_ledger(tmp_path, market)
        assert (forecasts["status"] == MADE).all()
        assert len(forecasts) > 3 * 60
        entries = read_decisions(of_market(tmp_path, market, DECISIONS))
        within = {entry["after"] for entry in entries if entry["do"] == "bars"}
        assert {"spy 0", "spy 1", "spy 2"} <= within


def test_a_paused_market_leaves_the_queue(tmp_path):
    with contextlib.closing(
        Session(tmp_path, settings(learners="none"), [MARKETS], spies)
    ) as session:
        (shard,) = session.shards
        for _ in range(40):
            session.push()
        shard.go_on()  # all are due, the first has begun
        while shard.within_a_cycle:
            shard.go_on()
        for seq, market in enumerate(shard.markets.values(), 1):
            market.control(ControlGiven("pause", ""), seq)
        while shard.busy:
            shard.go_on()
        assert [market.trainer.cycle for market in shard.markets.values()] == [1, 0, 0, 0, 0]


def test_requests_wait_only_for_the_running_cycle(tmp_path):
    with contextlib.closing(
        Session(tmp_path, settings(learners="none"), [MARKETS], spies)
    ) as session:
        (shard,) = session.shards
        for _ in range(40):
            session.push()
        between = 0
        while shard.go_on() or shard.busy:
            between += not shard.within_a_cycle
        assert between >= 3


def test_whose_cycles_are_done_lets_the_market_of_others_go_on_at_once(tmp_path):
    """Its trainer may look no more: it registers its models, and ends."""
    config = settings(cycles=1)
    with contextlib.closing(Session(tmp_path, config, [MARKETS])) as session:
        (shard,) = session.shards
        credits = Credits(tmp_path, MARKETS, clock=lambda: 0.0)  # no patience runs out
        far = START + 10**6 * NS_PER_S  # a bar that nobody has forecast
        while not shard.over:
            assert not any(credits.may_pass(name, far) for name in MARKETS if not done(shard, name))
            session.push()
            shard.go_on()
        assert all(credits.may_pass(name, far) for name in MARKETS)


def done(shard, name):
    return shard.markets[name].over
