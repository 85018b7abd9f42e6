"""Whatever a venue sends, what comes of it is counted drops, named errors and sound ticks."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.config import StreamConfig
from streaming.counters import REJECTED
from streaming.ingest import Ingest
from streaming.ticks import NS_PER_S, OLDEST_TS, VOID
from streaming.venues.binance import Binance

NOW = 1_704_067_201 * NS_PER_S
LATEST = NOW + 60 * NS_PER_S
SYMBOLS = ("BNBBTC", "币安USDT")

channels = pytest.mark.parametrize("channel", ["trade", "aggTrade"])

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=6),
    st.sampled_from(
        [
            "0",
            "-0",
            "-1",
            "nan",
            "inf",
            "1e400",
            "1e-400",
            "0x1",
            "\uff11",
            "9" * 400,
            "",
            " 1 ",
            "1_0",
        ]
    ),
    st.sampled_from([2**53, 2**53 + 1, 2**63, -(2**63), 10**13, 10**14, 10**16, [], {}, [[]]]),
)
NUMBERS = st.floats(1e-12, 1e12).map(str)
TIMES = st.integers(NOW // 10**6 - 10**6, LATEST // 10**6)


def fields(good: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    """Objects with these fields: mostly good ones, sometimes an odd one, sometimes none."""
    mostly = {name: st.one_of(value, value, value, ODD) for name, value in good.items()}
    whole = st.fixed_dictionaries(mostly)
    return st.one_of(st.fixed_dictionaries(good), whole, st.fixed_dictionaries({}, optional=mostly))


EVENTS = fields(
    {
        "e": st.sampled_from(["trade", "aggTrade", "serverShutdown", "kline"]),
        "s": st.sampled_from([*SYMBOLS, "bnbbtc", "DOGE"]),
        "t": st.integers(1, 60), "a": st.integers(1, 60),
        "p": NUMBERS, "q": NUMBERS, "T": TIMES, "m": st.booleans(),
        "X": st.sampled_from(["MARKET", "MARKET", "INSURANCE_FUND", "NA"]),
    }
)  # fmt: skip
ROWS = fields(
    {
        "id": st.integers(1, 60), "a": st.integers(1, 60), "price": NUMBERS, "qty": NUMBERS,
        "p": NUMBERS, "q": NUMBERS, "time": TIMES, "T": TIMES, "isBuyerMaker": st.booleans(),
        "m": st.booleans(),
    }
)  # fmt: skip


@st.composite
def damaged(draw, good: st.SearchStrategy) -> bytes:
    """The bytes of what is drawn: as they are, cut off, or with some of them changed."""
    text = bytearray(json.dumps(draw(good), ensure_ascii=draw(st.booleans())).encode())
    how = draw(st.sampled_from(["whole", "whole", "cut", "changed", "junk"]))
    if how == "cut":
        del text[draw(st.integers(0, len(text))) :]
    elif how == "changed":
        for _ in range(draw(st.integers(1, 4))):
            text[draw(st.integers(0, len(text) - 1))] = draw(st.integers(0, 255))
    elif how == "junk":
        return draw(st.binary(max_size=80))
    return bytes(text)


FRAMES = st.lists(damaged(st.one_of(EVENTS, EVENTS.map(lambda event: {"data": event}))), max_size=8)
BODIES = damaged(st.one_of(st.lists(st.one_of(ROWS, ROWS, ODD), max_size=6), ROWS, ODD))


def assert_sound(ticks):
    """Those that are not void break no invariant."""
    usable = ticks[ticks["flags"] & VOID == 0]
    assert (np.isfinite(usable["price"]) & (usable["price"] > 0)).all()
    assert (np.isfinite(usable["size"]) & (usable["size"] > 0)).all()
    assert ((usable["ts_event"] >= OLDEST_TS) & (usable["ts_event"] <= LATEST)).all()
    assert ((ticks["id"] >= 0) & (ticks["id"] <= 2**53)).all()


@channels
@settings(max_examples=settings.default.max_examples // 5)  # each makes files
@given(batches=st.lists(FRAMES, max_size=4))
def test_any_frames_become_sound_ticks_and_counted_drops_and_can_be_kept(channel, batches):
    venue = Binance(SYMBOLS, channel=channel)
    config = StreamConfig(backfill_seconds=0, segment_seconds=0, tick_cache=100, bar_ring=600)
    with tempfile.TemporaryDirectory() as folder:
        ingests = {symbol: Ingest(Path(folder), symbol, config) for symbol in SYMBOLS}
        for frames in batches:
            decoded = venue.decode(frames, [NOW] * len(frames), LATEST)
            assert {reason for _, reason in decoded.rejected} <= set(REJECTED)
            assert decoded.rejected.total() <= len(frames)
            for symbol, ticks in decoded.ticks.items():
                assert_sound(ticks)
                ingests[symbol].push(ticks)
                ingests[symbol].give_up()
        for ingest in ingests.values():
            ids = ingest.ticks.read().rows["id"]
            assert (np.diff(ids) > 0).all() or ingest.take_recounts()
            ingest.close()


@channels
@given(body=BODIES)
def test_any_reply_with_trades_becomes_sound_ticks_or_a_value_error(channel, body):
    try:
        ticks, rejected = Binance(SYMBOLS, channel=channel).parse_history("X", body, NOW, LATEST)
    except ValueError:
        return
    assert_sound(ticks)
    void = np.count_nonzero(ticks["flags"] & VOID)
    assert rejected.total() - rejected["X", "malformed"] == void
    assert {reason for _, reason in rejected} <= set(REJECTED)


@given(body=st.one_of(damaged(st.fixed_dictionaries({"serverTime": ODD})), BODIES))
def test_any_reply_with_a_time_is_a_time_or_a_value_error(body):
    try:
        time = Binance(SYMBOLS).parse_time(body)
    except ValueError:
        return
    assert isinstance(time, int)
    assert time >= 0


@given(body=damaged(fields({"code": st.integers(-3000, 0), "msg": st.text(max_size=9)})))
def test_any_refusal_is_understood_or_not(body):
    refusal = Binance(SYMBOLS).refusal(400, body)
    assert isinstance(refusal.text, str)
    assert Counter([refusal.unknown_symbol]).keys() <= {True, False}
