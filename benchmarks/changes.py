"""500 planned and 200 unplanned changes of connection at 500 msg/s: are trades lost or doubled?

A real feed follows a venue that speaks Binance's format. A planned change is a shutdown that the
venue announces; in an unplanned one the venue ends the connection without a word, and the feed asks
REST for what it missed. At the end each trade is in the cache once, as it was sent. BENCH_CHANGES
changes the two numbers: ``BENCH_CHANGES=20,10``.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.measuring import NotMeasuredError
from benchmarks.processes import ROOT, end
from benchmarks.table import Row
from streaming.cache import tick_cache
from streaming.config import StreamConfig
from streaming.rings.ring import Ring
from tests.streaming.venues.binance import BinanceStandIn

PLANNED, UNPLANNED = 500, 200
RATE, QUOTES = 500, 5  # messages a second; every fifth is a quote
STEP_S = 0.02
LIFE_S = 1.1  # of a connection that is cut: after shorter ones the feed waits longer and longer
SYMBOL = "BTCUSDT"
TIMEOUT_S = 60.0
SHUTDOWN = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'


class Counted(NamedTuple):
    """What came of a number of changes.

    Attributes:
        holes: trades that were missing for good, or came late for their bar.
        asked: trades that REST had to be asked for.
        dropped: trades that came twice, and were kept once.
        kept_twice: trades that were kept twice, out of order, or not as they were.
        sent: all trades.
        seconds: how long it took.
    """

    holes: int
    asked: int
    dropped: int
    kept_twice: int
    sent: int
    seconds: float


class Market(BinanceStandIn):
    """Trades at a steady rate, at the times of now."""

    def __init__(self) -> None:
        super().__init__(SYMBOL)
        self._us = time.time_ns() // 1000

    async def run(self) -> None:
        """Trade for ever, ``RATE`` messages a second."""
        started, sent = time.monotonic(), 0
        while True:
            await asyncio.sleep(STEP_S)
            due = int((time.monotonic() - started) * RATE)
            while sent < due:
                sent += 1
                self.step_us = max(0, time.time_ns() // 1000 - self._us)
                if sent % QUOTES:
                    await self.stream(self.happen(1))
                else:
                    await self.quote()

    async def change(self, *, planned: bool) -> None:
        """Tell the feed to change its connection, and wait until it has."""
        old, wanted = [*self.topics], self.connections + 1
        if planned:
            await self.say(SHUTDOWN)
        else:
            self.cut()
        deadline = time.monotonic() + TIMEOUT_S
        while self.connections < wanted or not self.followed or set(old) & set(self.topics):
            if time.monotonic() > deadline:
                raise NotMeasuredError(f"no connection {wanted} within {TIMEOUT_S:.0f} s")
            await asyncio.sleep(STEP_S)


async def changed(n: int, *, planned: bool) -> Counted:
    """Return what comes of ``n`` changes."""
    with tempfile.TemporaryDirectory(prefix="tickloop-bench-") as folder:
        async with Market() as market:
            session = Path(folder)
            StreamConfig(
                source="binance", symbols=SYMBOL, venue_ws=market.ws, venue_rest=market.rest,
                backfill_seconds=0, segment_seconds=0, tick_cache=2_000_000,
            ).save(session / "config.json")  # fmt: skip
            feed = subprocess.Popen([sys.executable, "-m", "streaming.feed", folder], cwd=ROOT)
            try:
                return await _count(market, session, n, planned=planned)
            finally:
                await asyncio.to_thread(end, feed)


async def _count(market: Market, session: Path, n: int, *, planned: bool) -> Counted:
    await _until(lambda: market.followed)
    trading, started = asyncio.create_task(market.run()), time.monotonic()
    for _ in range(n):
        await asyncio.sleep(0.0 if planned else LIFE_S)
        await market.change(planned=planned)
    trading.cancel()
    took = time.monotonic() - started
    await market.stream(market.happen(1))  # which shows what is missing before it
    cache = tick_cache(session, SYMBOL)
    newest = max(market.trades)
    await _until(lambda: len(rows := cache.tail(1).rows) > 0 and rows["id"][0] == newest)
    return _compared(market, cache, took)


def _compared(market: Market, cache: Ring, took: float) -> Counted:
    rows = cache.read().rows
    wanted = [market.trades[id] for id in rows["id"].tolist()]
    as_sent = (rows["price"] == [float(trade.price) for trade in wanted]) & (
        rows["side"] == [trade.side for trade in wanted]
    )
    wrong = np.count_nonzero(np.diff(rows["id"]) <= 0) + np.count_nonzero(~as_sent)
    lost = int(rows["id"][-1] - rows["id"][0]) + 1 - len(np.unique(rows["id"]))
    stats = cache.stats
    assert lost == stats["missing"]
    return Counted(
        lost + int(stats["late"]), int(stats["repaired"]), int(stats["duplicates"]), int(wrong),
        len(market.trades), took,
    )  # fmt: skip


async def _until(done) -> None:  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + TIMEOUT_S
    while not done():
        if time.monotonic() > deadline:
            raise NotMeasuredError("the feed does not follow, or has not kept the newest trade")
        await asyncio.sleep(STEP_S)


def run() -> list[Row]:
    """Change, and look."""
    numbers = os.environ.get("BENCH_CHANGES", f"{PLANNED},{UNPLANNED}").split(",")
    rows = []
    for planned, n in zip((True, False), map(int, numbers), strict=True):
        found = asyncio.run(changed(n, planned=planned))
        # What REST fetches after a planned change was a gap in the stream.
        faults = found.holes + found.kept_twice + found.asked * planned
        what = f"{n} {'planned' if planned else 'unplanned'} changes of connection, faults"
        note = (
            f"{found.sent:,} trades at {RATE} msg/s in {found.seconds:.0f} s: {found.holes} missing"
            f" or late, {found.kept_twice} kept twice or wrong, {found.asked} fetched by REST,"
            f" {found.dropped} came twice and were dropped"
        )
        rows.append(Row(what, float(faults), 1.0, "", "<=", 0, "nothing", note))
    return rows
