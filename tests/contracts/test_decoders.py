"""What every venue's decoder must do; each venue brings its own messages.

``fixtures/<venue>.jsonl`` has one message a line, in the venue's documented format, with what
must come of it: a tick, a quote, a reason for rejecting it, a request to reconnect, words of
refusal, the id of the newest trade, or nothing (a reply to our own request). All are received at
``RECEIVED``.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.rings.counters import REJECTED
from streaming.ticks import NS_PER_S, REPAIRED, VOID, Ticks
from streaming.venues import Span, Venue
from streaming.venues.binance import Binance
from streaming.venues.binance_futures import BinanceUsdM
from streaming.venues.bybit import Bybit
from streaming.venues.coinbase import Coinbase
from streaming.venues.kraken import Kraken
from streaming.venues.okx import Okx

RECEIVED = 1_704_067_201 * NS_PER_S  # 2024-01-01 00:00:01 UTC
LATEST = RECEIVED + 60 * NS_PER_S
FIXTURES = Path(__file__).parent / "fixtures"
CAPTURES = Path(__file__).parents[3] / "shared" / "tapes" / "wire"


@dataclass(frozen=True)
class Case:
    """One venue as the contract sees it."""

    venue: str
    make: Callable[[str], Venue]  # from a channel
    lines: list[dict] = field(repr=False)
    history: bytes  # a REST reply of two trades, one sold at 4.000001 x 12 and a void one
    time: bytes  # a REST reply with the clock at RECEIVED
    symbols: tuple[str, ...] = ("BNBBTC", "ETHUSDT")
    ids: tuple[int, int] = (41, 42)  # of the two trades
    never: frozenset[str] = frozenset({"not_market"})  # reasons that it has not


def load(venue: str) -> list[dict]:
    text = (FIXTURES / f"{venue}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


CASES = [
    Case(
        "binance",
        lambda channel: Binance(("BNBBTC", "ETHUSDT"), channel=channel),
        load("binance"),
        history=b'[{"id":41,"price":"4.00000100","qty":"12.00000000","quoteQty":"48.000012",'
        b'"time":1499865549590,"isBuyerMaker":true,"isBestMatch":true},'
        b'{"id":42,"price":"0.0","qty":"0.0","quoteQty":"0","time":1499865549591,'
        b'"isBuyerMaker":false,"isBestMatch":true,"new":{}}]',
        time=b'{"serverTime":1704067201000}',
        never=frozenset(),
    ),
    Case(
        "binance-usdm",
        lambda channel: BinanceUsdM(("BTCUSDT", "ETHUSDT")),
        load("binance-usdm"),
        history=b'[{"a":41,"p":"4.00000100","q":"12.00000000","f":27781,"l":27790,'
        b'"T":1499865549590,"m":true},{"a":42,"p":"0","q":"1","f":27791,"l":27791,'
        b'"T":1499865549591,"m":true}]',
        time=b'{"serverTime":1704067201000}',
        symbols=("BTCUSDT", "ETHUSDT"),
        never=frozenset(),
    ),
    Case(
        "coinbase",
        lambda channel: Coinbase(("BTC-USD", "ETH-USDT")),
        load("coinbase"),
        history=b'[{"trade_id":42,"side":"buy","size":"1","price":"0",'
        b'"time":"2017-07-12T13:19:09.59Z"},{"trade_id":41,"side":"buy","size":"12.00000000",'
        b'"price":"4.00000100","time":"2017-07-12T13:19:09.590Z"}]',
        time=b'{"iso":"2024-01-01T00:00:01Z","epoch":1704067201.0}',
        symbols=("BTC-USD", "ETH-USDT"),
    ),
    Case(
        "kraken",
        lambda channel: Kraken(("BTC/USD", "MATIC/USD")),
        load("kraken"),
        history=b'{"error":[],"result":{"XXBTZUSD":[["4.00000100","12.0",1499865549.590,"s","m","",'
        b'41],["0","1",1499865549.591,"b","l","",42]],"last":"1499865549591000000"}}',
        time=b'{"error":[],"result":{"unixtime":1704067201,"rfc1123":"Mon,  1 Jan 24 00:00:01"}}',
        symbols=("BTC/USD", "MATIC/USD"),
    ),
    Case(
        "bybit",
        lambda channel: Bybit(("BTCUSDT", "ETHUSDT")),
        load("bybit"),
        history=b'{"retCode":0,"retMsg":"OK","result":{"category":"spot","list":['
        b'{"execId":"b","symbol":"BTCUSDT","price":"0","size":"1","side":"Buy",'
        b'"time":"1499865549591","isBlockTrade":false},{"execId":"2290000000984259176",'
        b'"symbol":"BTCUSDT","price":"4.000001","size":"12.0","side":"Sell",'
        b'"time":"1499865549590","isBlockTrade":false}]},"time":1672053054358}',
        time=b'{"retCode":0,"retMsg":"OK","result":{"timeSecond":"1704067201",'
        b'"timeNano":"1704067201000000000"},"time":1704067201000}',
        symbols=("BTCUSDT", "ETHUSDT"),
        ids=(1, 2),
    ),
    Case(
        "okx",
        lambda channel: Okx(("BTC-USDT", "ETH-USDT")),
        load("okx"),
        history=b'{"code":"0","msg":"","data":[{"instId":"BTC-USDT","side":"buy","sz":"1","px":"0",'
        b'"tradeId":"42","ts":"1499865549591"},{"instId":"BTC-USDT","side":"sell","sz":"12.0",'
        b'"px":"4.000001","tradeId":"41","ts":"1499865549590"}]}',
        time=b'{"code":"0","data":[{"ts":"1704067201000"}],"msg":""}',
        symbols=("BTC-USDT", "ETH-USDT"),
    ),
]
LINES = [
    pytest.param(case, line, id=f"{case.venue}: {line['name']}")
    for case in CASES
    for line in case.lines
]
venues = pytest.mark.parametrize("case", CASES, ids=lambda case: case.venue)


def frame_of(line: dict) -> bytes:
    """The message as a venue sends it: compact, or as the line says."""
    if "text" in line:
        return line["text"].encode()
    return json.dumps(line["frame"], separators=(",", ":")).encode()


def kept(ticks: dict[str, Ticks]) -> dict[str, list]:
    """The usable ticks by symbol, as tuples."""
    usable = {symbol: rows[rows["flags"] & VOID == 0].tolist() for symbol, rows in ticks.items()}
    return {symbol: rows for symbol, rows in usable.items() if rows}


@pytest.mark.parametrize(("case", "line"), LINES)
def test_a_message_becomes_what_its_fixture_says(case, line):
    venue = case.make(line.get("channel", "trade"))
    decoded = venue.decode([frame_of(line)], [RECEIVED], LATEST)
    tick, quote = line.get("tick"), line.get("quote")
    assert list(decoded.quotes) == ([line["symbol"]] if quote else [])
    if quote:
        (row,) = decoded.quotes[line["symbol"]]
        assert {name: row[name].item() for name in quote} == quote
        assert (row["ts_init"], row["updates"], row["after"]) == (RECEIVED, 1, 0)
    assert decoded.newest == line.get("newest", {})
    assert list(decoded.refused) == line.get("refused", [])
    assert list(kept(decoded.ticks)) == ([line["symbol"]] if tick else [])
    if tick:
        (row,) = decoded.ticks[line["symbol"]]
        assert {name: row[name].item() for name in tick} == tick
        assert (row["ts_init"], row["flags"]) == (RECEIVED, 0)
    reason = line.get("rejected")
    assert decoded.rejected == (Counter({tuple(reason): 1}) if reason else Counter())
    assert bool(decoded.reconnect) == line.get("reconnect", False)


@venues
def test_the_fixtures_reject_for_every_reason_there_is(case):
    reasons = {line["rejected"][1] for line in case.lines if "rejected" in line}
    assert reasons | {"oversized", "bad_quote"} == {*REJECTED, "bad_quote"} - case.never


@pytest.mark.parametrize(("case", "line"), LINES)
def test_a_message_does_not_harm_its_neighbours(case, line):
    channel = line.get("channel", "trade")
    venue = case.make(channel)
    good = next(
        other
        for other in case.lines
        if "tick" in other and other.get("channel", "trade") == channel
    )
    alone = venue.decode([frame_of(good)] * 2, [RECEIVED, RECEIVED + 1], LATEST)
    between = venue.decode(
        [frame_of(good), frame_of(line), frame_of(good)], [RECEIVED, RECEIVED, RECEIVED + 1], LATEST
    )
    around = kept(between.ticks)[good["symbol"]]
    if "tick" in line and line["symbol"] == good["symbol"]:
        del around[1]
    assert around == kept(alone.ticks)[good["symbol"]]
    assert between.rejected.total() == ("rejected" in line)


@pytest.mark.parametrize(
    ("case", "line"), [p for p in LINES if p.values[1].get("rejected", [""])[0]]
)
def test_a_tick_that_breaks_an_invariant_goes_on_marked_void_with_its_id(case, line):
    ticks = case.make("trade").decode([frame_of(line)], [RECEIVED], LATEST).ticks
    (row,) = ticks[line["rejected"][0]]
    assert (row["id"], row["flags"]) == (1, VOID)


@venues
@given(st.data())
@settings(deadline=None)  # the machine may be busy
def test_decoding_is_the_same_for_any_batching(case, data):
    trades = [line for line in case.lines if line.get("channel", "trade") == "trade"]
    drawn = data.draw(st.lists(st.sampled_from(trades), max_size=30))
    frames = [frame_of(line) for line in drawn]
    stamps = [RECEIVED + i for i in range(len(frames))]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(frames)), max_size=6)))
    venue = case.make("trade")
    whole = venue.decode(frames, stamps, LATEST)
    bounds = [0, *cuts, len(frames)]
    ticks: dict[str, list] = {}
    rejected: Counter[tuple[str, str]] = Counter()
    reconnect = False
    for start, stop in pairwise(bounds):
        part = venue.decode(frames[start:stop], stamps[start:stop], LATEST)
        for symbol, rows in part.ticks.items():
            ticks.setdefault(symbol, []).extend(map(repr, rows.tolist()))  # nan != nan
        rejected += part.rejected
        reconnect |= bool(part.reconnect)
    assert ticks == {
        symbol: [repr(row) for row in rows.tolist()] for symbol, rows in whole.ticks.items()
    }
    assert rejected == whole.rejected
    assert reconnect == bool(whole.reconnect)
    n_void = sum(int((rows["flags"] & VOID != 0).sum()) for rows in whole.ticks.values())
    assert n_void == sum(n for (symbol, _), n in rejected.items() if symbol)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "e",
                    "s",
                    "t",
                    "a",
                    "p",
                    "q",
                    "T",
                    "m",
                    "data",
                    "result",
                    "code",
                    "type",
                    "time",
                    "product_id",
                    "channel",
                    "method",
                    "error",
                    "topic",
                    "op",
                    "arg",
                    "event",
                ]
            ),
            inner,
            max_size=8,
        )
    ),
    max_leaves=12,
)


@venues
@pytest.mark.parametrize("channel", ["trade", "aggTrade"])
@given(junk=st.lists(st.binary(max_size=60) | JSON.map(lambda x: json.dumps(x).encode())))
@settings(deadline=None)  # the machine may be busy
def test_no_bytes_make_it_raise(case, channel, junk):
    decoded = case.make(channel).decode(junk, [RECEIVED] * len(junk), LATEST)
    assert not kept(decoded.ticks) or any(s.encode() in f for f in junk for s in case.symbols)
    assert decoded.rejected.total() <= len(junk)


@venues
@given(st.data())
@settings(deadline=None)  # the machine may be busy
def test_a_damaged_message_never_raises_and_never_breaks_an_invariant(case, data):
    frame = bytearray(frame_of(data.draw(st.sampled_from(case.lines))))
    for _ in range(data.draw(st.integers(1, 3))):
        if frame:
            frame[data.draw(st.integers(0, len(frame) - 1))] = data.draw(st.integers(0, 255))
    decoded = case.make("trade").decode([bytes(frame)], [RECEIVED], LATEST)
    for rows in decoded.ticks.values():
        usable = rows[rows["flags"] & VOID == 0]
        assert (np.isfinite(usable["price"]) & (usable["price"] > 0)).all()
        assert (np.isfinite(usable["size"]) & (usable["size"] > 0)).all()
        assert (usable["ts_event"] <= RECEIVED + 60 * NS_PER_S).all()


@venues
@pytest.mark.parametrize(
    "head", [b"", b'{"e":"trade","x":', b'{"data":', b'{"result":', b'{"data":{"e":"trade","x":']
)
@pytest.mark.parametrize("nest", [b"[", b'{"a":'])
def test_a_frame_nested_without_end_is_malformed(case, head, nest):
    frame = head + nest * (60_000 // len(nest))
    decoded = case.make("trade").decode([frame], [RECEIVED], LATEST)
    assert decoded.rejected == Counter({("", "malformed"): 1})


@pytest.mark.parametrize(("case", "line"), [p for p in LINES if "tick" in p.values[1]])
def test_a_frame_much_larger_than_a_trade_is_oversized_whatever_it_holds(case, line):
    frame = frame_of(line)
    venue = case.make(line.get("channel", "trade"))
    blanks = b" " * getattr(venue, "max_frame_bytes", 70_000)
    decoded = venue.decode([frame, frame + blanks], [RECEIVED] * 2, LATEST)
    assert decoded.rejected == Counter({("", "oversized"): 1})
    assert len(kept(decoded.ticks)[line["symbol"]]) == 1


@venues
def test_no_frames_are_no_ticks(case):
    decoded = case.make("trade").decode([], [], LATEST)
    assert (decoded.ticks, decoded.rejected.total(), decoded.reconnect) == ({}, 0, "")


@venues
def test_a_rest_reply_becomes_repaired_ticks_and_keeps_void_ones_known(case):
    venue, market = case.make("trade"), case.symbols[0]
    ticks, rejected = venue.parse_history(market, case.history, RECEIVED, LATEST)
    assert rejected == Counter({(market, "bad_price"): 1})
    ticks = np.sort(ticks, order="id")
    assert ticks["id"].tolist() == [*case.ids]
    assert ticks["flags"].tolist() == [REPAIRED, REPAIRED | VOID]
    assert ticks["ts_init"].tolist() == [RECEIVED] * 2
    assert (ticks["price"][0], ticks["size"][0], ticks["side"][0]) == (4.000001, 12.0, -1)
    assert ticks["ts_event"][0] == 1499865549590000000


def test_binance_aggregated_rest_trades_have_the_aggregate_id():
    body = b'[{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27790,'
    body += b'"T":1498793709153,"m":false,"M":true}]'
    venue = Binance(("BNBBTC",), channel="aggTrade")
    (row,) = venue.parse_history("BNBBTC", body, RECEIVED, LATEST)[0]
    assert (row["id"], row["price"], row["side"]) == (26129, 0.01633102, 1)


@venues
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b'{"code":-1121}',
        b'{"serverTime":0}',
        b'{"serverTime":9007199254740992}',
        b'[{"x":' + b"[" * 50_000,
        b'{"x":' + b"[" * 50_000,
    ],
    ids=lambda body: body[:20].decode(),
)
def test_a_rest_reply_that_is_none_is_a_value_error(case, body):
    venue = case.make("trade")
    with pytest.raises(ValueError):  # noqa: PT011  (any text)
        venue.parse_history(case.symbols[0], body, RECEIVED, LATEST)
    with pytest.raises(ValueError):  # noqa: PT011
        venue.parse_time(body)


@venues
def test_the_clock_is_read_in_ns(case):
    assert case.make("trade").parse_time(case.time) == RECEIVED


def test_binance_addresses_follow_the_documentation():
    venue = Binance(("BNBBTC", "ETHUSDT"), ws="ws://here:1/", rest="http://there:2/")
    (link,) = venue.links()
    assert link.routes[0].url == (
        "ws://here:1/stream?streams=bnbbtc@trade/bnbbtc@bookTicker/ethusdt@trade/ethusdt@bookTicker"
    )
    assert venue.history_request("ETHUSDT", Span(7, None, 0), 9) == (
        "http://there:2/api/v3/historicalTrades?symbol=ETHUSDT&fromId=7&limit=9",
        25,
    )
    newest = venue.history_request("ETHUSDT", Span(None, None, 0), 1)
    assert newest.url.endswith("?symbol=ETHUSDT&limit=1")
    assert venue.symbol_request("ETHUSDT") == (
        "http://there:2/api/v3/exchangeInfo?symbol=ETHUSDT",
        20,
    )
    assert venue.time_request() == ("http://there:2/api/v3/time", 1)
    agg = Binance(("BNBBTC",), channel="aggTrade", quotes=False)
    (link,) = agg.links()
    assert link.routes[0].url == "wss://stream.binance.com:9443/stream?streams=bnbbtc@aggTrade"
    request = agg.history_request("BNBBTC", Span(7, None, 0), 9)
    assert request.url.startswith("https://api.binance.com/api/v3/aggTrades?")
    assert request.weight == 4


def read_capture(name: str) -> list[str]:
    path = CAPTURES / name
    if not path.exists():
        pytest.skip(f"needs {path}")
    return gzip.decompress(path.read_bytes()).decode().splitlines()


def test_binance_trades_captured_in_2024_decode_completely():
    lines = [line.split(" ", 1) for line in read_capture("binance_trade_20240808.txt.gz")]
    frames = [text.encode() for _, text in lines]
    decoded = Binance(("BTCUSDT", "ETHUSDT")).decode(
        frames, [int(stamp) for stamp, _ in lines], 2**62
    )
    assert decoded.rejected.total() == 0
    assert sum(map(len, decoded.ticks.values())) == len(lines)
    for symbol, ticks in decoded.ticks.items():
        assert (np.diff(ticks["id"]) == 1).all()
        mine = [json.loads(text)["data"] for _, text in lines if f'"s":"{symbol}"' in text]
        assert ticks["price"].tolist() == [float(trade["p"]) for trade in mine]
        assert (ticks["ts_event"] // 10**6).tolist() == [trade["T"] for trade in mine]
        assert (ticks["side"] < 0).tolist() == [trade["m"] for trade in mine]


def test_binance_aggtrades_captured_in_2021_decode_completely():
    rows = [line.split("\t") for line in read_capture("binance_aggtrade_2021.tsv.gz")]
    received = [(float(time), text) for time, kind, text in rows if kind == "R"]
    symbols = tuple(sorted({re.search(r'"s":"(\w+)"', text)[1] for _, text in received}))
    stamps = [int(time * 1e9) for time, _ in received]
    frames = [text.encode() for _, text in received]
    decoded = Binance(symbols, channel="aggTrade").decode(frames, stamps, 2**62)
    trades = sum('"e":"aggTrade"' in text for _, text in received)
    assert sum(map(len, decoded.ticks.values())) == trades > 0
    assert decoded.rejected.total() == len(received) - trades
    assert not any((ticks["flags"] & VOID).any() for ticks in decoded.ticks.values())
    assert all((np.diff(ticks["id"]) == 1).all() for ticks in decoded.ticks.values())


@venues
@given(st.data())
@settings(deadline=None)  # the machine may be busy
def test_a_damaged_rest_reply_is_sound_ticks_or_a_value_error(case, data):
    body = bytearray(case.history)
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)) | st.just(len(body)))]
    venue = case.make("trade")
    try:
        ticks, rejected = venue.parse_history(case.symbols[0], bytes(body), RECEIVED, LATEST)
    except ValueError:
        return
    usable = ticks[ticks["flags"] & VOID == 0]
    assert (np.isfinite(usable["price"]) & (usable["price"] > 0)).all()
    assert (np.isfinite(usable["size"]) & (usable["size"] > 0)).all()
    assert (usable["ts_event"] <= LATEST).all()
    assert (ticks["id"] >= 0).all()
    assert {reason for _, reason in rejected} <= set(REJECTED)


@venues
@given(status=st.sampled_from([200, 400, 403, 404, 418, 429, 500]), data=st.data())
@settings(deadline=None)  # the machine may be busy
def test_any_reply_is_an_answer_or_a_refusal(case, status, data):
    body = data.draw(st.binary(max_size=60) | JSON.map(lambda x: json.dumps(x).encode()))
    refusal = case.make("trade").refusal(status, body)
    assert status == 200 or refusal is not None
    assert refusal is None or isinstance(refusal.text, str)


REFUSED = [
    ("binance", 400, '{"code":-1121,"msg":"Invalid symbol."}', True, False),
    ("binance-usdm", 400, '{"code":-1121,"msg":"Invalid symbol."}', True, False),
    ("coinbase", 404, '{"message":"NotFound"}', True, False),
    ("coinbase", 429, '{"message":"Public rate limit exceeded"}', False, False),
    ("kraken", 200, '{"error":["EQuery:Unknown asset pair"]}', True, False),
    ("kraken", 200, '{"error":["EGeneral:Too many requests"]}', False, True),
    ("bybit", 200, '{"retCode":10001,"retMsg":"Not supported symbols"}', True, False),
    ("bybit", 200, '{"retCode":10006,"retMsg":"Too many visits!"}', False, True),
    ("okx", 200, '{"code":"51001","msg":"Instrument ID does not exist","data":[]}', True, False),
    ("okx", 429, '{"code":"50011","msg":"Too Many Requests","data":[]}', False, True),
]


@pytest.mark.parametrize(("venue", "status", "body", "unknown", "too_many"), REFUSED)
def test_a_refusal_is_understood(venue, status, body, unknown, too_many):
    (case,) = [case for case in CASES if case.venue == venue]
    refusal = case.make("trade").refusal(status, body.encode())
    assert (refusal.unknown_symbol, refusal.too_many) == (unknown, too_many)
    assert refusal.text


def test_coinbase_matches_captured_in_2021_have_the_takers_side():
    rows = [line.split("\t", 2) for line in read_lines("coinbase_exchange_2021.tsv")]
    received = [(float(time), text) for time, kind, text in rows if kind == "R"]
    trades = [json.loads(text) for _, text in received if '"type":"match"' in text]
    messages = [json.loads(text) for _, text in received]
    tickers = {m["sequence"]: m["side"] for m in messages if m["type"] == "ticker" and "side" in m}
    venue = Coinbase({trade["product_id"] for trade in trades})
    decoded = venue.decode([text.encode() for _, text in received], [0] * len(received), 2**62)
    for symbol, ticks in decoded.ticks.items():
        mine = {t["trade_id"]: t for t in trades if t["product_id"] == symbol}
        for tick in ticks[np.isin(ticks["id"], [*mine])]:
            trade = mine[int(tick["id"])]
            assert tick["price"] == float(trade["price"])
            taker = tickers.get(trade["sequence"])
            assert taker is None or tick["side"] == (1 if taker == "buy" else -1)


def read_lines(name: str) -> list[str]:
    path = CAPTURES / name
    if not path.exists():
        pytest.skip(f"needs {path}")
    return path.read_text().splitlines()
