"""Bars of any length: the same rules, on another grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.bars import BarBuilder, bars_of
from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.exchange.pacing.final_bars import FinalBars
from streaming.merged import Merged
from streaming.quotes import make_quotes
from streaming.ticks import NS_PER_MS, NS_PER_S, make_ticks

START = 1_700_000_040 * NS_PER_S  # a whole minute
LENGTHS = st.sampled_from([5, 15, 60])
relaxed = settings(deadline=None, max_examples=60)  # the machine may be busy with others

STEPS = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(90, 110)), min_size=1, max_size=40
)  # ms since the tick before, price


def ticks_of(steps):
    ticks = make_ticks(len(steps))
    ticks["id"] = np.arange(1, len(steps) + 1)
    ticks["ts_event"] = START + np.cumsum([step[0] for step in steps]) * NS_PER_MS
    ticks["price"], ticks["size"] = [step[1] for step in steps], 1.0
    return ticks


@relaxed
@given(STEPS, LENGTHS, st.lists(st.integers(0, 40), max_size=4))
def test_a_bar_holds_the_trades_of_its_time_however_they_are_batched(steps, seconds, cuts):
    ticks, bar_ns = ticks_of(steps), seconds * NS_PER_S
    builder = BarBuilder(bar_ns=bar_ns)
    parts = Merged.of(ticks.copy(), make_quotes(0), 0).split(
        sorted(min(c, len(ticks)) for c in cuts)
    )
    final = np.concatenate([builder.update(part.ticks, part.quotes) for part in parts])
    bars = np.concatenate([final, builder.forming()])
    assert bars.tobytes() == bars_of(ticks, bar_ns=bar_ns).tobytes()
    assert (bars["ts_open"] % bar_ns == 0).all()
    assert set(np.diff(bars["ts_open"]).tolist()) <= {bar_ns}
    for bar in bars:
        since = ticks["ts_event"] - bar["ts_open"]
        price = ticks["price"][(since >= 0) & (since < bar_ns)]
        assert bar["trades"] == bar["volume"] == len(price)
        if len(price):
            told = [bar[name] for name in ("open", "high", "low", "close")]
            assert told == [price[0], price.max(), price.min(), price[-1]]


@relaxed
@given(STEPS, LENGTHS, st.sampled_from([0, 250, 7000]))
def test_the_exchange_knows_which_bar_of_that_length_is_final(steps, seconds, grace_ms):
    ticks, bar_ns = ticks_of(steps), seconds * NS_PER_S
    known = FinalBars(grace_ms * NS_PER_MS, bar_ns)
    builder = BarBuilder(grace_ms * NS_PER_MS, bar_ns=bar_ns)
    newest = 0
    for i in range(len(ticks)):
        bars = builder.update(ticks[i : i + 1].copy())
        steps_on = known.next_step(ticks["ts_event"][i : i + 1]) == 0
        known.add(ticks["ts_event"][i : i + 1])
        newest = int(bars["ts_open"][-1]) if len(bars) else newest
        assert known.newest_bar == newest
        assert steps_on or not len(bars)


@pytest.mark.parametrize("seconds", [7, 11, 1000])
def test_a_length_that_does_not_divide_an_hour_is_refused(seconds):
    with pytest.raises(ConfigError, match=f"bar_seconds: got {seconds}; allowed: divisors"):
        StreamConfig(bar_seconds=seconds)
