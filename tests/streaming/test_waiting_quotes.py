"""Quotes keep their place among trades, whenever these are released."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.cache import quote_ring, tick_cache
from streaming.config import StreamConfig
from streaming.feed.market.ingest import Ingest
from tests.streaming.samples import START, quotes_at, run_of_ids

N = 30


@given(st.data())
@settings(max_examples=60)
def test_a_quote_stands_behind_the_trade_it_came_after_whatever_is_repaired(data):
    """Some trades come late, by repair; each quote names the trade before it by its size."""
    ticks = run_of_ids(1, N + 1)
    lost = set(data.draw(st.lists(st.integers(2, N - 1), max_size=8)))
    streamed = np.array([tick["id"] not in lost for tick in ticks])
    cuts = sorted(data.draw(st.lists(st.integers(1, N - 1), max_size=5)))
    config = StreamConfig(backfill_seconds=0, segment_seconds=0)
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.closing(Ingest(Path(folder), "X", config)) as ingest,
    ):
        for batch in np.split(np.arange(N), cuts):
            there = ticks[batch][streamed[batch]]
            quotes = quotes_at(*[0.0] * len(there), after=np.arange(1, len(there) + 1))
            quotes["bid_size"] = there["id"]
            quotes["ts_event"] = START
            ingest.push(there, quotes)
            if data.draw(st.booleans()):
                repair(ingest, ticks, lost)
        repair(ingest, ticks, lost)
        kept = tick_cache(Path(folder), "X").read().rows
        found = quote_ring(Path(folder), "X").read().rows
    assert kept["id"].tolist() == ticks["id"].tolist()
    assert found["bid_size"].tolist() == ticks["id"][streamed].tolist()
    assert kept["id"][found["after"] - 1].tolist() == ticks["id"][streamed].tolist()


def repair(ingest, ticks, lost):
    """Fetch what is missing."""
    while ingest.missing is not None:
        first, last = ingest.missing
        ingest.fill(ticks[(ticks["id"] >= first) & (ticks["id"] <= last)])


def test_history_comes_before_the_quotes_of_the_stream(tmp_path):
    ingest = Ingest(tmp_path, "X", StreamConfig(segment_seconds=0))
    ticks = run_of_ids(1, 11)
    early = quotes_at(0.5, 0.6, after=0)
    ingest.push(ticks[:0], early[:1])
    ingest.push(ticks[8:], early[1:])
    assert tick_cache(tmp_path, "X").committed == 0
    ingest.begin(ticks[:8])
    ingest.close()
    assert tick_cache(tmp_path, "X").committed == 10
    assert quote_ring(tmp_path, "X").read().rows["after"].tolist() == [8, 8]
