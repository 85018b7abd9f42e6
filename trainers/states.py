"""The state of a session, of a market's stream and of a learner: one word each, everywhere.

    starting ── warming up ── live ── stopped, ended or failed
                               │
                        paused, stalled

The words stand in MLflow (tag ``state``), on the page, in its API and in the terminal. A state is
worked out of what is known at the time, so that nothing has to be told twice. Pure.
"""

from __future__ import annotations

import enum
from collections.abc import Collection

from streaming.rings.counters import ConnectionState


class State(enum.StrEnum):
    """The states; the last three are for good, unless the session is resumed."""

    STARTING = "starting"
    WARMING_UP = "warming up"  # there are too few ticks or bars yet
    LIVE = "live"  # data come in
    PAUSED = "paused"  # by an operator: bars are forecast, nothing is learned
    STALLED = "stalled"  # data should come in and do not
    STOPPED = "stopped"  # by hand
    ENDED = "ended"  # by itself: all cycles are done, or the tape is over
    FAILED = "failed"


OVER = (State.STOPPED, State.ENDED, State.FAILED)


def over_of(tag: str | None, status: str) -> State | None:
    """Return how a session ended; None if it runs.

    Args:
        tag: the tag ``state`` of its run; None in sessions that are older than the tag.
        status: MLflow's status of its run.

    >>> over_of("stopped", "FINISHED"), over_of("live", "KILLED"), over_of("live", "RUNNING")
    (<State.STOPPED: 'stopped'>, <State.FAILED: 'failed'>, None)
    """
    if status in ("RUNNING", "SCHEDULED"):
        return None
    known = [state for state in OVER if state == tag]
    return known[0] if known else State.ENDED if status == "FINISHED" else State.FAILED


def state_of_stream(connection: int, ticks: int, silent: float, stale_seconds: float) -> State:
    """Return the state of a market's stream while its session runs.

    Args:
        connection: a ``ConnectionState``.
        ticks: the number of ticks received.
        silent: time since the last message, s.
        stale_seconds: the session's setting, from which a silence is a fault.
    """
    if connection == ConnectionState.ENDED:
        return State.ENDED
    if ticks == 0:
        return State.STARTING
    flows = connection == ConnectionState.CONNECTED and silent <= stale_seconds
    return State.LIVE if flows else State.STALLED


def state_of_session(streams: Collection[State], cycle: int, *, paused: bool) -> State:
    """Return the state of a session that runs.

    Args:
        streams: the states of its markets' streams.
        cycle: the newest cycle that has begun; 0 before the first.
        paused: whether an operator has suspended its cycles.
    """
    if not streams or all(state == State.STARTING for state in streams):
        return State.STARTING
    if paused:
        return State.PAUSED
    if State.STALLED in streams and not {State.LIVE, State.ENDED} & {*streams}:
        return State.STALLED  # no market has data; one that is silent is shown with its stream
    return State.LIVE if cycle else State.WARMING_UP


def state_of_learner(session: State, stream: State, *, learned: bool, failing: bool) -> State:
    """Return the state of a learner.

    Args:
        session: the state of its session.
        stream: the state of its market's stream.
        learned: whether it has learned once, so that it forecasts.
        failing: whether what it did last was to raise an error.
    """
    if session in OVER:
        return session
    if failing:
        return State.FAILED
    if session == State.PAUSED:
        return State.PAUSED
    if stream in (State.STARTING, State.STALLED):
        return stream
    return State.LIVE if learned else State.WARMING_UP


def state_of_market(stream: State, *, learned: bool, failing: bool, paused: bool) -> State:
    """Return the state of a market of a session that runs.

    Args:
        stream: the state of its stream.
        learned: whether it has ended a cycle.
        failing: whether the last work of one of its learners ended in an error.
        paused: whether an operator has suspended the session's cycles.
    """
    if stream == State.ENDED:
        return State.ENDED
    session = state_of_session([stream], int(learned), paused=paused)
    return state_of_learner(session, stream, learned=learned, failing=failing)
