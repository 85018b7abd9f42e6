"""The files of a symbol's stream: its rings.

<session>/BTCUSDT.ticks     the newest ticks, with the stream's counters in its header
<session>/BTCUSDT.quotes    the newest quotes, and the marks of time
<session>/BTCUSDT.bars      final 1-s bars
"""

from __future__ import annotations

from pathlib import Path

from streaming.bars import BAR
from streaming.quotes import QUOTE
from streaming.rings.counters import STATS
from streaming.rings.ring import Ring, RingWriter
from streaming.symbols import file_name
from streaming.ticks import TICK


def tick_cache(session: Path, symbol: str) -> Ring:
    """Open a symbol's tick cache for reading; its ``stats`` are the stream's counters."""
    return Ring(session / f"{file_name(symbol)}.ticks", TICK, STATS)


def quote_ring(session: Path, symbol: str) -> Ring:
    """Open a symbol's quote ring for reading."""
    return Ring(session / f"{file_name(symbol)}.quotes", QUOTE)


def bar_ring(session: Path, symbol: str) -> Ring:
    """Open a symbol's bar ring for reading."""
    return Ring(session / f"{file_name(symbol)}.bars", BAR)


def write_tick_cache(session: Path, symbol: str, capacity: int) -> RingWriter:
    """Open or make a symbol's tick cache for writing."""
    return RingWriter(session / f"{file_name(symbol)}.ticks", TICK, capacity, STATS)


def write_quote_ring(session: Path, symbol: str, capacity: int) -> RingWriter:
    """Open or make a symbol's quote ring for writing."""
    return RingWriter(session / f"{file_name(symbol)}.quotes", QUOTE, capacity)


def write_bar_ring(session: Path, symbol: str, capacity: int) -> RingWriter:
    """Open or make a symbol's bar ring for writing."""
    return RingWriter(session / f"{file_name(symbol)}.bars", BAR, capacity)
