"""What a venue's REST interface shows, joined to the stream where ids prove no loss.

Whenever the stream begins anew, its trades are held back for a moment, and REST is asked for the
newest ones: those from before the stream go first (``venues.counting``).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping

from streaming.errors import RepairError
from streaming.feed.market.ingest import Ingest
from streaming.feed.rest.history import TradeHistory
from streaming.ticks import Ticks
from streaming.venues import Venue

# When REST is asked, s after the connection: at once, as it shows a few trades only; and when those
# from before the first streamed one must be there.
ASKED_AFTER = (0.0, 0.3)

# How long the first streamed trade is waited for, which shows where the stream begins.
FIRST_TRADE_S, LOOK_S = 2.0, 0.1


class Overlap:
    """Closes the hole behind a new connection; does nothing where a venue's ids prove a loss.

    Args:
        venue: whose streams; goes on behind the trades that are kept.
        history: knows the venue's newest trades.
        ingests: the markets' ways into their files.
        push: takes trades of a market as if they had been streamed.
    """

    def __init__(
        self,
        venue: Venue,
        history: TradeHistory,
        ingests: Mapping[str, Ingest],
        push: Callable[[str, Ticks], None],
    ) -> None:
        self._venue, self._history = venue, history
        self._ingests, self._push = ingests, push
        self._opened = asyncio.Event()
        for market, ingest in self._ingests.items():
            venue.resume(market, ingest.ticks.read().rows)

    def opened(self) -> None:
        """Take note that the stream begins anew."""
        if not self._venue.terms.proof:
            for market in self._ingests:
                self._venue.hold(market)
            self._opened.set()

    async def join(self) -> None:
        """Join what REST shows to the stream whenever that begins anew, for ever."""
        while True:
            await self._opened.wait()
            self._opened.clear()
            for pause in ASKED_AFTER:
                await asyncio.sleep(pause)
                for market in self._ingests:
                    with contextlib.suppress(RepairError):
                        await self._history.shown(market)
            await self._wait_for_the_first()
            if not self._opened.is_set():  # once more
                self._release(streamed_only=False)

    async def _wait_for_the_first(self) -> None:
        """Let each market go on with its first streamed trade, for some time."""
        for _ in range(int(FIRST_TRADE_S / LOOK_S)):
            if self._opened.is_set() or not any(map(self._venue.holds, self._ingests)):
                return
            self._release(streamed_only=True)
            await asyncio.sleep(LOOK_S)

    def _release(self, *, streamed_only: bool) -> None:
        for market, ingest in self._ingests.items():
            ticks, known = self._venue.release(market, streamed_only), ingest.newest_id
            self._push(market, ticks if known is None else ticks[ticks["id"] > known])
