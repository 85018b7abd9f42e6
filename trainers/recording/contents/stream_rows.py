"""The rows of a market's streams, ticks and quotes, as its record has them.

    tape's segments, then the ring -> checked rows

A segment that the decision log names is checked by its hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from streaming.cache import quote_ring, tick_cache
from streaming.errors import TapeError
from streaming.rings.ring import Ring, Rows
from streaming.tape.segment_tape import read_segment
from streaming.tape.segments import Segment, SegmentKind, segments
from trainers.recording.contents.entries import Entry
from trainers.recording.errors import RESTORE, RecordError
from trainers.recording.files import TAPE

# What is kept of each stream.
KINDS = {"ticks": (SegmentKind.TICKS, tick_cache), "quotes": (SegmentKind.QUOTES, quote_ring)}

NO_HASHES: Mapping[str, str] = MappingProxyType({})


def read_rows(folder: Path, symbol: str, entries: list[Entry], stream: str) -> NDArray[np.void]:
    """Return all rows of one of a market's streams: those of its tape, then the rest from the ring.

    Args:
        folder: the folder with the session's files.
        symbol: the market.
        entries: the market's decision log, which has the hashes of the tape's segments.
        stream: one of ``STREAMS``.

    Raises:
        RecordError: if rows that a cycle has seen are missing, or a segment was changed.
    """
    hashes = {entry["name"]: entry["sha256"] for entry in entries if entry["do"] == "segment"}
    _check_all_there(folder / TAPE, symbol, hashes)
    parts = list(row_parts(folder, symbol, stream, hashes))
    found = np.concatenate([part.rows for part in parts])
    seen = max((e["watermark"][stream] for e in entries if e["do"] == "cycle"), default=0)
    if (first := parts[0].first) or len(found) < seen:
        raise RecordError(
            f"{folder / TAPE}: the tape of {symbol} has {len(found)} {stream} from number {first}"
            f" on, the cycles have seen {seen} from 0 on; {RESTORE}"
        )
    return found


def row_parts(
    folder: Path, symbol: str, stream: str, hashes: Mapping[str, str] = NO_HASHES
) -> Iterator[Rows]:
    """Yield consecutive rows of a market's stream: the tape's segments, then the rest of the ring.

    Args:
        folder: the folder with the session's files.
        symbol: the market.
        stream: one of ``STREAMS``.
        hashes: SHA-256 of the content by the segment's name, where it is to be checked.

    Raises:
        RecordError: if rows are missing between two segments, or a segment was changed.
    """
    kind, ring = KINDS[stream]
    tape = segments(folder / TAPE, symbol, kind)
    # A process that was replaced may have left a segment that no log names; the next one has its
    # rows in segments of its own.
    named = max((one.stop for one in tape if one.path.name in hashes), default=0)
    tape = [one for one in tape if one.path.name in hashes or one.first >= named]
    stop = tape[0].first if tape else 0
    for segment in tape:
        if segment.first != stop:
            raise RecordError(
                f"{folder / TAPE}: {stream} {stop} to {segment.first - 1} of {symbol} are not on"
                f" tape; {RESTORE}"
            )
        yield Rows(segment.first, _content(segment, kind, hashes.get(segment.path.name)))
        stop = segment.stop
    yield Rows(stop, _from_ring(folder, symbol, ring, stop, kind))


def _check_all_there(tape: Path, symbol: str, hashes: Mapping[str, str]) -> None:
    there = {segment.path.name for kind in SegmentKind for segment in segments(tape, symbol, kind)}
    if missing := sorted(hashes.keys() - there):
        raise RecordError(f"{tape / missing[0]}: the tape lacks this segment; {RESTORE}")


def _content(segment: Segment, kind: SegmentKind, recorded: str | None) -> NDArray[np.void]:
    found = hashlib.sha256(segment.path.read_bytes()).hexdigest()
    if recorded is not None and found != recorded:
        raise RecordError(
            f"{segment.path}: expected SHA-256 {recorded[:16]}..., found {found[:16]}...; it was"
            f" cut off or changed since it was recorded: {RESTORE}"
        )
    try:
        rows = read_segment(segment.path, kind)
    except TapeError as e:
        raise RecordError(str(e)) from e
    if len(rows) != segment.stop - segment.first:
        raise RecordError(
            f"{segment.path}: expected {segment.stop - segment.first} rows, found {len(rows)};"
            f" {RESTORE}"
        )
    return rows


def _from_ring(
    folder: Path, symbol: str, ring: Callable[[Path, str], Ring], start: int, kind: SegmentKind
) -> NDArray[np.void]:
    """Return the rows from ``start`` on, which a killed feed had not written to the tape yet."""
    try:
        first, rows = ring(folder, symbol).read(start)
    except FileNotFoundError:
        first, rows = -1, np.zeros(0, kind.row)
    return rows if first == start else np.zeros(0, kind.row)
