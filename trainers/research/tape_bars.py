"""The bars of a tape, as a backtest would make them: for trials that all play the same."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import numpy as np

from streaming.bars import BAR, Bars
from streaming.feed.market.ingest import Ingest
from streaming.tape.parts import SymbolTape
from streaming.ticks import NS_PER_MS
from trainers.config import SessionConfig
from trainers.research.played import SLICE_ROWS, PlayedSpan, PlayedTape


def bars_of_tape(tape: SymbolTape, span: PlayedSpan, config: SessionConfig) -> Bars:
    """Return the bars of one symbol, ``(T,)`` of dtype ``BAR``, oldest first.

    Raises:
        TapeError: if a file cannot be read any more.
    """
    played = PlayedTape(tape, span, config.grace_ms * NS_PER_MS, quotes=config.quotes)
    unrecorded = dataclasses.replace(
        config,
        backfill_seconds=0,
        segment_seconds=0,
        tick_cache=config.tick_cache + SLICE_ROWS,
    )
    found, taken = [np.zeros(0, BAR)], 0
    with tempfile.TemporaryDirectory(prefix="tickloop-") as folder:
        ingest = Ingest(Path(folder), tape.symbol, unrecorded)
        try:
            for ticks, quotes in played.slices():
                ingest.push(ticks, quotes)
                while ingest.give_up():
                    pass  # a tape has no more than it has
                new = ingest.bars.read(taken).rows
                found.append(new.copy())
                taken += len(new)
        finally:
            ingest.close()
    return np.concatenate(found)
