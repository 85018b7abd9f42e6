"""The states of all markets of a session, those of other trainers too: how many are in which.

What a market's files say is enough: its ring, and the newest cycle that was summed up.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from streaming.cache import tick_cache
from streaming.rings.ring import Ring
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.recording.contents.entries import Entry
from trainers.scoring.session import FAILING
from trainers.states import State, state_of_market, state_of_stream


class MarketStates:
    """Looks at the markets of a session.

    Args:
        session: the session's folder.
        config: the session's settings.
    """

    def __init__(self, session: Path, config: SessionConfig) -> None:
        self._session, self._config = session, config
        self._rings: dict[str, Ring] = {}

    def counts(self, ends: Mapping[str, Entry], *, paused: bool) -> dict[str, int]:
        """Return how many markets are in each state; states that none is in are left out.

        Args:
            ends: the entry of the newest cycle's end by market; those without one are missing.
            paused: whether an operator has suspended the session's cycles.
        """
        states = Counter(
            state_of_market(
                self._stream(market),
                learned=market in ends,
                failing=bool(ends.get(market, {"stream": {}})["stream"].get(FAILING)),
                paused=paused,
            )
            for market in self._config.symbol_list
        )
        return {str(state): n for state, n in sorted(states.items())}

    def _stream(self, market: str) -> State:
        if market not in self._rings:
            try:
                self._rings[market] = tick_cache(self._session, market)
            except FileNotFoundError:  # the feed has not begun
                return State.STARTING
        ring = self._rings[market]
        silent = time.time() - float(ring.stats["last_message_ns"]) / NS_PER_S
        return state_of_stream(
            int(ring.stats["state"]), ring.committed, silent, self._config.stale_seconds
        )
