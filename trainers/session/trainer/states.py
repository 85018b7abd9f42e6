"""Tells MLflow the states of the session and of its learners: the tag ``state`` of their runs."""

from __future__ import annotations

import time
from collections.abc import Mapping

from streaming.ticks import NS_PER_S
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.names import Status, Tag
from trainers.session.market.live_market import LiveMarket
from trainers.session.trainer.session_part import SessionPart
from trainers.states import State, state_of_learner, state_of_session, state_of_stream

LOOK_SECONDS = 1.0


class StateTags:
    """Writes the states that have changed, about once a second.

    Args:
        stale_seconds: the session's setting, from which a silence is a fault.
        part: the writer of the session's run; None if another trainer has it.
    """

    def __init__(self, stale_seconds: float, part: SessionPart | None) -> None:
        self._stale_seconds, self._part = stale_seconds, part
        self._looked = float("-inf")
        self._told: dict[tuple[str, str], State] = {}

    def update(self, markets: Mapping[str, LiveMarket]) -> None:
        """Look at the markets, unless that was done a moment ago."""
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return
        self._looked = time.monotonic()
        streams = {symbol: self._stream(market) for symbol, market in markets.items()}
        first = next(iter(markets.values())).trainer
        session = state_of_session(streams.values(), first.cycle, paused=first.paused)
        if self._is_new("", "", session) and self._part is not None:
            self._part.log(0, {Tag.STATE: session})
        if self._part is not None:
            self._part.tell_markets(paused=first.paused)
        for symbol, market in markets.items():
            for runner in market.trainer.roster.learners:
                state = _learner(runner, session, streams[symbol])
                if self._is_new(symbol, runner.name, state):
                    market.tag(runner.name, {Tag.STATE: state})

    def _stream(self, market: LiveMarket) -> State:
        stats = market.stream.stats
        silent = time.time() - stats["last_message_ns"] / NS_PER_S
        return state_of_stream(
            int(stats["state"]), market.stream.n_ticks, silent, self._stale_seconds
        )

    def _is_new(self, symbol: str, learner: str, state: State) -> bool:
        told, self._told[symbol, learner] = self._told.get((symbol, learner)), state
        return told != state


def _learner(runner: LearnerRunner, session: State, stream: State) -> State:
    return state_of_learner(
        session, stream, learned=runner.version > 0, failing=runner.status == Status.ERROR
    )
