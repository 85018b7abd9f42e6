"""The streams of a session's record, piece by piece, in the memory of a piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from streaming.bars import BAR, BarBuilder, Bars
from streaming.cache import bar_ring
from streaming.config import StreamConfig
from streaming.quotes import MARK, NO_QUOTES, Quotes
from streaming.rings.ring import Ring
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks, make_ticks
from trainers.recording.contents.stream_rows import row_parts


def tick_pieces(folder: Path, symbol: str) -> Iterator[Ticks]:
    """Yield a market's ticks on the tape and those not on it yet, ``(n,)`` of dtype ``TICK``."""
    return (part.rows for part in row_parts(folder, symbol, "ticks"))


def quote_pieces(folder: Path, symbol: str) -> Iterator[Quotes]:
    """Yield a market's quotes, without the marks of time, ``(n,)`` of dtype ``QUOTE``."""
    for part in row_parts(folder, symbol, "quotes"):
        yield part.rows[part.rows["flags"] & MARK == 0]


def bar_pieces(folder: Path, symbol: str, config: StreamConfig) -> Iterator[Bars]:
    """Yield a market's final bars, ``(T,)`` of dtype ``BAR``, oldest first.

    They are those of the bar ring while it has all of them, else they are built again from the
    tape, the same bits. Where the tape's beginning was dropped, only the ring's are left.

    Args:
        folder: the folder with the session's files.
        symbol: the market.
        config: the session's settings.
    """
    ring = _ring(folder, symbol)
    if ring is not None and (ring.oldest == 0 or next(row_parts(folder, symbol, "ticks")).first):
        yield ring.read().rows
        return
    ticks, quotes = (row_parts(folder, symbol, stream) for stream in ("ticks", "quotes"))
    yield from built_bars(
        (part.rows for part in ticks),
        (part.rows for part in quotes),
        config.grace_ms * NS_PER_MS,
        config.bar_seconds * NS_PER_S,
    )


def built_bars(
    ticks: Iterable[Ticks], quotes: Iterable[Quotes], grace_ns: int, bar_ns: int = NS_PER_S
) -> Iterator[Bars]:
    """Build bars from all rows of both streams; no bit depends on the pieces. Pure.

    Args:
        ticks: pieces of dtype ``TICK``, from tick 0 on.
        quotes: pieces of dtype ``QUOTE``, from row 0 on, which know the ticks before them.
        grace_ns: how far past a bar's end a row must be to make the bar final, ns.
        bar_ns: the length of a bar, ns.

    Yields:
        ``(T,)`` of dtype ``BAR``.
    """
    builder, coming = BarBuilder(grace_ns, bar_ns=bar_ns), iter(quotes)
    waiting: Quotes | None = NO_QUOTES
    seen = 0
    yield np.zeros(0, BAR)
    for piece in ticks:
        seen += len(piece)
        between = [NO_QUOTES]
        # What came after the last of these ticks may come now or with the next: the same bits.
        while waiting is not None:
            n = int(np.searchsorted(np.maximum.accumulate(waiting["after"]), seen, side="right"))
            between.append(waiting[:n])
            waiting = waiting[n:]
            if len(waiting):
                break
            waiting = next(coming, None)
        yield builder.update(piece.copy(), np.concatenate(between))
    while waiting is not None:
        yield builder.update(make_ticks(0), waiting.copy())
        waiting = next(coming, None)


def _ring(folder: Path, symbol: str) -> Ring | None:
    try:
        return bar_ring(folder, symbol)
    except FileNotFoundError:  # a record that was brought from elsewhere
        return None
