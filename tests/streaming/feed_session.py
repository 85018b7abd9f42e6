"""A feed in the test's own loop, and what other processes can see of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from streaming.bars import bars_of
from streaming.cache import bar_ring, quote_ring, tick_cache
from streaming.config import StreamConfig
from streaming.events import event_ring
from streaming.feed.feed import follow
from streaming.ticks import LATE, NS_PER_MS
from tests.streaming.venue_server import VenueServer


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait for a condition; fail if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.005)


class Session:
    """A running feed and what other processes can see of it."""

    def __init__(self, folder: Path, venue: VenueServer, task: asyncio.Task | None) -> None:
        self.folder, self.venue, self.task = folder, venue, task

    def cache(self, symbol="BTCUSDT"):
        return tick_cache(self.folder, symbol)

    def ids(self, symbol="BTCUSDT"):
        return self.cache(symbol).read().rows["id"].tolist()

    def stat(self, name, symbol="BTCUSDT"):
        return self.cache(symbol).stats[name].item()

    def events(self, code):
        """The texts of the events with this code."""
        rows = event_ring(self.folder, "feed").read().rows
        return [row["text"].decode() for row in rows if row["code"].decode() == code]

    async def has(self, n, symbol="BTCUSDT"):
        """Wait until so many trades are in the cache."""
        assert self.task is None or not self.task.done()
        await until(lambda: self.cache(symbol).committed >= n)

    async def followed(self, n=1):
        """Wait until the feed has connected for the n-th time."""
        await until(lambda: self.venue.connections >= n and len(self.venue.followers) > 0)

    def check(self, symbol="BTCUSDT", missing=()):
        """Every trade of the venue exactly once, in order, with its own values; bars too."""
        rows = self.cache(symbol).read().rows
        first = rows["id"][0]
        wanted = [i for i in range(first, self.venue.next_id[symbol]) if i not in set(missing)]
        assert rows["id"].tolist() == wanted
        trades = self.venue.history[symbol]
        for row in rows:
            if (trade := trades.get(int(row["id"]))) is not None:
                assert row["price"] == float(trade["p"])
                assert row["size"] == float(trade["q"])
                assert row["ts_event"] == trade["T"] * NS_PER_MS
                assert row["side"] == (-1 if trade["m"] else 1)
        plain = rows.copy()
        plain["flags"] &= ~np.uint8(LATE)
        quotes = quote_ring(self.folder, symbol).read().rows
        bars = bars_of(plain, quotes)
        final = bars[bars["final_seq"] > 0]
        assert bar_ring(self.folder, symbol).read().rows.tobytes() == final.tobytes()


def config_for(venue: VenueServer, **settings) -> StreamConfig:
    return StreamConfig(
        **{"source": "binance", "venue_ws": venue.ws, "venue_rest": venue.rest,
           "symbols": ",".join(venue.next_id), "channel": venue.channel,
           "backfill_seconds": 0, "segment_seconds": 0, "quotes": False, **settings}
    )  # fmt: skip


@contextlib.asynccontextmanager
async def following(config: StreamConfig, folder: Path):
    """The task of a feed in this loop, which must not end by itself; stopped at the end."""
    task = asyncio.create_task(follow(config, folder))
    try:
        yield task
        assert not task.done()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@contextlib.asynccontextmanager
async def running(folder: Path, venue: VenueServer, **settings):
    """A feed in this loop, connected; stopped at the end."""
    config = config_for(venue, **settings)
    before = venue.connections
    async with following(config, folder) as task:
        session = Session(folder, venue, task)
        await until((folder / "feed.events").exists)
        if not venue.refusals:
            await session.followed(before + 1)
        yield session


def scenario(test):
    """Run an async test with a server of one symbol."""

    def run(tmp_path):
        async def main():
            async with VenueServer(["BTCUSDT"]) as venue:
                await test(tmp_path, venue)

        asyncio.run(main())

    run.__name__ = test.__name__
    return run
