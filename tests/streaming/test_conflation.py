"""What is kept of the updates of a book."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.feed.market.conflation import Conflation
from streaming.quotes import make_quotes
from streaming.ticks import NS_PER_MS, NS_PER_S
from tests.streaming.samples import START, splits

LATEST = START + 10**6 * NS_PER_S


@st.composite
def updates(draw):
    n = draw(st.integers(0, 30))
    quotes = make_quotes(n)
    steps = draw(st.lists(st.sampled_from([0, 10, 300, 1000]), min_size=n, max_size=n))
    quotes["ts_event"] = START + np.cumsum(steps, dtype=np.int64) * NS_PER_MS
    quotes["id"], quotes["updates"] = np.arange(n), 1
    for quote in quotes:
        quote["bid"] = draw(st.sampled_from([99, 100, 101]))
        quote["ask"] = quote["bid"] + draw(st.sampled_from([-1, 0, 1, 2]))
        quote["bid_size"], quote["ask_size"] = (draw(st.sampled_from([-1, 0, 1, 5])) for _ in "ba")
    return quotes


def flow(before, now):
    """The order-flow imbalance of an update, as Cont et al. write it."""
    (b0, a0, q0, r0), (b1, a1, q1, r1) = (
        [float(quote[name]) for name in ("bid", "ask", "bid_size", "ask_size")]
        for quote in (before, now)
    )
    return q1 * (b1 >= b0) - q0 * (b1 <= b0) - r1 * (a1 <= a0) + r0 * (a1 >= a0)


@given(updates(), st.data())
def test_nothing_is_lost_but_the_updates_between(quotes, data):
    rejected = Counter()
    conflation = Conflation()
    parts = np.split(quotes, data.draw(splits(len(quotes))))
    kept = [conflation.take(part, LATEST, "X", rejected) for part in parts]
    good = [q for q in quotes if q["ask"] > q["bid"] and min(q["bid_size"], q["ask_size"]) >= 0]
    assert rejected["X", "bad_quote"] == len(quotes) - len(good)
    every = np.concatenate(kept)
    flows = [0.0, *(flow(a, b) for a, b in pairwise(good))]
    assert every["updates"].sum() == len(good)
    assert abs(every["ofi"].sum() - sum(flows[: len(good)])) < 1e-9
    for part, rows in zip(parts, kept, strict=True):
        ids = {int(q["id"]) for q in part}
        newest = {int(q["ts_event"]) // NS_PER_S: q for q in good if int(q["id"]) in ids}
        assert [row["id"] for row in rows] == [q["id"] for q in newest.values()]


def test_a_book_that_is_sent_again_is_no_update():
    """Venues repeat it as a sign of life."""
    quotes = make_quotes(3)
    quotes["ts_event"], quotes["updates"], quotes["id"] = START, 1, [7, 7, 8]
    quotes["bid"], quotes["ask"], quotes["bid_size"], quotes["ask_size"] = 1, 2, 3, 4
    conflation = Conflation()
    assert conflation.take(quotes, LATEST, "X", Counter())["updates"].tolist() == [2]
    assert len(conflation.take(quotes[-1:], LATEST, "X", Counter())) == 0


def test_a_time_that_cannot_be_is_refused():
    quotes = make_quotes(1)
    quotes["ts_event"], quotes["bid"], quotes["ask"] = LATEST + 1, 1, 2
    rejected = Counter()
    assert len(Conflation().take(quotes, LATEST, "X", rejected)) == 0
    assert rejected == {("X", "bad_time"): 1}
