"""One symbol's market as the page shows it, read from the feed's ring files.

tick cache, bar ring -> MarketReader -> bars, the forming ones too; counters
"""

from __future__ import annotations

import bisect
import dataclasses
import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.mids import BP
from streaming.bars import BAR, Bars, bars_of
from streaming.cache import bar_ring, tick_cache
from streaming.rings.counters import ConnectionState
from streaming.rings.ring import Ring
from streaming.ticks import LATE, NS_PER_S, Side, Ticks, make_ticks
from ui.chart.candles import WARMUP, Row, candles_of, rows_of

RATE_BARS = 10
SIDES: dict[int, str] = {Side.BOUGHT: "buy", Side.SOLD: "sell"}


@dataclasses.dataclass(frozen=True)
class BestQuote:
    """The best bid and ask at the end of the newest bar."""

    bid: float
    ask: float
    bid_size: float
    ask_size: float

    @property
    def spread_bps(self) -> float:
        """The spread, bp of the mid."""
        return 2 * BP * (self.ask - self.bid) / (self.ask + self.bid)

    @property
    def imbalance(self) -> float | None:
        """Size at the bid less that at the ask, over both, -1 to 1; None without sizes."""
        both = self.bid_size + self.ask_size
        return (self.bid_size - self.ask_size) / both if both else None


@dataclasses.dataclass(frozen=True)
class Counters:
    """The counters of one symbol's stream; None means not known yet."""

    connection: str
    ticks: int
    bars: int
    ticks_per_second: float | None  # a second of market time, over the last ten bars
    span_seconds: float  # between the oldest and the newest tick in the cache
    gaps: int
    repaired: int
    late: int
    reconnects: int
    rejected: int
    lag_ms: float | None
    silent_seconds: float | None  # since the last message
    book: BestQuote | None = None  # None where the source has no quotes
    price: float | None = None  # of the newest trade that is no late one


