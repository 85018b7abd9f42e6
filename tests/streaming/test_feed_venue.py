"""The feed and the ways of venues: clocks, silence, refusals, symbols, and what is said of them."""

from __future__ import annotations

import asyncio
import re
import time

import pytest

from streaming.cache import bar_ring
from streaming.errors import ConfigError, RingError
from streaming.events import Code, hindrance
from streaming.feed.connection.batching import BATCH_SECONDS
from streaming.feed.feed import follow
from streaming.ticks import NS_PER_S
from tests.streaming.feed_session import config_for, running, scenario, until
from tests.streaming.venue_server import VenueServer


def lines(capsys):
    """What the feed has printed."""
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith("feed: ")]


def with_venue(test, symbols=("BTCUSDT",), channel="trade"):
    """Run an async function with a server."""

    async def main():
        async with VenueServer(symbols, channel) as venue:
            await test(venue)

    asyncio.run(main())


# ---- clocks


@pytest.mark.parametrize("off_s", [120, -120, 4000])
def test_whatever_our_clock_says_trades_are_kept_and_the_lag_is_right(tmp_path, capsys, off_s):
    async def test(venue):
        venue.set_clock(off_s)
        async with running(tmp_path, venue, backfill_seconds=60) as session:
            for _ in range(5):
                venue.set_clock(off_s)  # the next trades are of now
                await venue.trade("BTCUSDT", 1)
                await session.has(venue.next_id["BTCUSDT"] - 1)
            assert session.stat("rejected_bad_time") == 0
            assert 0 <= session.stat("lag_us") < 5e5
            (text,) = session.events(Code.CLOCK_OFF)
            assert re.search(rf"our clock is {abs(off_s):,}\.\d s (behind|ahead of)", text)

    with_venue(test)
    assert sum("our clock is" in line for line in lines(capsys)) == 1


@scenario
async def test_a_wall_clock_that_is_set_while_we_run_drops_no_trade(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 5)
        await session.has(5)
        real = time.time_ns
        with pytest.MonkeyPatch.context() as patch:
            for step in (-3600, 7200):
                patch.setattr(time, "time_ns", lambda step=step: real() + step * NS_PER_S)
                await venue.trade("BTCUSDT", 5)
            await session.has(15)
        assert session.stat("rejected_bad_time") == 0


@scenario
async def test_until_the_venues_clock_is_known_no_trade_is_dropped_for_its_time(folder, venue):
    venue.set_clock(4000)
    venue.rest_status = 404
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 5)
        await session.has(5)
        assert session.stat("rejected_bad_time") == 0


# ---- silence


@scenario
async def test_a_quiet_market_keeps_its_connection(folder, venue):
    async with running(folder, venue, stale_seconds=1) as session:
        await venue.trade("BTCUSDT", 5)
        await session.has(5)
        await until(lambda: len(session.events(Code.QUIET)) == 1)
        asked = len(venue.requests)
        await until(lambda: len(venue.requests) > asked)  # and judged again
        assert (venue.connections, session.stat("reconnects")) == (1, 0)
        assert "no trade for 1 s" in hindrance(folder)


@scenario
async def test_a_market_without_a_trade_since_we_came_is_quiet_too(folder, venue):
    venue.happen("BTCUSDT", 5)  # ten minutes ago
    async with running(folder, venue, stale_seconds=1) as session:
        await until(lambda: len(session.events(Code.QUIET)) == 1)
        assert venue.connections == 1


@scenario
async def test_a_stream_that_never_brought_what_happens_is_replaced(folder, venue):
    async with running(folder, venue, stale_seconds=1) as session:
        venue.set_clock(0)
        venue.happen("BTCUSDT", 5)
        await session.followed(2)
        assert any("REST has trade 5 of BTCUSDT" in text for text in session.events(Code.STALE))


@scenario
async def test_a_silent_stream_of_which_rest_says_nothing_is_replaced(folder, venue):
    async with running(folder, venue, stale_seconds=1) as session:
        venue.rest_status = 404
        await session.followed(2)
        assert session.events(Code.STALE)


def test_a_symbol_that_the_venue_does_not_have_is_named(tmp_path, capsys):
    async def test(venue):
        del venue.next_id["DOGE"]
        async with running(tmp_path, venue, symbols="BTCUSDT,DOGE", stale_seconds=1) as session:
            await until(lambda: len(session.events(Code.UNKNOWN_SYMBOL)) == 1)
            assert "does not know" in hindrance(tmp_path)
            assert venue.connections == 1

    with_venue(test, ("BTCUSDT", "DOGE"))
    assert sum("DOGE: the venue does not know this symbol" in line for line in lines(capsys)) == 1


# ---- symbols


