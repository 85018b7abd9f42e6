"""The states of a session, its streams and its learners: one word each, without contradiction."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.rings.counters import ConnectionState
from tests.trainers.world import SYMBOL, Failing, Spy, World
from trainers.names import Tag
from trainers.scoring.session import FAILING
from trainers.session.trainer.states import StateTags
from trainers.session.trainer.totals.market_states import MarketStates
from trainers.states import (
    OVER,
    State,
    over_of,
    state_of_learner,
    state_of_market,
    state_of_session,
    state_of_stream,
)

CONNECTIONS = st.sampled_from(list(ConnectionState))
STREAMS = st.builds(state_of_stream, CONNECTIONS, st.integers(0, 9), st.floats(0, 200), st.just(60))


@given(st.lists(STREAMS, max_size=4), st.integers(0, 3), st.booleans())
def test_a_session_that_runs_is_never_over_and_has_a_live_word_only_with_data(
    streams, cycle, paused
):
    state = state_of_session(streams, cycle, paused=paused)
    assert state not in OVER
    if state == State.LIVE:
        assert cycle > 0
        assert {State.LIVE, State.ENDED} & {*streams}
    if paused and state != State.PAUSED:
        assert {*streams} <= {State.STARTING}


@given(st.sampled_from(list(State)), STREAMS, st.booleans(), st.booleans())
def test_a_learner_never_contradicts_its_session(session, stream, learned, failing):
    state = state_of_learner(session, stream, learned=learned, failing=failing)
    if session in OVER:
        assert state == session
    elif state in OVER:
        assert (failing, state) == (True, State.FAILED)
    if state == State.LIVE:
        assert learned
        assert stream in (State.LIVE, State.ENDED)


@pytest.mark.parametrize(
    ("tag", "status", "ended"),
    [
        ("live", "RUNNING", None), ("stopped", "RUNNING", None), ("stopped", "FINISHED", "stopped"),
        ("ended", "FINISHED", "ended"), ("live", "KILLED", "failed"), (None, "FINISHED", "ended"),
        (None, "FAILED", "failed"),
    ],
)  # fmt: skip
def test_how_a_session_ended_is_known_by_its_run(tag, status, ended):
    assert over_of(tag, status) == ended


@given(STREAMS, st.booleans(), st.booleans(), st.booleans())
def test_a_market_is_live_only_with_data_after_a_cycle_without_an_error(
    stream, learned, failing, paused
):
    state = state_of_market(stream, learned=learned, failing=failing, paused=paused)
    assert (state == State.ENDED) == (stream == State.ENDED)
    if state == State.LIVE:
        assert learned
        assert not failing
        assert not paused
        assert stream == State.LIVE
    if failing and stream != State.ENDED:
        assert state == State.FAILED


def test_the_markets_of_all_trainers_are_counted_by_their_files(tmp_path):
    world = World(tmp_path, Spy(), symbols=f"{SYMBOL},NOTYET")
    states = MarketStates(tmp_path, world.config)
    world.market(15)
    world.ingest.stats["state"] = ConnectionState.CONNECTED
    world.ingest.stats["last_message_ns"] = time.time_ns()
    assert states.counts({}, paused=False) == {"starting": 1, "warming up": 1}
    ends = {SYMBOL: {"stream": {FAILING: 0.0}}}
    assert states.counts(ends, paused=False) == {"live": 1, "starting": 1}
    assert states.counts(ends, paused=True) == {"paused": 1, "starting": 1}
    ends[SYMBOL]["stream"][FAILING] = 1.0
    assert states.counts(ends, paused=False) == {"failed": 1, "starting": 1}
    world.close()


class Part:
    """Takes what the session's run is told."""

    def __init__(self):
        self.told = []

    def log(self, step, tags):
        self.told.append(tags[Tag.STATE])

    def tell_markets(self, *, paused):
        self.paused = paused


def test_mlflow_is_told_each_state_once_as_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr("trainers.session.trainer.states.LOOK_SECONDS", 0.0)
    world, part = World(tmp_path, Spy(), Failing("learn")), Part()
    learners = {"spy": [], "failing": []}
    world.live.tag = lambda name, tags: learners[name].append(tags[Tag.STATE])
    tags, markets = StateTags(60.0, part), {SYMBOL: world.live}
    stats = world.ingest.stats

    def look(connection=ConnectionState.CONNECTED, silent=0.0):
        stats["state"] = connection
        stats["last_message_ns"] = time.time_ns() - int(silent * 1e9)
        for _ in range(2):
            tags.update(markets)

    look(ConnectionState.CONNECTING)
    world.market(15)
    look()
    world.run(15)
    look()
    look(silent=61.0)
    look(ConnectionState.RECONNECTING)
    look()
    world.ask("pause")
    look()
    world.ask("resume")
    look()
    world.close()
    common = ["starting", "warming up"]
    after = ["live", "stalled", "live", "paused", "live"]
    assert part.told == common + after
    assert learners["spy"] == common + after
    assert learners["failing"] == [*common, "failed"]
