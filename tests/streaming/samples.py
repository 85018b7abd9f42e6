"""Ticks for tests: by hand, and drawn by hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from streaming.ticks import AFTER_GAP, NS_PER_MS, NS_PER_S, Ticks, make_ticks

START = 1_700_000_000 * NS_PER_S  # a whole second

# A market's step in ms: mostly the same second, sometimes seconds of silence.
STEPS = st.one_of(st.integers(0, 700), st.sampled_from([0, 999, 1000, 1001, 4000, 11_500]))


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
