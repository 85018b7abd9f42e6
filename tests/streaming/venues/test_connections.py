"""Connections: planned changes, routes that are silent, heartbeats that stop, several venues."""

from __future__ import annotations

import asyncio
import contextlib
import time

import numpy as np
import pytest

import streaming.feed.connection.connection
from streaming.config import StreamConfig
from streaming.errors import UnknownSymbolError
from streaming.events import Code
from streaming.feed.feed import follow
from streaming.feed.rest.symbol_check import check_venue
from tests.streaming.feed_session import Session, until
from tests.streaming.venues.binance import (
    BinanceCoinMStandIn,
    BinanceStandIn,
    BinanceUsdMStandIn,
)
from tests.streaming.venues.bybit import BybitStandIn
from tests.streaming.venues.cases import CASES, SHUTDOWN, Case, check, followed, has
from tests.streaming.venues.coinbase import CoinbaseStandIn
from tests.streaming.venues.kraken import KrakenStandIn
from tests.streaming.venues.okx import OkxStandIn, OkxSwapStandIn

CASE = {case.name: case for case in CASES if case.symbol.isascii()}


def with_server(make, symbol, test):
    """Run an async function with a stand-in."""

    async def main():
        async with make(symbol) as server:
            await test(server)

    asyncio.run(main())


# ---- planned changes


def test_planned_changes_leave_no_gap_and_ask_rest_for_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(streaming.feed.connection.connection, "OVERLAP_S", 0.1)
    case = CASE["binance"]

    async def test(server):
        async with followed(tmp_path, case, server, backfill_seconds=0) as session:
            await server.trade(5)

            async def trading():
                while True:
                    await server.trade(5)
                    await asyncio.sleep(0.01)

            task = asyncio.create_task(trading())
            for n in range(20):
                await server.say(SHUTDOWN)
                await until(lambda n=n: len(session.events(Code.CHANGED)) == n + 1)
            task.cancel()
            await has(session, case, server)
            check(session, case, server)
            assert server.connections == 21
            names = ("gaps", "missing", "repaired", "reconnects")
            assert [session.stat(name) for name in names] == [0] * 4
            assert not [path for path, _ in server.asked if "Trades" in path]

    with_server(BinanceStandIn, "BTCUSDT", test)


def test_a_connection_is_changed_before_the_venue_ends_it_for_its_age(tmp_path, monkeypatch):
    case = CASE["binance"]
    terms = case.venue.terms._replace(lifetime_s=1.0)
    monkeypatch.setattr(case.venue, "terms", terms)

    async def test(server):
        async with followed(tmp_path, case, server, backfill_seconds=0) as session:
            await server.trade(50)
            await until(lambda: server.connections >= 2)
            await server.trade(50)
            await has(session, case, server)
            check(session, case, server)
            assert session.stat("reconnects") == 0

    with_server(BinanceStandIn, "BTCUSDT", test)


# ---- silence


@contextlib.asynccontextmanager
async def following(folder, case, server, **settings):
    """A feed whose streams need not come."""
    config = StreamConfig(
        source=case.name, symbols=case.symbol, venue_ws=server.ws, venue_rest=server.rest,
        backfill_seconds=0, segment_seconds=0, stale_seconds=1, **settings,
    )  # fmt: skip
    task = asyncio.create_task(follow(config, folder))
    try:
        await until((folder / "feed.events").exists)
        yield Session(folder, server, task)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_where_trades_have_moved_the_next_route_is_taken(tmp_path):
    case = CASE["binance-usdm"]

    async def test(server):
        server.routes = {"/stream": {"aggTrade"}}  # as before 2026; the others are silent
        async with following(tmp_path, case, server, quotes=False) as session:
            await until(lambda: server.connections >= 1)
            server._us = time.time_ns() // 1000
            server.happen(3)
            await until(lambda: any("trades" in topics for topics in server.topics.values()))
            await server.trade(20)
            await has(session, case, server, missing=3)
            (text,) = session.events(Code.STALE)
            assert "silent for 1 s; REST has trade" in text

    with_server(BinanceUsdMStandIn, case.symbol, test)


def test_where_coin_m_has_moved_its_trades_they_are_found(tmp_path):
    case = Case("binance-coinm", BinanceCoinMStandIn, "BTCUSD_PERP", 1000)

    async def test(server):
        server.routes = {"/market/stream": {"aggTrade"}}
        async with following(tmp_path, case, server) as session:
            await until(lambda: server.connections >= 1)
            server._us = time.time_ns() // 1000
            server.happen(3)
            await until(lambda: any("trades" in topics for topics in server.topics.values()))
            await server.trade(20)
            await has(session, case, server, missing=3)

    with_server(BinanceCoinMStandIn, case.symbol, test)


def test_where_quotes_have_moved_the_next_route_is_taken_and_no_trade_is_lost(tmp_path):
    case = CASE["binance-usdm"]

    async def test(server):
        server.routes = {"/market/stream": {"aggTrade"}, "/stream": {"bookTicker"}}
        async with following(tmp_path, case, server) as session:
            await until(lambda: any("trades" in topics for topics in server.topics.values()))
            while not server.followed:
                await server.trade(1)
                await asyncio.sleep(0.05)
            await server.quote()
            await has(session, case, server)
            check(session, case, server)
            (text,) = [text for text in session.events(Code.STALE) if "dropping" in text]
            assert "for quotes: no quote for" in text

    with_server(BinanceUsdMStandIn, case.symbol, test)


