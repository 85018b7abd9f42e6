"""The exchange's pure parts: aggregates, history, pacing and Binance's messages."""

from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.bars import MAX_CARRY_S
from streaming.exchange.markets import MARKETS, seconds
from streaming.exchange.pacing.playback import Playback, Removal
from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.rest_rows import decimal
from streaming.exchange.protocol.subscriptions import Subscriptions
from streaming.exchange.protocol.trades import History, with_aggregates
from streaming.exchange.protocol.wire import WireStream, frames, stream_of
from streaming.exchange.sources import due_times, market_chunks
from streaming.ticks import NS_PER_MS, NS_PER_S, NS_PER_US, Ticks, make_ticks

# A loaded machine is no failure.
relaxed = settings(deadline=None)

MS = 1_700_000_000_000
TRADE = WireStream("BTCUSDT", "trade", False, NS_PER_MS)
AGG = WireStream("BTCUSDT", "aggTrade", False, NS_PER_MS)


def ticks_of(rows: list[tuple[int, float, int]]) -> Ticks:
    """Ticks of (ms after the one before, price, side), sizes 0.1, ids from 100."""
    ticks = make_ticks(len(rows))
    steps, ticks["price"], ticks["side"] = zip(*rows, strict=True)
    ticks["ts_event"] = (MS + np.cumsum(steps)) * NS_PER_MS
    ticks["id"] = np.arange(100, 100 + len(rows))
    ticks["size"] = 0.1
    return ticks


def trades_of(rows: list[tuple[int, float, int]]):
    ticks = ticks_of(rows)
    return with_aggregates(ticks, ticks["ts_event"])


def texts(stream: WireStream, trades) -> list[bytes]:
    return [frame for _, frame in frames(stream, Chunk(trades))]


def aggregates(trades) -> list[dict]:
    return [json.loads(frame) for frame in texts(AGG, trades)]


ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([1.0, 2.0]), st.sampled_from([-1, 1])),
    min_size=1,
    max_size=30,
)


@relaxed
@given(ROWS, st.lists(st.integers(0, 30), max_size=5))
def test_aggregates_do_not_depend_on_how_trades_are_batched(rows, cuts) -> None:
    trades = trades_of(rows)
    parts = np.split(trades, sorted(min(cut, len(trades)) for cut in cuts))
    assert [event for part in parts for event in aggregates(part)] == aggregates(trades)


@relaxed
@given(ROWS)
def test_aggregates_cover_each_trade_once_and_add_up(rows) -> None:
    trades = trades_of(rows)
    events = aggregates(trades)
    assert [id for e in events for id in range(e["f"], e["l"] + 1)] == trades["id"].tolist()
    assert [e["a"] for e in events] == list(range(1, len(events) + 1))
    for event in events:
        own = trades[(trades["id"] >= event["f"]) & (trades["id"] <= event["l"])]
        assert float(event["q"]) == pytest.approx(own["size"].sum())
        assert len(np.unique(own[["ts_event", "price", "side"]])) == 1


def test_trades_whose_ids_do_not_follow_are_not_one_aggregate() -> None:
    ticks = ticks_of([(0, 1.0, 1)] * 3)
    ticks["id"] = [100, 101, 103]
    events = aggregates(with_aggregates(ticks, ticks["ts_event"]))
    assert [(event["f"], event["l"]) for event in events] == [(100, 101), (103, 103)]


def test_an_aggregate_s_size_has_no_rounding_noise() -> None:
    assert aggregates(trades_of([(0, 1.0, 1)] * 3))[0]["q"] == "0.3"


@relaxed
@given(ROWS, st.lists(st.integers(0, 30), max_size=5), st.integers(0, 10))
def test_a_removal_takes_trades_once_and_their_aggregates_as_a_whole(rows, cuts, count) -> None:
    trades = trades_of(rows)
    removal = Removal()
    removal.count = count
    parts = np.split(trades, sorted(min(cut, len(trades)) for cut in cuts))
    left = [removal.apply(part) for part in parts]
    gone = trades["id"][:count].tolist()
    assert np.concatenate(left)["id"].tolist() == trades["id"][count:].tolist()
    whole = [event for event in aggregates(trades) if not set(gone) & {event["f"], event["l"]}]
    assert [event for part in left for event in aggregates(part)] == whole


@relaxed
@given(st.lists(st.integers(0, 25), max_size=20))
def test_history_keeps_the_newest_trades_in_order(sizes) -> None:
    trades = trades_of([(1, 1.0, 1)] * max(1, sum(sizes)))
    history, stop = History(capacity=10), 0
    for size in sizes:
        history.append(trades[stop : stop + size])
        stop += size
        kept = history.trades["id"].tolist()
        assert kept == trades["id"][:stop].tolist()[-len(kept) :] if kept else stop == 0
        assert len(kept) >= min(stop, 10)
    assert len(history.trades) <= 20


@relaxed
@given(st.lists(st.integers(0, 50), max_size=8))
def test_a_playback_hands_out_each_trade_once_when_it_is_due(times) -> None:
    trades = trades_of([(1, 1.0, 1)] * 40)
    parts = map(Chunk, np.split(trades, [7, 20]))
    playback, out = Playback((part, part.trades["ts_event"]) for part in parts), []
    for now in sorted(times):
        while playback.due((MS + now) * NS_PER_MS):
            out += playback.advance((MS + now) * NS_PER_MS, limit=5).trades["id"].tolist()
        assert out == trades["id"][: min(now, 40)].tolist()
        assert playback.history.trades["id"].tolist() == out
        assert playback.ended == (now >= 40)


