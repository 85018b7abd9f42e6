"""Quotes and time marks among Binance's trades, as the decoder gives them."""

from __future__ import annotations

import json

import numpy as np

from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.quotes import BOOK, marks
from streaming.exchange.protocol.trades import with_aggregates
from streaming.exchange.protocol.wire import WireStream, frames
from streaming.quotes import RECEIVED
from streaming.ticks import NS_PER_MS, NS_PER_S
from streaming.venues.binance import Binance
from streaming.venues.builtin import BuiltIn
from tests.streaming.samples import START, ticks_at

NOW = START + 60 * NS_PER_S
SPOT = {"u": 400900217, "s": "BNBUSDT", "b": "25.35", "B": "31.21", "a": "25.36", "A": "40.66"}
FUTURES = {
    "e": "bookTicker",
    **SPOT,
    "u": 400900218,
    "T": 1_700_000_000_123,
    "E": 1_700_000_000_125,
}


def venue() -> Binance:
    return Binance(["BNBUSDT", "BTCUSDT"])


def frame(channel: str, data: dict[str, object]) -> bytes:
    return json.dumps(
        {"stream": f"bnbusdt@{channel}", "data": data}, separators=(",", ":")
    ).encode()


def trade(id: int, symbol: str = "BNBUSDT", **more: object) -> bytes:
    event = {"e": "trade", "s": symbol, "t": id, "p": "2.5", "q": "1", "m": True}
    return frame("trade", {**event, "T": 1_700_000_000_000, **more})


def test_a_quote_of_spot_has_the_time_of_its_receipt_and_one_of_futures_its_own() -> None:
    decoded = venue().decode([frame("bookTicker", SPOT), frame("bookTicker", FUTURES)], [7, 8], NOW)
    quotes = decoded.quotes["BNBUSDT"]
    assert quotes["id"].tolist() == [400900217, 400900218]
    assert quotes[["bid", "bid_size", "ask", "ask_size"]].tolist() == [
        (25.35, 31.21, 25.36, 40.66)
    ] * 2  # fmt: skip
    assert quotes["ts_event"].tolist() == [7, 1_700_000_000_123 * NS_PER_MS]
    assert quotes["flags"].tolist() == [RECEIVED, 0]
    assert quotes["ts_init"].tolist() == [7, 8]
    assert quotes["updates"].tolist() == [1, 1]
    assert not decoded.rejected


def test_a_quote_keeps_its_place_among_the_ticks_of_its_symbol() -> None:
    books = [frame("bookTicker", {**SPOT, "u": u}) for u in range(3)]
    batch = [books[0], trade(1), trade(1, "BTCUSDT"), books[1], trade(2, p="no"), trade(3),
             books[2]]  # fmt: skip
    decoded = venue().decode(batch, [0] * len(batch), NOW)
    assert decoded.ticks["BNBUSDT"]["id"].tolist() == [1, 3]
    assert decoded.quotes["BNBUSDT"]["after"].tolist() == [0, 1, 2]


def test_wrong_quotes_and_marks_are_counted_and_raise_nothing() -> None:
    batch = [
        frame("bookTicker", {**SPOT, "b": "x"}), frame("bookTicker", {**SPOT, "s": "ETHUSDT"}),
        frame("bookTicker", {"s": "BNBUSDT"}), frame("time", {"s": "BNBUSDT"}),
        frame("time", {"e": "time", "s": "ETHUSDT", "E": 1}), b'{"stream":"x@time"',
    ]  # fmt: skip
    decoded = venue().decode(batch, [0] * len(batch), NOW)
    assert (decoded.ticks, decoded.quotes, decoded.complete) == ({}, {}, {})
    assert decoded.rejected == {("", "malformed"): 4, ("", "foreign_symbol"): 2}


def test_what_the_exchange_sends_is_what_the_decoder_reads() -> None:
    ticks = ticks_at(0.5, 1.5)
    books = np.zeros(2, BOOK)
    books["id"], books["after"], books["ts_event"] = [8, 9], [0, 2], START + 123 * NS_PER_MS
    books["bid"], books["ask"], books["bid_size"], books["ask_size"] = 99.5, 100.5, 1e-8, 3e9
    told = marks(START + np.array([1, 2]) * NS_PER_S, np.zeros(2, int), np.array([1, 2]))
    rows = np.concatenate([books[:1], told[:1], books[1:], told[1:]])
    chunk = Chunk(with_aggregates(ticks, ticks["ts_event"]), rows)
    found = []
    for channel in ("trade", "bookTicker", "time"):
        found += frames(WireStream("BTCUSDT", channel, True, NS_PER_MS), chunk)
    places, sent = zip(*sorted(found), strict=True)
    assert places == tuple(range(6))
    decoded = venue().decode(sent, [5] * 6, NOW)
    assert decoded.ticks["BTCUSDT"]["ts_event"].tolist() == ticks["ts_event"].tolist()
    quotes = decoded.quotes["BTCUSDT"]
    for name in ("id", "ts_event", "bid", "ask", "bid_size", "ask_size", "after"):
        assert quotes[name].tolist() == books[name].tolist(), name
    assert decoded.complete == {"BTCUSDT": START + 2 * NS_PER_S}
    assert not decoded.rejected


def test_only_the_built_in_exchange_is_asked_for_time() -> None:
    assert address(BuiltIn(["A", "B"])).endswith(
        "=a@trade/a@time/a@bookTicker/b@trade/b@time/b@bookTicker"
    )
    assert address(BuiltIn(["A"], quotes=False)).endswith("=a@trade/a@time")
    assert "@time" not in address(Binance(["A"]))


def address(venue: Binance) -> str:
    return venue.links()[0].routes[0].url
