"""Whatever a venue sends, its decoder raises nothing: what cannot be used is counted."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
import time
from urllib.parse import parse_qsl, unquote, urlsplit

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.config import StreamConfig
from streaming.feed.market.conflation import Conflation
from streaming.feed.market.ingest import Ingest
from streaming.quotes import MARK, NO_QUOTES
from streaming.rings.counters import REJECTED
from streaming.tape.tables.values import MAX_ID
from streaming.ticks import VOID, faults, make_ticks
from streaming.venues import Span
from tests.streaming.venues.cases import CASES, NOTICE, SHUTDOWN

EXAMPLES = settings.default.max_examples // 3  # for each of a dozen venues
LATEST = 2**62

JUNK = [
    None, True, False, "", " ", "0", 0, -1, 1, "-1", "1e400", 1e308, "-0.0", "nan", "NaN", "inf",
    "-Infinity", "1_000", "0x1F", "1.0", "٣", "币安", "\0", "\ud800", "Buy", "sell", "SELL", "x",
    2**31, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, "9" * 19, "9" * 400, -(2**63),
    "1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-02-30T00:00:00Z", "0001-01-01",
    "2026-07-27T07:10:02.486766123+14:00", "2026-07-27T07:10:02", 1e-320, "BTCUSDT", [], {}, [[]],
    [None], {"a": 1}, [["1", "2"]], [["1"]], [[1, 2, 3, 4, 5]], "trade", "aggTrade", "pong",
    "1e-400", "\uff11", " 1 ", 10**13, 10**14, 10**16, "INSURANCE_FUND", "NA", "kline", "BNBBTC",
]  # fmt: skip
ANYTHING = st.one_of(
    st.sampled_from(JUNK), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=6)
)
ODD = [
    b"", b" ", b"null", b"0", b"[]", b"{}", b'""', b"pong", b"ping", b"\xff\xfe", b"{", b"[" * 5000,
    b'{"data":' + b"[" * 5000, b"\xef\xbb\xbf{}", b'{"data":{}}', b'{"data":[]}', b"x" * 70_000,
    b'{"stream":"btcusdt@bookTicker","data":null}', b'{"stream":"x@time","data":{"s":"","E":-1}}',
    b'{"e":"serverShutdown"}', SHUTDOWN.encode(), NOTICE.encode(), b'{"code":2,"msg":""}',
    b'{"event":"error","code":"60018","msg":"wrong"}', b'{"channel":"heartbeat"}', b'{"Error":"x"}',
    b'{"type":"error","message":"m","reason":"r"}', b'{"op":"subscribe","success":false}',
]  # fmt: skip


class Wire:
    """What one venue sends: frames of trades and quotes, and replies of REST."""

    def __init__(self, case) -> None:
        self.case = case
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        server, venue = self.case.make(self.case.symbol), self.venue(known=False)
        server.happen(8)
        for _ in range(4):
            await server.quote()
        sent = [server.trades_frame([trade]) for trade in server.trades.values()]
        sent += [server.quote_frame(quote) for quote in server.quotes]
        self.frames = [json.loads(frame) for frame in sent]
        requests = {
            "history": venue.history_request(self.case.symbol, Span(None, None, 0), 5),
            "time": venue.time_request(),
            "symbol": venue.symbol_request(self.case.symbol),
        }
        self.replies = {}
        for name, request in requests.items():
            url = urlsplit(request.url)
            self.replies[name] = server.get(unquote(url.path), dict(parse_qsl(url.query)))[1]

    def venue(self, *, known: bool = True):
        """A decoder that has seen nothing yet but how large contracts are."""
        venue = self.case.venue((self.case.symbol,))
        for market in venue.unsized.copy() if known else ():
            venue.take_symbol(market, json.dumps(self.replies["symbol"]).encode())
        return venue


WIRES = [Wire(case) for case in CASES]
wires = pytest.mark.parametrize(
    "wire", WIRES, ids=lambda wire: ascii(f"{wire.case.name} {wire.case.symbol}")
)


def encoded(value) -> bytes:
    """As JSON; a lone surrogate as it is, which is no UTF-8."""
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


def leaves(value, path=()):
    """The paths of all that is in a JSON value."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, (*path, key))


@st.composite
def damaged(draw, values):
    """One of some JSON values, with up to three things in it replaced, left out or doubled."""
    value = json.loads(json.dumps(draw(st.sampled_from(values))))
    for _ in range(draw(st.integers(0, 3))):
        paths = [path for path in leaves(value) if path]
        if not paths:
            break
        *way, key = draw(st.sampled_from(paths))
        inner = value
        for step in way:
            inner = inner[step]
        match draw(st.sampled_from(["junk", "junk", "junk", "drop", "double"])):
            case "junk":
                inner[key] = copy.deepcopy(draw(ANYTHING))
            case "drop":
                del inner[key]
            case _ if isinstance(inner, list):
                inner.append(inner[key])
    body = encoded(value)
    match draw(st.integers(0, 15)):
        case 0:
            return body[: draw(st.integers(0, len(body)))]
        case 1:
            at = draw(st.integers(0, len(body)))
            return body[:at] + draw(st.binary(max_size=3)) + body[at + 1 :]
    return body


def check_ticks(ticks) -> None:
    """Those that are not void break no invariant."""
    good = ticks[ticks["flags"] & VOID == 0]
    assert not any(wrong.any() for _, wrong in faults(good, LATEST))
    assert ((ticks["id"] >= 0) & (ticks["id"] <= MAX_ID)).all()
    assert np.isin(ticks["side"], [-1, 0, 1]).all()


