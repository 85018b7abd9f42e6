"""What a venue's REST interface shows, joined to the stream where ids prove no loss.

After a cut nobody can tell from ids whether trades were missed. So the stream is held for a moment,
the newest trades that the venue shows go first, and the frames that have come meanwhile follow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from streaming.batching import Batcher
from streaming.errors import RepairError
from streaming.gap_repair import GapRepair
from streaming.history import TradeHistory
from streaming.stream_files import StreamFiles
from streaming.venues import Venue

SUBSCRIBED_S = 0.3  # a trade from before that is to be seen at REST, one from after it is streamed


class Overlap:
    """Has nothing to do for a venue whose ids prove a loss.

    Args:
        venue: whose streams.
        history: knows the venue's newest trades.
        batcher: is held meanwhile.
        files: the markets'.
        repairs: are started where what is shown does not join.
    """

    def __init__(
        self,
        venue: Venue,
        history: TradeHistory,
        batcher: Batcher,
        files: StreamFiles,
        repairs: Mapping[str, GapRepair],
    ) -> None:
        self._history, self._batcher = history, batcher
        self._files, self._repairs = files, repairs
        self._venue, self._needed = venue, not venue.terms.proof
        self._opened = asyncio.Event()
        for market, ingest in files.ingests.items():
            venue.resume(market, ingest.ticks.read().rows)

    def opened(self) -> None:
        """Take note that the stream begins anew."""
        if self._needed:
            self._batcher.pause()
            self._opened.set()

    async def compare(self) -> None:
        """Join what REST shows to the stream whenever that begins anew, for ever."""
        while True:
            await self._opened.wait()
            self._opened.clear()
            await asyncio.sleep(SUBSCRIBED_S)
            for market, ingest in self._files.ingests.items():
                try:
                    shown = await self._history.shown(market)
                except RepairError:
                    self._venue.doubt(market)
                    continue
                known = ingest.newest_id
                ingest.push(shown[shown["id"] > (0 if known is None else known)])
                self._repairs[market].start_if_needed()
            if not self._opened.is_set():
                self._batcher.resume()