@pytest.mark.parametrize(
    ("name", "make"),
    [("coinbase", CoinbaseStandIn), ("kraken", KrakenStandIn), ("okx", OkxStandIn),
     ("bybit", BybitStandIn)],
)  # fmt: skip
def test_a_connection_without_its_heartbeats_is_replaced_within_10_s(
    tmp_path, monkeypatch, name, make
):
    case = CASE[name] if name != "okx" else next(c for c in CASES if c.symbol == "BTC-USDT")
    assert case.venue.terms.silent_s <= 10
    monkeypatch.setattr(
        case.venue, "terms", case.venue.terms._replace(silent_s=1.0, ping_s=0.4)
    )  # a tenth

    async def test(server):
        async with followed(tmp_path, case, server, backfill_seconds=0) as session:
            await server.trade(10)
            await has(session, case, server)
            await asyncio.sleep(1.7)  # past silent_s; nothing happens where heartbeats come
            assert session.stat("reconnects", case.symbol) == 0  # heartbeats and pongs came
            connections, server.mute = server.connections, True
            server.receive = nothing
            await until(lambda: server.connections > connections)
            del server.receive
            assert any("nothing has come for" in text for text in session.events(Code.STALE))

    async def nothing(socket, text):
        """Not even an answer to a ping."""

    with_server(make, case.symbol, test)


def test_what_was_lost_behind_the_newest_trade_is_fetched_when_a_heartbeat_names_it(tmp_path):
    case = CASE["coinbase"]

    async def test(server):
        async with followed(tmp_path, case, server, backfill_seconds=0) as session:
            await server.trade(10)
            await has(session, case, server)
            server.happen(5)  # and then nobody trades
            await has(session, case, server)
            check(session, case, server)
            assert (session.stat("repaired", case.symbol), session.stat("gaps", case.symbol)) == (
                5, 0,
            )  # fmt: skip

    with_server(CoinbaseStandIn, case.symbol, test)


def test_trades_of_one_time_that_the_socket_leaves_out_are_fetched(tmp_path):
    case = CASE["kraken"]

    async def test(server):
        async with followed(tmp_path, case, server, backfill_seconds=0) as session:
            await server.trade(5)
            for _ in range(10):
                await server.stream(server.happen(4, same_time=True))
            await server.trade(1)
            await has(session, case, server)
            check(session, case, server)
            assert session.stat("repaired", case.symbol) == 30
            pages = [path for path, _ in server.asked if path.endswith("Trades")]
            assert len(pages) <= 3  # one page fills many holes
        assert server.complaints == []

    with_server(KrakenStandIn, case.symbol, test)


# ---- several venues


def test_markets_of_several_venues_are_followed_in_one_session(tmp_path):
    async def main():
        async with (
            BinanceStandIn("BTCUSDT") as binance,
            CoinbaseStandIn("BTC-USD") as coinbase,
            OkxSwapStandIn("BTC-USDT-SWAP") as okx,
        ):
            servers = {"binance": binance, "coinbase": coinbase, "okx": okx}
            rest = ",".join(f"{name}={server.rest}" for name, server in servers.items())
            config = StreamConfig(
                source="binance", symbols="BTCUSDT,coinbase:BTC-USD,okx:BTC-USDT-SWAP",
                venue_ws=f"{binance.ws},coinbase={coinbase.ws},okx={okx.ws}", venue_rest=rest,
                backfill_seconds=0, segment_seconds=0.2,
            )  # fmt: skip
            names = [f"{name}:{server.symbol}" for name, server in servers.items()]
            assert config.symbol_list == names
            task = asyncio.create_task(follow(config, tmp_path))
            await until(lambda: all(server.followed for server in servers.values()))
            await asyncio.gather(*(server.trade(50) for server in servers.values()))
            session = Session(tmp_path, binance, task)
            for name, server in zip(names, servers.values(), strict=True):
                await until(lambda name=name: session.cache(name).committed == 50)
                rows = session.cache(name).read().rows
                sizes = [float(trade.size) for trade in server.trades.values()]
                assert rows["size"] == pytest.approx(sizes)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            assert (tmp_path / "coinbase=3ABTC-USD.ticks").exists()
            assert list(tmp_path.glob("tape/okx=3ABTC-USDT-SWAP*.parquet"))

    asyncio.run(main())


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(f"{case.name} {case.symbol}"))
def test_a_symbol_that_a_venue_does_not_have_is_refused_before_anything_starts(case):
    async def main(symbol):
        async with case.make(case.symbol) as server:
            config = StreamConfig(
                source=case.name, symbols=symbol, venue_ws=server.ws, venue_rest=server.rest
            )
            await asyncio.to_thread(check_venue, config)

    asyncio.run(main(case.symbol))
    unknown = case.symbol.replace("BTC", "DOGE").replace("币安", "DOGE")
    with pytest.raises(Exception, match="is unknown to") as refusal:
        asyncio.run(main(unknown))
    assert str(refusal.value).startswith(f"symbols: {unknown} is unknown to {case.name}; allowed")
    assert not isinstance(refusal.value, UnknownSymbolError)
    assert np.size(refusal.value.args) == 1
