"""The exchange on its socket: streams, REST and faults, as a client sees them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from streaming.config import StreamConfig
from streaming.errors import ConfigError, TapeError
from streaming.exchange import Exchange, check_source, clients
from streaming.quotes import make_quotes
from streaming.tape import SegmentKind, read_tape, write_segment
from streaming.ticks import NS_PER_MS, NS_PER_S, make_ticks

TIMEOUT_S = 10
START = 1_700_000_000 * NS_PER_S


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(TIMEOUT_S):
            await scenario()

    asyncio.run(limited())


def sim(**settings: Any) -> StreamConfig:
    return StreamConfig(**{"source": "sim", "speed": 50.0, "backfill_seconds": 60, **settings})


def tape(folder: Path, n: int = 40, *, step_ms: int = 10, **settings: Any) -> StreamConfig:
    """A config that plays ``n`` trades, ids 0 to n - 1, one each ``step_ms``."""
    ticks = make_ticks(n)
    ticks["id"] = np.arange(n)
    ticks["ts_event"] = START + np.arange(n) * step_ms * NS_PER_MS
    ticks["price"], ticks["size"], ticks["side"] = 100 + 0.5 * ticks["id"], 1.0, 1
    write_segment(folder / "tape", "BTCUSDT", 0, ticks)
    return StreamConfig(source=f"tape:{folder / 'tape'}", **{"speed": 10.0, **settings})


@contextlib.asynccontextmanager
async def client(exchange: Exchange, path: str) -> AsyncIterator[ClientConnection]:
    url = f"ws://127.0.0.1:{exchange.port}{path}"
    # A full queue would keep the client from seeing the answer to its own close.
    async with connect(url, proxy=None, max_queue=None) as ws:
        yield ws


async def get(exchange: Exchange, path: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{exchange.port}{path}"
    reply = await asyncio.to_thread(opener.open, url, timeout=TIMEOUT_S)
    return json.loads(reply.read())


async def events(ws: ClientConnection, n: int) -> list[dict[str, Any]]:
    return [json.loads(await ws.recv()) for _ in range(n)]


async def to_the_end(ws: ClientConnection) -> tuple[list[int], int | None, str | None]:
    """Trade ids until the connection is closed, and how it was."""
    ids = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            ids.append(json.loads(await ws.recv())["t"])
    return ids, ws.close_code, ws.close_reason


def contiguous(ids: list[int]) -> bool:
    return ids == list(range(ids[0], ids[0] + len(ids)))


def test_a_raw_stream_sends_every_trade_once_in_order(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            assert contiguous([event["t"] for event in await events(ws, 200)])

    run(scenario)


def test_a_combined_stream_names_the_stream_of_each_event(tmp_path: Path) -> None:
    path = "/stream?streams=btcusdt@trade/ethusdt@aggTrade"

    async def scenario() -> None:
        config = sim(symbols="BTCUSDT,ETHUSDT")
        async with Exchange(config, tmp_path) as exchange, client(exchange, path) as ws:
            seen = set[tuple[str, str]]()
            while len(seen) < 2:
                [event] = await events(ws, 1)
                seen.add((event["stream"], event["data"]["e"]))
            assert seen == {("btcusdt@trade", "trade"), ("ethusdt@aggTrade", "aggTrade")}

    run(scenario)


@pytest.mark.parametrize("symbol", ["btcusd", "XBT/USD", "币安人生USDT", "A&B=C", "Äusdt"])
def test_a_symbol_of_any_letters_is_streamed_as_the_tape_spells_it(
    tmp_path: Path, symbol: str
) -> None:
    in_stream = quote(symbol.encode().lower().decode(), safe="")  # ASCII letters in lower case
    in_rest = quote(symbol.encode().upper().decode(), safe="")
    rows = [f"{i},1,1,{START // NS_PER_MS + i},buy,{symbol}" for i in range(20)]
    path = tmp_path / "tape.csv"
    path.write_text("\n".join(["id,price,size,time,side,symbol", *rows]))

    async def scenario() -> None:
        config = StreamConfig(source=f"tape:{path}", symbols=symbol, speed=10)
        for target in (f"/ws/{in_stream}@trade", f"/stream?streams=x@trade/{in_stream}@trade"):
            (tmp_path / "exchange.json").unlink(missing_ok=True)
            async with Exchange(config, tmp_path) as exchange, client(exchange, target) as ws:
                found = [event.get("data", event) for event in await events(ws, 20)]
                assert {event["s"] for event in found} == {symbol}
                assert contiguous([event["t"] for event in found])
                history = await get(exchange, f"/api/v3/trades?symbol={in_rest}&limit=20")
                assert [trade["id"] for trade in history] == [event["t"] for event in found]

    run(scenario)


def test_aggregates_of_the_stream_and_of_rest_are_the_same(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@aggTrade") as ws,
        ):
            streamed = await events(ws, 100)
            first = streamed[0]["a"]
            rows = await get(exchange, f"/api/v3/aggTrades?symbol=BTCUSDT&fromId={first}&limit=100")
            assert [{key: event[key] for key in rows[0]} for event in streamed] == rows
            pairs = zip(rows[1:], rows, strict=False)
            assert all(row["f"] == before["l"] + 1 for row, before in pairs)

    run(scenario)


@pytest.mark.parametrize("path", ["/ws", "/ws/0"])
def test_a_client_may_subscribe_after_connecting(tmp_path: Path, path: str) -> None:
    async def scenario() -> None:
        async with Exchange(sim(), tmp_path) as exchange, client(exchange, path) as ws:
            await ws.send('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1}')
            assert (await events(ws, 1)) == [{"result": None, "id": 1}]
            assert contiguous([event["t"] for event in await events(ws, 20)])

    run(scenario)


def test_a_market_has_a_past_that_joins_the_stream_without_a_hole(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            first = (await events(ws, 1))[0]["t"]
            assert first > 500
            past = await get(
                exchange, f"/api/v3/historicalTrades?symbol=BTCUSDT&fromId={first - 500}&limit=501"
            )
            assert [row["id"] for row in past] == list(range(first - 500, first + 1))

    run(scenario)


def test_rest_has_no_trade_from_the_future(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Exchange(sim(), tmp_path) as exchange:
            newest = (await get(exchange, "/api/v3/trades?symbol=BTCUSDT&limit=1"))[0]["time"]
            assert newest <= (await get(exchange, "/api/v3/time"))["serverTime"]

    run(scenario)


def test_a_market_at_speed_1_shows_our_time(tmp_path: Path) -> None:
    now = START + 123 * NS_PER_MS

    async def scenario() -> None:
        async with Exchange(sim(speed=1.0), tmp_path, wall_ns=lambda: now) as exchange:
            assert (await get(exchange, "/api/v3/time"))["serverTime"] == now // NS_PER_MS

    run(scenario)


def test_a_restarted_market_goes_on_where_it_would_be(tmp_path: Path) -> None:
    async def past(wall_ns: int) -> list[dict[str, Any]]:
        async with Exchange(sim(), tmp_path, wall_ns=lambda: wall_ns) as exchange:
            return await get(exchange, "/api/v3/trades?symbol=BTCUSDT&limit=1000")

    async def scenario() -> None:
        before, after = await past(START), await past(START + NS_PER_S // 4)
        ids = [row["id"] for row in after]
        assert before[-1]["id"] < ids[-1] < before[-1]["id"] + 800
        both = ids.index(before[-1]["id"])
        assert before[-both - 1 :] == after[: both + 1]

    run(scenario)


def test_another_speed_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    Exchange(sim(), tmp_path)
    with pytest.raises(ConfigError, match="speed"):
        Exchange(sim(speed=2.0), tmp_path)


def test_a_tape_waits_for_its_listener_and_ends_with_a_clean_close(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Exchange(tape(tmp_path), tmp_path) as exchange:
            assert await get(exchange, "/api/v3/trades?symbol=BTCUSDT") == []
            async with client(exchange, "/ws") as idle, client(exchange, "/ws/btcusdt@trade") as ws:
                assert await to_the_end(ws) == (list(range(40)), 1000, "end of tape")
                assert idle.close_code is None
            async with client(exchange, "/ws/btcusdt@trade") as ws:
                assert await to_the_end(ws) == ([], 1000, "end of tape")
            rows = await get(exchange, "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=0")
            assert [row["id"] for row in rows] == list(range(40))

    run(scenario)


ALL = "/stream?streams=btcusdt@time/btcusdt@bookTicker/btcusdt@trade"


def quoted(folder: Path, **settings: Any) -> StreamConfig:
    """A tape of trades at 0.1, 1.5 and 3.5 s, and quotes at 0.2 (behind one trade) and 1.4 s."""
    config = tape(folder, 3, **settings)
    ticks, quotes = read_tape(folder / "tape", "BTCUSDT"), make_quotes(2)
    ticks["ts_event"] = START + np.array([100, 1500, 3500]) * NS_PER_MS
    quotes["ts_event"], quotes["after"] = START + np.array([200, 1400]) * NS_PER_MS, 1
    quotes["id"], quotes["bid"], quotes["ask"], quotes["bid_size"] = [7, 9], 99.5, 100.5, [1, 2]
    write_segment(folder / "tape", "BTCUSDT", 0, ticks)
    write_segment(folder / "tape", "BTCUSDT", 0, quotes, SegmentKind.QUOTES)
    return config


async def kinds_to_the_end(ws: ClientConnection) -> list[tuple[str, int]]:
    """What came: ``(event, seconds x 1000 since START)``."""
    found = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            event = json.loads(await ws.recv())["data"]
            found.append((event["e"], event.get("T", event["E"]) - START // NS_PER_MS))
    return found


def test_trades_quotes_and_marks_come_in_the_order_of_the_tape(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(quoted(tmp_path), tmp_path) as exchange,
            client(exchange, ALL) as ws,
            client(exchange, "/ws/btcusdt@bookTicker") as raw,
        ):
            found = await kinds_to_the_end(ws)
            assert [one for one in found if one[0] != "time"] == [
                ("trade", 100), ("bookTicker", 200), ("bookTicker", 1400), ("trade", 1500),
                ("trade", 3500),
            ]  # fmt: skip
            assert [at for _, at in found] == sorted(at for _, at in found)
            assert (
                {1000, 2000} <= {at for kind, at in found if kind == "time"} <= {1000, 2000, 3000}
            )
            assert (await events(raw, 2))[1] == {
                "e": "bookTicker", "u": 9, "s": "BTCUSDT", "b": "99.5", "B": "2.0", "a": "100.5",
                "A": "0.0", "T": START // NS_PER_MS + 1400, "E": START // NS_PER_MS + 1400,
            }  # fmt: skip
            row = await get(exchange, "/api/v3/ticker/bookTicker?symbol=BTCUSDT")
            assert (row["bidPrice"], row["bidQty"]) == ("99.5", "2.0")

    run(scenario)


def test_a_tape_is_played_without_its_quotes_if_asked_to(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = quoted(tmp_path, quotes=False)
        async with Exchange(config, tmp_path) as exchange, client(exchange, ALL) as ws:
            assert {kind for kind, _ in await kinds_to_the_end(ws)} == {"trade", "time"}

    run(scenario)


def test_lost_trades_do_not_change_the_marks(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Exchange(quoted(tmp_path), tmp_path) as exchange:
            exchange.faults.lose(2)
            async with client(exchange, ALL) as ws:
                found = await kinds_to_the_end(ws)
            assert [at for kind, at in found if kind == "trade"] == [3500]
            assert {1000, 2000} <= {at for kind, at in found if kind == "time"}

    run(scenario)


def test_a_stalled_exchange_tells_no_time_either(tmp_path: Path) -> None:
    async def scenario() -> None:
        config = quoted(tmp_path, speed=20.0)
        async with Exchange(config, tmp_path) as exchange:
            exchange.faults.stall(60)
            async with client(exchange, ALL) as ws:
                assert await kinds_to_the_end(ws) == []

    run(scenario)


def test_the_quotes_of_a_simulated_market_are_possible_and_in_rest(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Exchange(sim(), tmp_path) as exchange, client(exchange, ALL) as ws:
            found = [event["data"] for event in await events(ws, 400)]
            quotes = [event for event in found if event["e"] == "bookTicker"]
            assert len(quotes) > 200
            assert all(float(quote["b"]) < float(quote["a"]) for quote in quotes)
            assert [quote["u"] for quote in quotes] == list(
                range(quotes[0]["u"], quotes[0]["u"] + len(quotes))
            )
            assert [event["E"] for event in found] == sorted(event["E"] for event in found)
            row = await get(exchange, "/api/v3/ticker/bookTicker?symbol=BTCUSDT")
            assert float(row["bidPrice"]) < float(row["askPrice"])

    run(scenario)


def test_a_restarted_tape_goes_on_with_what_is_due(tmp_path: Path) -> None:
    """At speed 10 and a trade each 10 ms of market time, 20 ms of ours are 20 trades."""
    now = START

    async def scenario() -> None:
        nonlocal now
        async with (
            Exchange(tape(tmp_path), tmp_path, wall_ns=lambda: now) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            assert (await events(ws, 1))[0]["t"] == 0
        now += 20 * NS_PER_MS
        async with (
            Exchange(tape(tmp_path), tmp_path, wall_ns=lambda: now) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            past = await get(exchange, "/api/v3/trades?symbol=BTCUSDT")
            assert [row["id"] for row in past] == list(range(21))
            now += 10 * NS_PER_MS
            assert (await events(ws, 1))[0]["t"] == 21

    run(scenario)


def test_drop_closes_for_a_restart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            await get(exchange, "/sim/fault?kind=drop")
            assert (await to_the_end(ws))[1] == 1012

    run(scenario)


def test_abort_cuts_the_connection_without_a_close(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            exchange.faults.abort()
            assert (await to_the_end(ws))[1] == 1006

    run(scenario)


def test_a_stalled_exchange_is_mute_but_answers_pings_while_trades_go_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            await events(ws, 1)
            await get(exchange, "/sim/fault?kind=stall&seconds=0.3")
            await (await ws.ping())
            ids = [event["t"] for event in await events(ws, 300)]
            jumps = np.flatnonzero(np.diff(ids) > 1)
            assert len(jumps) == 1
            missed = ids[jumps[0]] + 1
            row = f"/api/v3/historicalTrades?symbol=BTCUSDT&fromId={missed}&limit=1"
            assert (await get(exchange, row))[0]["id"] == missed

    run(scenario)


@pytest.mark.parametrize(("kind", "in_rest"), [("skip", True), ("lose", False)])
def test_skipped_trades_are_in_rest_and_lost_ones_nowhere(tmp_path, kind, in_rest) -> None:
    async def scenario() -> None:
        async with Exchange(tape(tmp_path), tmp_path) as exchange:
            await get(exchange, f"/sim/fault?kind={kind}&count=3")
            async with client(exchange, "/ws/btcusdt@trade") as ws:
                assert (await to_the_end(ws))[0] == list(range(3, 40))
            rows = await get(exchange, "/api/v3/historicalTrades?symbol=BTCUSDT&fromId=0")
            assert [row["id"] for row in rows] == list(range(0 if in_rest else 3, 40))

    run(scenario)


def test_raw_text_is_sent_as_it_is(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Exchange(sim(), tmp_path) as exchange, client(exchange, "/ws") as ws:
            await get(exchange, "/sim/fault?kind=raw&text=not%20JSON")
            assert await ws.recv() == "not JSON"

    run(scenario)


def test_requests_are_refused_as_often_as_asked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Exchange(sim(), tmp_path) as exchange:
            await get(exchange, "/sim/fault?kind=refuse&status=429&count=2&retry_after=3")
            with pytest.raises(InvalidStatus) as refused:
                await client(exchange, "/ws").__aenter__()
            assert refused.value.response.headers["Retry-After"] == "3"
            with pytest.raises(urllib.error.HTTPError, match="429"):
                await get(exchange, "/api/v3/ping")
            assert await get(exchange, "/api/v3/ping") == {}

    run(scenario)


def test_a_market_can_be_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            await get(exchange, "/sim/fault?kind=end")
            assert (await to_the_end(ws))[1:] == (1000, "end of tape")

    run(scenario)


def test_an_unknown_fault_names_the_known_ones(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Exchange(sim(), tmp_path) as exchange:
            with pytest.raises(urllib.error.HTTPError) as wrong:
                await get(exchange, "/sim/fault?kind=fire")
            assert b"drop, abort, stall" in wrong.value.read()

    run(scenario)


def test_a_client_that_does_not_read_is_disconnected(tmp_path, monkeypatch, caplog) -> None:
    monkeypatch.setattr(clients, "MAX_UNSENT_BYTES", 100_000)

    async def scenario() -> None:
        async with (
            Exchange(sim(), tmp_path) as exchange,
            client(exchange, "/ws/btcusdt@trade") as ws,
        ):
            await events(ws, 1)
            ws.transport.pause_reading()
            while len(exchange.clients):
                exchange.faults.raw("x" * 500_000)
                await asyncio.sleep(0.01)
            ws.transport.resume_reading()
            await ws.wait_closed()
            assert (ws.close_code, ws.close_reason) == (1008, "too slow")

    run(scenario)
    assert "too slow" in caplog.text


def test_a_client_that_does_not_read_does_not_delay_the_end(tmp_path: Path) -> None:
    async def scenario() -> None:
        exchange = Exchange(sim(), tmp_path)
        async with exchange, client(exchange, "/ws/btcusdt@trade") as ws:
            await events(ws, 1)
            ws.transport.pause_reading()
            async with asyncio.timeout(1):
                await exchange.__aexit__()
            ws.transport.abort()

    run(scenario)


def test_a_source_that_cannot_be_played_is_said_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="source: got 'sim:moon'; known markets: default"):
        check_source(StreamConfig(source="sim:moon"))
    with pytest.raises(TapeError, match="there is no such file"):
        check_source(StreamConfig(source=f"tape:{tmp_path / 'none'}"))
    config = tape(tmp_path, symbols="ETHUSDT")
    with pytest.raises(TapeError, match="ETHUSDT is not on this tape; it has: BTCUSDT"):
        check_source(config)
    for config in (sim(), tape(tmp_path), StreamConfig(source="binance")):
        check_source(config)