class MarketReader:
    """Reads one symbol's rings; opens them when they appear.

    Args:
        session: the session's folder.
        symbol: the symbol, such as BTCUSDT.
        grace_ns: how long the feed waits for late ticks, see ``streaming.bars``.
        bar_seconds: the length of a bar, s.
    """

    def __init__(self, session: Path, symbol: str, grace_ns: int = 0, bar_seconds: int = 1) -> None:
        self.session, self.symbol, self.grace_ns = session, symbol, grace_ns
        self.bar_seconds, self._bar_ns = bar_seconds, bar_seconds * NS_PER_S
        # This many bars back, a bar was final before any tick of the forming bars came.
        self._back = 1 + math.ceil(grace_ns / self._bar_ns)
        self._cache: Ring | None = None
        self._bars: Ring | None = None

    def open(self) -> bool:
        """Return whether the stream has begun, opening its files if so."""
        try:
            self._cache = self._cache or tick_cache(self.session, self.symbol)
            self._bars = self._bars or bar_ring(self.session, self.symbol)
        except FileNotFoundError:
            return False
        return True

    def ticks(self, limit: int = 0) -> Ticks:
        """Return the newest ``limit`` ticks, all if 0, oldest first."""
        if not self.open() or self._cache is None:
            return make_ticks(0)
        return self._cache.tail(limit or self._cache.capacity).rows

    def rows(self, limit: int) -> list[Row]:
        """Return the rows of the newest ``limit`` bars, see ``ui.chart.candles``."""
        final, forming = self.bars_from(self.final - limit - WARMUP)
        return rows_of(candles_of(np.concatenate([final, forming]), self.bar_seconds))[-limit:]

    @property
    def final(self) -> int:
        """How many bars were ever made final, which is the seq of the next one."""
        return self._bars.committed if self.open() and self._bars is not None else 0

    @property
    def oldest(self) -> int:
        """The lowest seq of a final bar that is still kept."""
        return self._bars.oldest if self.open() and self._bars is not None else 0

    def bars_from(self, seq: int, stop: int | None = None) -> tuple[Bars, Bars]:
        """Return the final bars from ``seq`` on, before ``stop``, and the forming ones after."""
        if not self.open() or self._bars is None:
            return np.zeros(0, BAR), np.zeros(0, BAR)
        first, final = self._bars.read(seq - self._back, stop)
        return final[max(0, seq - first) :], self._forming(final)

    def bars_before(self, time: int, most: int) -> Bars:
        """Return at most ``most`` final bars that open before ``time``, unix seconds."""
        if not self.open() or self._bars is None:
            return np.zeros(0, BAR)
        stop = bisect.bisect_left(
            range(self.oldest, self.final), time * NS_PER_S, key=self._opens_at
        )
        return self._bars.read(self.oldest + stop - most, self.oldest + stop).rows

    def closes(self, most: int, seconds: int = 1) -> list[float]:
        """Return the newest closes of candles of some seconds, oldest first."""
        if not self.open() or self._bars is None:
            return []
        closes = candles_of(self._bars.tail(most * seconds).rows, seconds).close
        return [float(close) for close in closes[-most:]]

    def counters(self) -> Counters | None:
        """Return the stream's counters, or None if it has not begun."""
        if not self.open() or self._cache is None or self._bars is None:
            return None
        stats = self._cache.stats
        ends = self._cache.read(self._cache.oldest, self._cache.oldest + 1).rows["ts_event"]
        last = self._cache.tail(1).rows
        newest = last["ts_event"]
        bars = self._bars.tail(RATE_BARS).rows
        trades = bars["trades"]
        last_message = int(stats["last_message_ns"])
        names = stats.dtype.names or ()
        return Counters(
            connection=ConnectionState(int(stats["state"])).name,
            ticks=len(self._cache),
            bars=len(self._bars),
            ticks_per_second=float(trades.mean()) / self.bar_seconds if len(trades) else None,
            span_seconds=float(newest[0] - ends[0]) / NS_PER_S if len(ends) and len(newest) else 0,
            gaps=int(stats["gaps"]),
            repaired=int(stats["repaired"]),
            late=int(stats["late"]),
            reconnects=int(stats["reconnects"]),
            rejected=sum(int(stats[name]) for name in names if name.startswith("rejected_")),
            lag_ms=_finite(float(stats["lag_us"]) / 1000) if last_message else None,
            silent_seconds=max(0.0, time.time() - last_message / NS_PER_S)
            if last_message
            else None,
            book=_book(bars[-1]) if len(bars) and bars["quoted"][-1] else None,
            price=_price(last, bars),
        )

    def _opens_at(self, seq: int) -> int:
        assert self._bars is not None
        return int(self._bars.read(seq, seq + 1).rows["ts_open"][0])

    def _forming(self, final: Bars) -> Bars:
        """Return the bars after ``final`` as they are so far."""
        if self._cache is None or not len(final):
            return final[:0]
        enough = len(final) >= self._back
        start = int(final["final_seq"][-self._back]) - 1 if enough else 0
        ticks = self._cache.read(start).rows
        end = int(final["ts_open"][-1]) + self._bar_ns
        ticks = ticks[(ticks["ts_event"] >= end) & (ticks["flags"] & LATE == 0)]
        if not len(ticks):
            return final[:0]
        # A tick of no size in the last final bar carries its close over empty bars.
        seed = make_ticks(1)
        seed["ts_event"], seed["price"] = end - self._bar_ns, final["close"][-1]
        seeded = np.concatenate([seed, ticks])
        return bars_of(seeded, grace_ns=self.grace_ns, bar_ns=self._bar_ns)[1:]


def _book(bar: np.void) -> BestQuote:
    return BestQuote(*(float(bar[name]) for name in ("bid", "ask", "bid_size", "ask_size")))


def _price(ticks: Ticks, bars: Bars) -> float | None:
    """Return the price of the newest trade; one that came late is older than the newest bar."""
    if len(ticks) and ticks["flags"][-1] & LATE == 0:
        return float(ticks["price"][-1])
    return float(bars["close"][-1]) if len(bars) else None


def tick_record(tick: np.void) -> dict[str, Any]:
    """Return one tick as plain values, times in ns UTC."""
    return {
        "trade_id": int(tick["id"]),
        "price": float(tick["price"]),
        "size": float(tick["size"]),
        "side": SIDES.get(int(tick["side"]), "unknown"),
        "ts_event": int(tick["ts_event"]),
        "ts_init": int(tick["ts_init"]),
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