def test_a_symbol_of_other_letters_is_followed_repaired_and_has_its_history(tmp_path):
    symbol = "币安USDT"

    async def test(venue):
        venue.happen(symbol, 20)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("streaming.config.StreamConfig.__post_init__", lambda self: None)
            async with running(tmp_path, venue, backfill_seconds=900) as session:
                await venue.trade(symbol, 5)
                await session.has(25, symbol)
                venue.happen(symbol, 5)
                await venue.trade(symbol, 5)
                await session.has(35, symbol)
                session.check(symbol)
        assert venue.streams == ["/stream?streams=%E5%B8%81%E5%AE%89usdt@trade"]
        rest = [path for path in venue.requests if "symbol" in path]
        assert all("symbol=%E5%B8%81%E5%AE%89USDT&" in path for path in rest)

    with_venue(test, [symbol])


# ---- trades that are none of the market's


@scenario
async def test_trades_of_the_insurance_fund_are_in_no_bar_and_no_gap(folder, venue):
    async with running(folder, venue) as session:
        for _ in range(20):
            await venue.trade("BTCUSDT", 48)
            for kind in ("INSURANCE_FUND", "NA"):
                (made,) = venue.happen("BTCUSDT", 1)
                event = venue._event("BTCUSDT", {**made, "p": "99999"}) | {"X": kind}
                await venue.send_event("BTCUSDT", event)
        await session.has(960)
        assert session.stat("rejected_not_market") >= 38
        assert (session.stat("gaps"), session.stat("missing"), session.stat("repaired")) == (0,) * 3
        assert bar_ring(folder, "BTCUSDT").read().rows["high"].max() < 30_000
        assert any("%" in text for text in session.events(Code.REJECTED))


# ---- what is said


def test_a_refusal_is_said_once_with_advice_and_not_tried_each_second(tmp_path, capsys):
    async def test(venue):
        venue.refusals = [(451, {})] * 9
        async with running(tmp_path, venue) as session:
            await until(lambda: len(session.events(Code.REFUSED)) == 1)
            assert "HTTP 451" in hindrance(tmp_path)
            await asyncio.sleep(0.5)
            assert len(venue.streams) == 1

    with_venue(test)
    (line,) = [line for line in lines(capsys) if "451" in line]
    assert "--venue_ws" in line


def test_history_that_is_shorter_than_asked_is_said_for_each_symbol(tmp_path, capsys):
    async def test(venue):
        venue.happen("AUSDT", 500)
        venue.happen("BUSDT", 500)
        settings = {"backfill_seconds": 900, "tick_cache": 300}
        async with running(tmp_path, venue, **settings) as session:
            for symbol in venue.next_id:
                await venue.trade(symbol, 10)
            for symbol in venue.next_id:
                await session.has(300, symbol)
            assert len(session.events(Code.SHORT_HISTORY)) == 2

    with_venue(test, ("AUSDT", "BUSDT"))
    told = [line for line in lines(capsys) if "of 900 s (the tick cache holds no more)" in line]
    assert len(told) == 2


def test_the_first_of_each_kind_is_printed_and_the_totals_at_the_end(tmp_path, capsys):
    async def test(venue):
        async with running(tmp_path, venue) as session:
            for n in range(2):
                await venue.trade("BTCUSDT", 5)
                await venue.send_frame("no JSON")
                venue.forget("BTCUSDT", [made["i"] for made in venue.happen("BTCUSDT", 3)])
                await venue.trade("BTCUSDT", 5)
                await session.has(10 * (n + 1))
            assert len(session.events(Code.GAP)) == 2

    with_venue(test)
    told = lines(capsys)
    assert sum("gap, trades" in line for line in told) == 1
    assert sum("malformed; further ones are counted" in line for line in told) == 1
    assert told[-1] == (
        "feed: BTCUSDT, 20 trades kept: 2 gaps, 6 trades missing in them, 2 dropped as malformed"
    )


def test_a_market_as_it_should_be_is_not_worth_a_line(tmp_path, capsys):
    async def test(venue):
        venue.happen("BTCUSDT", 500)
        async with running(tmp_path, venue, backfill_seconds=1) as session:
            await venue.trade("BTCUSDT", 5)
            await session.has(5)

    with_venue(test)
    assert lines(capsys) == []


# ---- ends


def test_a_proxy_that_cannot_be_used_ends_the_feed_with_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    async def main():
        async with VenueServer(["BTCUSDT"]) as venue:
            config = config_for(venue, venue_ws="wss://stream.example")
            await follow(config, tmp_path)

    with pytest.raises(ConfigError, match="python-socks"):
        asyncio.run(main())


def test_ticks_that_cannot_be_kept_end_the_feed(tmp_path):
    (tmp_path / "tape").write_text("in the way")

    async def main():
        async with VenueServer(["BTCUSDT"]) as venue:
            config = config_for(venue, tick_cache=100, segment_seconds=60)
            task = asyncio.create_task(follow(config, tmp_path))
            await until(lambda: len(venue.followers) > 0)
            for _ in range(5):
                await venue.trade("BTCUSDT", 50)
                await asyncio.sleep(2 * BATCH_SECONDS)
            await asyncio.wait_for(task, 10)

    with pytest.raises(RingError, match="make room on the disk"):
        asyncio.run(main())
