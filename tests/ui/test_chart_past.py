"""Candles and the past: of the ring's bars, and of the tape where the ring has forgotten them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.bars import BAR, BarBuilder
from streaming.cache import write_bar_ring, write_tick_cache
from streaming.tape.segments import write_segment
from streaming.ticks import NS_PER_S
from tests.ui.page_world import walk
from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import DECISIONS, TAPE, of_market
from ui.chart.candles import LENGTHS, candles_of, rows_of
from ui.chart.chart import SymbolChart
from ui.chart.thresholds import Thresholds
from ui.market_reader import MarketReader

START = 1_700_000_040  # a whole minute
PRICES = st.floats(1, 1e6)


def bars_at(first: int, closes: list[float]) -> np.ndarray:
    bars = np.zeros(len(closes), BAR)
    bars["ts_open"] = (first + np.arange(len(closes))) * NS_PER_S
    bars["open"] = bars["close"] = closes
    bars["high"], bars["low"] = bars["close"] + 1, bars["close"] - 1
    bars["volume"], bars["trades"] = 1.0, 2
    return bars


@given(
    closes=st.lists(PRICES, min_size=1, max_size=200),
    offset=st.integers(0, 400),
    seconds=st.sampled_from(LENGTHS),
)
def test_candle_is_that_of_its_bars(closes: list[float], offset: int, seconds: int) -> None:
    bars = bars_at(START + offset, closes)
    bars["gap"][0] = 1
    rows = rows_of(candles_of(bars, seconds))
    begins = bars["ts_open"] // NS_PER_S // seconds * seconds
    assert [row[0] for row in rows] == sorted(set(begins.tolist()))
    for time, open_, high, low, close, volume, *_, trades in rows:
        of = bars[begins == time]
        assert (open_, close) == (of["open"][0], of["close"][-1])
        assert (high, low) == (of["high"].max(), of["low"].min())
        assert (volume, trades) == (len(of), 2 * len(of))
    assert rows[0][8] == 1


def test_averages_are_of_the_candles_closes() -> None:
    rows = rows_of(candles_of(bars_at(START, [float(i) for i in range(1, 301)]), 5))
    closes = [row[4] for row in rows]
    assert rows[18][6] is None
    assert rows[19][6] == pytest.approx(np.mean(closes[:20]))
    assert rows[59][7] == pytest.approx(np.mean(closes[10:60]))


@pytest.fixture
def chart(tmp_path: Path) -> SymbolChart:
    """A ring of 300 bars, and 1,200 s on tape."""
    ticks = walk(1200 * 20, START * NS_PER_S, 1, 64_000.0, np.random.default_rng(5))
    cache = write_tick_cache(tmp_path, "BTCUSDT", 54_000)
    ring = write_bar_ring(tmp_path, "BTCUSDT", 300)
    builder = BarBuilder()
    for first in range(0, len(ticks), 1000):
        part = ticks[first : first + 1000].copy()
        ring.append(builder.update(part))
        cache.append(part)
        write_segment(tmp_path / TAPE, "BTCUSDT", first, part)
    cache.close()
    ring.close()
    return SymbolChart(tmp_path, MarketReader(tmp_path, "BTCUSDT"), SessionConfig())


def past(chart: SymbolChart, time: int, seconds: int = 1, most: int = 300) -> dict[str, Any]:
    return chart.past(chart.bars_before(time, seconds, most), time, seconds, most)


@pytest.mark.parametrize("seconds", [1, 15, 60])
def test_the_past_joins_ring_and_tape_without_a_seam(chart: SymbolChart, seconds: int) -> None:
    ticks = walk(1200 * 20, START * NS_PER_S, 1, 64_000.0, np.random.default_rng(5))
    expected = {row[0]: row[:6] for row in rows_of(candles_of(BarBuilder().update(ticks), seconds))}
    rows = list(chart.newest(seconds)[1].keyed["rows"].values())
    shown, parts = {row[0]: row for row in rows[:-2]}, 0
    while not (part := past(chart, min(shown), seconds))["complete"]:
        assert not shown.keys() & {row[0] for row in part["rows"]}
        shown |= {row[0]: row for row in part["rows"]}
        parts += 1
    assert sorted(shown) == sorted(expected)[: len(shown)]
    assert min(shown) == START // seconds * seconds
    assert {time: row[:6] for time, row in shown.items()} == {t: expected[t] for t in shown}
    assert parts >= 1


def test_without_a_tape_the_past_ends_with_the_ring(tmp_path: Path) -> None:
    ring = write_bar_ring(tmp_path, "BTCUSDT", 300)
    write_tick_cache(tmp_path, "BTCUSDT", 1000).close()
    ring.append(bars_at(START, [1.0] * 500))
    ring.close()
    chart = SymbolChart(tmp_path, MarketReader(tmp_path, "BTCUSDT"), SessionConfig())
    part = past(chart, START + 400)
    assert [row[0] for row in part["rows"]] == list(range(START + 200, START + 400))
    assert past(chart, START + 200)["complete"] is True


def test_confidence_is_that_of_its_time(tmp_path: Path) -> None:
    log = DecisionLog(of_market(tmp_path, "BTCUSDT", DECISIONS))
    found = Thresholds(tmp_path, "BTCUSDT", 0.65)

    def control(value: str, after: int, name: str = "confidence", *, refused: bool = False) -> None:
        entry = {"name": name, "value": value, "seq": 1, "refused": refused}
        log.write("control", **entry, after_bar=after * NS_PER_S)

    control("0.6", 100)
    control("7", 110, refused=True)
    control("0.1", 120, name="epsilon")
    found.update()
    assert found.changes == [[0, 0.65], [100, 0.6]]
    control("0.7", 130)
    found.update()
    found.update()
    assert (found.changes, found.newest) == ([[0, 0.65], [100, 0.6], [130, 0.7]], 0.7)
