"""Live, time passes without trades: a second is over when the venue has proven that it is."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.cache import bar_ring, quote_ring
from streaming.config import StreamConfig
from streaming.feed.clock.delay import Delay
from streaming.feed.clock.time_marks import PING_S, TimeMarks
from streaming.feed.market.ingest import Ingest
from streaming.feed.rest.venue_clock import steady_ns
from streaming.quotes import MARK
from streaming.ticks import LATE, NS_PER_MS, NS_PER_S
from streaming.venues.binance import Binance
from tests.streaming.feed_session import running, scenario, until
from tests.streaming.samples import ticks_at


async def trade_now(venue, n=1):
    """Trades of this moment."""
    venue.set_clock(0)
    await venue.trade("BTCUSDT", n)


def bars_of(folder):
    return bar_ring(folder, "BTCUSDT").read().rows


@scenario
async def test_seconds_without_a_trade_become_bars_while_they_last(folder, venue):
    async with running(folder, venue) as session:
        await trade_now(venue, 5)
        await session.has(5)
        await until(lambda: len(bars_of(folder)) >= 3)
        bars, ticks = bars_of(folder), session.cache().read().rows
        assert bars["trades"].sum() == 5
        assert bars["trades"][-1] == 0
        assert bars["close"][-1] == ticks["price"][-1]
        # Not before they were over, and not long after.
        newest = int(bars["ts_open"][-1]) + NS_PER_S
        assert -NS_PER_S < time.time_ns() - newest < 30 * NS_PER_S
        assert (quote_ring(folder, "BTCUSDT").read().rows["flags"] == MARK).all()
        await trade_now(venue)
        await session.has(6)
        assert session.stat("late") == 0


@scenario
async def test_a_trade_that_comes_after_its_second_was_over_is_counted_and_kept_out(folder, venue):
    async with running(folder, venue) as session:
        await trade_now(venue, 5)
        await session.has(5)
        await until(lambda: len(bars_of(folder)) >= 2)
        await venue.trade("BTCUSDT", 1)  # of the second of the first ones
        await session.has(6)
        assert session.stat("late") == 1
        assert session.cache().read().rows["flags"].tolist() == [0] * 5 + [LATE]
        assert bars_of(folder)["trades"].sum() == 5
        session.check()


@scenario
async def test_no_second_is_over_while_the_connection_is_lost_or_a_trade_is_missing(folder, venue):
    async with running(folder, venue) as session:
        await trade_now(venue, 5)
        await session.has(5)
        before = len(bars_of(folder))
        venue.refusals = [(503, {})] * 4  # until a second is over
        venue.abort_all()
        venue.set_clock(0)
        venue.happen("BTCUSDT", 2)  # nobody streams them
        await session.followed(2)
        await session.has(7)  # the feed has asked for the newest trade, and for the one before
        await until(lambda: len(bars_of(folder)) > before + 1)
        assert (session.stat("late"), session.stat("gaps")) == (0, 0)
        session.check()


@scenario
async def test_a_silent_venue_that_answers_no_ping_has_no_marks(folder, venue):
    async with running(folder, venue) as session:
        await trade_now(venue, 5)
        await session.has(5)
        [socket] = venue.followers
        socket.transport.pause_reading()  # it is deaf from now on
        n = len(bars_of(folder))
        await asyncio.sleep(2.5)  # two seconds end; nothing comes that could tell that they did
        assert len(bars_of(folder)) <= n + 1  # one may have been proven before
        socket.transport.resume_reading()
        await until(lambda: len(bars_of(folder)) > n + 1)


class Line:
    """A venue that answers, and when it was asked."""

    made = 0

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def answers(self) -> bool:
        self.asked.append(time.monotonic())
        return True


def test_many_markets_whose_seconds_end_at_different_times_share_their_pings(tmp_path, closing):
    config = StreamConfig(segment_seconds=0, backfill_seconds=0)
    ingests = {f"M{i}": closing(Ingest(tmp_path, f"M{i}", config)) for i in range(8)}
    line = Line()
    # Without a trade that is missing there is nothing to ask, nor to push.
    marks = TimeMarks(Binance.terms, ingests, line, None, None, 0)
    ahead = time.time_ns() - steady_ns()

    async def keep():
        task = asyncio.create_task(marks.keep())
        for i, (market, ingest) in enumerate(ingests.items()):
            ticks = ticks_at(0.0)
            # Each market's trades take another while to come.
            ticks["ts_event"] = steady_ns() + ahead - i * NS_PER_S // 8
            ingest.push(ticks)
            marks.heard(market, int(ticks["ts_event"][0]))
        await until(lambda: all(len(ingest.bars.read().rows) >= 3 for ingest in ingests.values()))
        task.cancel()

    asyncio.run(keep())
    assert np.diff(line.asked).min() >= PING_S


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1), st.integers(0, 10**18))
def test_a_delay_is_as_long_whatever_the_two_clocks_differ_by(delays, apart):
    one, other = Delay(), Delay()
    assert one.most_ns is None
    for delay in delays:
        one.add(delay)
        other.add(delay + apart)
    assert abs(other.most_ns - one.most_ns - apart) <= 1e-9 * apart + 1e4


def test_a_delay_settles_at_what_is_usual_and_allows_for_what_varies():
    steady, shaky = Delay(), Delay()
    for i in range(200):
        steady.add(20 * NS_PER_MS)
        shaky.add((20 + 30 * (i % 2)) * NS_PER_MS)
    assert 20 * NS_PER_MS <= steady.most_ns < 21 * NS_PER_MS
    assert 60 * NS_PER_MS < shaky.most_ns < 120 * NS_PER_MS