def rows_until(end_s: int, present_s: int) -> tuple[list[object], list[object]]:
    """All trades, and all quotes and marks, of a market that is handed out second by second."""
    market = seconds(MARKETS["default"], 0, "BTCUSDT", 0, quotes=True)
    chunks = market_chunks(market, 0, 250 * NS_PER_MS, present_s * NS_PER_S)
    playback = Playback(chunks)
    trades: list[object] = []
    books: list[object] = []
    for now in range(NS_PER_S, end_s * NS_PER_S, NS_PER_S):
        while playback.due(now):
            part = playback.advance(now)
            before = len(trades) + part.books["after"]
            trades += part.trades.tolist()
            books += [(*row[:-2], n) for row, n in zip(part.books.tolist(), before, strict=True)]
    return trades, books


def test_a_past_that_is_made_by_the_minute_is_that_of_seconds() -> None:
    assert rows_until(150, present_s=140) == rows_until(150, present_s=0)


def test_a_tape_is_paced_across_its_symbols_and_long_silences_are_cut() -> None:
    day = 24 * 3600 * NS_PER_S
    a = np.array([5, 4, 10 + day])  # the second row says it came before the first
    b = np.array([8, 12 + day])
    pause = MAX_CARRY_S * NS_PER_S
    due = [part.tolist() for part in due_times([a, b])]
    assert due == [[5, 5, 8 + pause], [8, 10 + pause]]


def test_a_trade_event_has_binance_s_fields() -> None:
    frame = texts(TRADE, trades_of([(0, 60000.25, -1)]))[0]
    assert frame == (
        b'{"e":"trade","E":1700000000000,"s":"BTCUSDT","t":100,"p":"60000.25","q":"0.1",'
        b'"T":1700000000000,"m":true,"M":true}'
    )


def test_an_agg_trade_event_has_binance_s_fields_in_its_envelope() -> None:
    frame = texts(AGG._replace(combined=True), trades_of([(0, 2.0, 1)] * 2))[0]
    assert frame == (
        b'{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1700000000000,"s":"BTCUSDT",'
        b'"a":1,"p":"2.0","q":"0.2","f":100,"l":101,"T":1700000000000,"m":false,"M":true}}'
    )


def test_an_unknown_side_is_null_and_bad_numbers_pass_as_they_are() -> None:
    event = json.loads(texts(TRADE, trades_of([(0, -1.0, 0)]))[0])
    assert (event["m"], event["p"]) == (None, "-1.0")


def test_times_are_us_if_asked_for() -> None:
    frame = texts(TRADE._replace(unit_ns=NS_PER_US), trades_of([(0, 1.0, 1)]))[0]
    assert json.loads(frame)["T"] == MS * 1000


@relaxed
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_decimal_text_reads_back_to_the_same_float(number) -> None:
    assert "e" not in decimal(number)
    assert float(decimal(number)) == number
    assert math.copysign(1, float(decimal(number))) == math.copysign(1, number)


def test_stream_names_are_lower_case_and_unknown_ones_silent() -> None:
    assert stream_of("btcusdt@trade", combined=False, unit_ns=NS_PER_MS) == TRADE
    for name in ("BTCUSDT@trade", "btcusdt@depth", "btcusdt"):
        assert stream_of(name, combined=False, unit_ns=NS_PER_MS) is None


REQUESTS = [
    ('{"method":"SUBSCRIBE","params":["b@trade"],"id":1}', {"result": None, "id": 1}),
    ('{"method":"UNSUBSCRIBE","params":["a@trade"],"id":"x1"}', {"result": None, "id": "x1"}),
    ('{"method":"LIST_SUBSCRIPTIONS","id":3}', {"result": ["a@trade"], "id": 3}),
    ('{"method":"GET_PROPERTY","params":["combined"],"id":2}', {"result": False, "id": 2}),
    ('{"method":"SET_PROPERTY","params":["combined",true]}', {"result": None, "id": None}),
    (
        '{"method":"SET_PROPERTY","params":["combined",1],"id":1}',
        {"code": 1, "msg": "Invalid value type: expected Boolean"},
    ),
    (
        '{"method":"GET_PROPERTY","params":["colour"],"id":4}',
        {"code": 0, "msg": "Unknown property", "id": 4},
    ),
    (
        '{"method":"GET_PROPERTY","params":["combined",1],"id":4}',
        {"code": 2, "msg": "Invalid request: too many parameters"},
    ),
    (
        '{"method":"SUBSCRIBE","params":[],"id":-1}',
        {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"},
    ),
    (
        '{"method":"LOGIN","id":1}',
        {
            "code": 2,
            "msg": "Invalid request: unknown variant LOGIN, expected one of `SUBSCRIBE`, "
            "`UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`",
        },
    ),
    ("hello", {"code": 3, "msg": "Invalid JSON: expected value at line 1 column 1"}),
]


@pytest.mark.parametrize(("request_text", "reply"), REQUESTS)
def test_requests_get_binance_s_replies(request_text, reply) -> None:
    subscriptions = Subscriptions(["a@trade", "0"], combined=False, unit_ns=NS_PER_MS)
    assert msgspec.json.decode(subscriptions.receive(request_text)) == reply


@relaxed
@given(st.text() | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["method", "params", "id"]) | st.text(), inner
    ),
    max_leaves=15,
).map(json.dumps))  # fmt: skip
def test_whatever_is_received_gets_a_reply(text) -> None:
    subscriptions = Subscriptions([], combined=False, unit_ns=NS_PER_MS)
    assert isinstance(msgspec.json.decode(subscriptions.receive(text)), dict)