def check_decoded(decoded, market: str) -> None:
    """Everything in it is what the rest of the feed may rely on."""
    assert {*decoded.ticks, *decoded.quotes, *decoded.complete, *decoded.newest} <= {market}
    assert {reason for _, reason in decoded.rejected} <= {*REJECTED}
    assert {name for name, _ in decoded.rejected} <= {market, ""}
    assert all(isinstance(text, str) for text in decoded.refused)
    for ticks in decoded.ticks.values():
        check_ticks(ticks)
    for quotes in decoded.quotes.values():
        assert (np.diff(quotes["after"]) >= 0).all()
        assert (quotes["after"] >= 0).all()


@wires
@settings(max_examples=EXAMPLES)
@given(st.data())
def test_of_damaged_frames_only_what_is_sound_is_kept(wire: Wire, data) -> None:
    market = wire.case.symbol
    venue, conflation = wire.venue(), Conflation()
    odd = st.integers(0, len(ODD) - 1).map(ODD.__getitem__)
    frame = st.one_of(damaged(wire.frames), odd, st.binary(max_size=40))
    for _ in range(data.draw(st.integers(1, 3))):
        frames = data.draw(st.lists(frame, min_size=1, max_size=6))
        stamps = [time.time_ns() + i for i in range(len(frames))]
        decoded = venue.decode(frames, stamps, LATEST)
        check_decoded(decoded, market)
        kept = conflation.take(
            decoded.quotes.get(market, NO_QUOTES), LATEST, market, decoded.rejected
        )
        assert (kept["bid"] < kept["ask"]).all()
        assert np.isfinite(kept["ofi"]).all()


@wires
def test_whole_numbers_that_no_float_holds(wire: Wire) -> None:
    number = 2**53 + 1
    for frame in wire.frames:
        for *way, key in [path for path in leaves(frame) if path]:
            changed = copy.deepcopy(frame)
            inner = changed
            for step in way:
                inner = inner[step]
            inner[key] = str(number) if isinstance(inner[key], str) else number
            decoded = wire.venue().decode([encoded(changed)], [time.time_ns()], LATEST)
            check_decoded(decoded, wire.case.symbol)


@wires
@settings(max_examples=EXAMPLES // 10)  # each makes files
@given(st.data())
def test_frames_through_the_sequencer_into_bars(tmp_path_factory, wire: Wire, data) -> None:
    venue, conflation, market = wire.venue(), Conflation(), wire.case.symbol
    config = StreamConfig(segment_seconds=0, backfill_seconds=0, tick_cache=1000, bar_ring=600)
    ingest = Ingest(tmp_path_factory.mktemp("fuzz"), market, config)
    try:
        for _ in range(data.draw(st.integers(1, 5))):
            frames = data.draw(st.lists(damaged(wire.frames), min_size=1, max_size=6))
            stamps = [time.time_ns()] * len(frames)
            latest = time.time_ns() + 60 * 10**9  # as the clock allows
            decoded = venue.decode(frames, stamps, latest)
            updates = decoded.quotes.get(market, NO_QUOTES)
            quotes = conflation.take(updates, latest, market, decoded.rejected)
            ingest.push(decoded.ticks.get(market, make_ticks(0)), quotes)
            while ingest.missing is not None:
                ingest.give_up()
        ids = ingest.ticks.read().rows["id"]
        assert (np.diff(ids) > 0).all() or ingest.take_recounts()
        bars = ingest.bars.read().rows
        for name in ("open", "high", "low", "close", "volume", "ofi"):
            assert np.isfinite(bars[name]).all()
        assert not (ingest.quote_store.ring.read().rows["flags"] & MARK).any()
    finally:
        ingest.close()


@wires
@pytest.mark.parametrize("text", ["nan", "-Infinity", "1e999", "sNaN"])
def test_a_reply_whose_numbers_are_none(wire: Wire, text: str) -> None:
    reply = wire.replies["history"]
    for *way, key in [path for path in leaves(reply) if path]:
        changed = copy.deepcopy(reply)
        inner = changed
        for step in way:
            inner = inner[step]
        inner[key] = text
        with contextlib.suppress(ValueError):
            ticks, _ = wire.venue().parse_history(
                wire.case.symbol, encoded(changed), time.time_ns(), LATEST
            )
            check_ticks(ticks)


@wires
@settings(max_examples=EXAMPLES)
@given(st.data(), st.sampled_from([200, 201, 400, 403, 418, 429, 500]))
def test_of_damaged_replies_only_what_is_sound_is_kept(wire: Wire, data, status: int) -> None:
    venue, market = wire.venue(), wire.case.symbol
    reply = st.one_of(damaged([*wire.replies.values()]), st.binary(max_size=40))
    for body in (data.draw(reply), *ODD):
        refusal = venue.refusal(status, body)
        assert refusal is None or isinstance(refusal.text, str)
        try:
            ticks, rejected = venue.parse_history(market, body, time.time_ns(), LATEST)
        except ValueError:
            pass
        else:
            assert {reason for _, reason in rejected} <= {*REJECTED}
            check_ticks(ticks)
            void = np.count_nonzero(ticks["flags"] & VOID)
            assert rejected.total() - rejected[market, "malformed"] == void
        with contextlib.suppress(ValueError):
            assert 0 < venue.parse_time(body) < LATEST
        with contextlib.suppress(ValueError):
            wire.venue(known=False).take_symbol(market, body)
