"""Ticks and rows of rings for tests: by hand, and drawn by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from streaming.quotes import MARK, make_quotes
from streaming.ticks import AFTER_GAP, NS_PER_MS, NS_PER_S, Ticks, make_ticks

START = 1_700_000_000 * NS_PER_S  # a whole second

# A market's step in ms: mostly the same second, sometimes seconds of silence.
STEPS = st.one_of(st.integers(0, 700), st.sampled_from([0, 999, 1000, 1001, 4000, 11_500]))

# Rows of rings.
ROW = np.dtype([("seq", "<i8"), ("text", "S5"), ("x", "<f8")])
WIDE = np.dtype([(f"f{i}", "<i8") for i in range(16)])


def ticks_at(*seconds: float, price: float = 100.0, size: float = 1.0, first_id: int = 1) -> Ticks:
    """One tick at each of ``seconds`` after ``START``, ids counting up."""
    ticks = make_ticks(len(seconds))
    ticks["id"] = np.arange(first_id, first_id + len(seconds))
    ticks["ts_event"] = [START + round(second * 1000) * NS_PER_MS for second in seconds]
    ticks["ts_init"] = ticks["ts_event"]
    ticks["price"], ticks["size"], ticks["side"] = price, size, 1
    return ticks


def run_of_ids(first: int, stop: int) -> Ticks:
    """Trades ``first`` to ``stop - 1``, 100 ms apart; fields follow from the id."""
    ids = np.arange(first, stop)
    ticks = make_ticks(len(ids))
    ticks["id"] = ids
    ticks["ts_event"] = START + ids * 100 * NS_PER_MS
    ticks["ts_init"] = ticks["ts_event"] + 5 * NS_PER_MS
    ticks["price"] = 100 + ids % 7
    ticks["size"] = 0.1 + ids % 3
    ticks["side"] = np.where(ids % 2, 1, -1)
    return ticks


@st.composite
def markets(draw, *, max_size: int = 40, long_silences: bool = True, disorder: bool = True):
    """Ticks of one symbol in order of receipt: silences, disorder in time, gap marks."""
    n = draw(st.integers(1, max_size))
    ticks = make_ticks(n)
    steps = draw(st.lists(STEPS, min_size=n, max_size=n))
    if long_silences and draw(st.booleans()):
        steps[draw(st.integers(0, n - 1))] = draw(st.sampled_from([40_000, 40_001, 10**9]))
    back = draw(st.lists(st.integers(0, 4000), min_size=n, max_size=n)) if disorder else [0] * n
    often = draw(st.sampled_from([0, 3])) if disorder else 0
    moved = [b if often and i % often == 0 else 0 for i, b in enumerate(back)]
    ticks["id"] = np.arange(1, n + 1)
    ticks["ts_event"] = START + (np.cumsum(steps) - np.array(moved)) * NS_PER_MS
    ticks["ts_init"] = ticks["ts_event"]
    cents = st.integers(1, 10_000_000)
    ticks["price"] = np.array(draw(st.lists(cents, min_size=n, max_size=n))) / 100
    ticks["size"] = np.array(draw(st.lists(cents, min_size=n, max_size=n))) / 1e5
    ticks["side"] = draw(st.lists(st.sampled_from([-1, 0, 1]), min_size=n, max_size=n))
    gaps = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    ticks["flags"] = np.where(np.array(gaps) == 9, AFTER_GAP, 0)
    return ticks


@st.composite
def splits(draw, n: int):
    """Indices for ``np.split`` of ``n`` rows into batches, empty ones included."""
    return sorted(draw(st.lists(st.integers(0, n), max_size=8)))


def quotes_at(*seconds, after, flags=0):
    """Quotes at these seconds after ``START``, all of them after so many ticks."""
    quotes = make_quotes(len(seconds))
    quotes["ts_event"] = quotes["ts_init"] = [START + round(s * NS_PER_S) for s in seconds]
    quotes["after"], quotes["flags"], quotes["updates"] = after, flags, 1
    if not flags & MARK:
        quotes["bid"], quotes["ask"], quotes["bid_size"], quotes["ask_size"] = 1, 2, 3, 4
    return quotes


@st.composite
def quotes_among(draw, ticks):
    """Quotes and marks that came between ticks, at times near those of the ticks."""
    n = draw(st.integers(0, 20))
    quotes = make_quotes(n)
    places = draw(st.lists(st.integers(0, len(ticks)), min_size=n, max_size=n))
    quotes["after"] = sorted(places)
    for quote in quotes:
        near = int(ticks["ts_event"][max(0, int(quote["after"]) - 1)]) if len(ticks) else START
        quote["ts_event"] = near + draw(st.integers(-3 * NS_PER_S, 4 * NS_PER_S))
        if draw(st.booleans()):
            quote["flags"] = MARK
            continue
        quote["bid"], quote["ask"] = draw(st.sampled_from([(1, 2), (0.1, 0.3), (30, 31)]))
        quote["bid_size"], quote["ask_size"] = draw(st.sampled_from([(0, 1), (0.1, 7)]))
        quote["ofi"], quote["updates"] = draw(st.sampled_from([(0.1, 1), (-0.7, 3), (5, 2)]))
    return quotes


def rows_from(first: int, n: int) -> np.ndarray:
    rows = np.zeros(n, ROW)
    rows["seq"] = np.arange(first, first + n)
    rows["text"] = [str(i % 1000).encode() for i in rows["seq"]]
    rows["x"] = rows["seq"] / 7
    return rows
