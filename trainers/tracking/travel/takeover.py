"""Takes a market over: raises its epoch, then rebuilds its files on this machine from the store.

    database: epoch + 1 -> store: what has travelled -> files of this machine -> store: base.json

Nothing of the older epochs is changed. The new one begins when its ``base.json`` is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from streaming.cache import write_bar_ring, write_quote_ring, write_tick_cache
from streaming.config import StreamConfig
from streaming.feed.market.ingest import quotes_kept
from streaming.program.whole_file import write_whole
from streaming.rings.ring import RingWriter
from streaming.symbols import file_name
from streaming.tape.segment_tape import read_segment
from streaming.tape.segments import Segment, SegmentKind, segment_of
from trainers.recording.decision_log import read_decisions
from trainers.recording.errors import RecordError
from trainers.recording.files import DECISIONS, RECORD, TAPE, of_market
from trainers.recording.travel.market_files import (
    BARS,
    QUOTES,
    ROWS,
    STATS,
    TICKS,
    WHOLE,
    growing_files,
)
from trainers.recording.travel.parts import BASE, Base
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.objects import Objects
from trainers.tracking.travel.travelled import Travelled, prefix_of, travelled, travelled_at_once

MAKERS = {TICKS: write_tick_cache, QUOTES: write_quote_ring, BARS: write_bar_ring}
KINDS = {TICKS: SegmentKind.TICKS, QUOTES: SegmentKind.QUOTES}
TAKEN_AT_ONCE = 4  # markets: most of a takeover is waiting for the store


def take_over_all(
    epochs: Epochs,
    objects: Objects,
    markets: Sequence[str],
    folder: Path,
    config: StreamConfig,
    holder: str,
) -> dict[str, int]:
    """Take some markets of a session over; return their new epochs.

    Args and errors are those of ``take_over``.
    """

    def take(market: str) -> int:
        first = market == config.symbol_list[0]
        return take_over(epochs, objects, market, folder, config, holder, first=first)

    with ThreadPoolExecutor(TAKEN_AT_ONCE) as pool:
        return dict(zip(markets, pool.map(take, markets), strict=True))


def take_over(
    epochs: Epochs,
    objects: Objects,
    market: str,
    folder: Path,
    config: StreamConfig,
    holder: str,
    *,
    first: bool,
) -> int:
    """Take a market over; return its new epoch, which begins where its ``base.json`` says.

    Args:
        epochs: the session's epochs.
        objects: the objects of the session's run.
        market: its symbol.
        folder: the session's folder on this machine, which has nothing of the market.
        config: gives the sizes of the rings.
        holder: who takes it, for people.
        first: whether it is the session's first market.

    Raises:
        ReplacedError: if another process has taken it at the same moment.
        RecordError: if the store lacks something.
        ArtifactStoreError: if the store does not answer, or another process still writes.
    """
    epoch = epochs.take(market, holder)
    # Read in the opposite order of writing: nothing that is taken refers to what is not.
    found = travelled(objects, market)
    whole = whole_files(objects, found)
    found = travelled_at_once(objects, found)
    sizes = {}
    for name in growing_files(market, first=first):
        if data := found.read(objects, name):
            (folder / name).write_bytes(data)
            sizes[name] = len(data)
    for name, data in whole.items():
        if not name.endswith(STATS):
            write_whole(folder / name, data)
    stats = whole.get(f"{file_name(market)}{STATS}", b"")
    sizes |= Rings(objects, found, folder, config).rebuild(stats)
    prefix = prefix_of(market, epoch)
    for name, data in whole.items():
        objects.put(f"{prefix}/{name}", data)
    objects.put(f"{prefix}/{BASE}", msgspec.json.encode(Base(found.newest, sizes)))
    return epoch


def whole_files(objects: Objects, found: Travelled) -> dict[str, bytes]:
    """Return the files that are replaced whole, by name: the newest epoch has all of them."""
    if not found.newest:
        return {}
    names = [f"{file_name(found.market)}{kind}" for kind in WHOLE]
    prefix = prefix_of(found.market, found.newest)
    data = {name: objects.get(f"{prefix}/{name}") for name in names}
    return {name: bytes_ for name, bytes_ in data.items() if bytes_ is not None}


def capacities(config: StreamConfig) -> dict[str, int]:
    """Return how many rows each ring of a market has."""
    return {TICKS: config.tick_cache, QUOTES: quotes_kept(config), BARS: config.bar_ring}


class Rings:
    """Rebuilds a market's rings from the tape and from the rows that are not on it yet.

    Args:
        objects: the objects of the session's run.
        found: what the store has of the market.
        folder: the session's folder on this machine, with the market's log.
        config: gives the sizes of the rings.
    """

    def __init__(
        self, objects: Objects, found: Travelled, folder: Path, config: StreamConfig
    ) -> None:
        self._objects, self._found, self._folder = objects, found, folder
        self._config = config

    def rebuild(self, stats: bytes = b"") -> dict[str, int]:
        """Make the rings that have rows; return the bytes that each has had since its first row.

        Args:
            stats: the stream's counters.

        Raises:
            RecordError: if the store lacks rows.
        """
        market, folder, sizes = self._found.market, self._folder, {}
        for kind, capacity in capacities(self._config).items():
            first, rows = self.newest(kind, capacity)
            if not len(rows):
                continue
            with contextlib.closing(MAKERS[kind](folder, market, capacity)) as ring:
                ring.begin_at(first)
                ring.append(rows)
                if kind == TICKS:
                    set_stats(ring, stats)
            sizes[f"{file_name(market)}{kind}"] = (first + len(rows)) * ROWS[kind].itemsize
        return sizes

    def newest(self, kind: str, capacity: int) -> tuple[int, NDArray[np.void]]:
        """Return the newest rows of a ring, with the number of the first.

        Raises:
            RecordError: if the store lacks rows.
        """
        name, size = f"{file_name(self._found.market)}{kind}", ROWS[kind].itemsize
        named = self._segments(kind)
        taped = named[-1].stop if named else 0
        end = self._found.size(name, taped * size) // size
        first = max(0, end - capacity)
        parts = [
            rows[max(0, first - segment.first) :]
            for segment in named
            if segment.stop > first
            for rows in [self._segment(segment, KINDS[kind])]
        ]
        since = max(first, taped)
        data = self._found.read(self._objects, name, since * size)
        parts.append(np.frombuffer(data[: len(data) // size * size], ROWS[kind]))
        rows = np.concatenate(parts)
        if len(rows) < end - first:
            raise RecordError(
                f"{name}: expected rows {first} to {end - 1} in the store, found {len(rows)} of"
                " them; the market cannot go on from there"
            )
        return first, rows[: end - first]

    def _segments(self, kind: str) -> list[Segment]:
        """Return the segments of the tape that the log names, oldest first."""
        log = of_market(self._folder, self._found.market, DECISIONS)
        if kind == BARS or not log.exists():
            return []
        tape = self._folder / TAPE
        return sorted(
            segment
            for entry in read_decisions(log)
            if entry["do"] == "segment"
            and (segment := segment_of(tape / entry["name"], self._found.market, KINDS[kind]))
        )

    def _segment(self, segment: Segment, kind: SegmentKind) -> NDArray[np.void]:
        data = self._objects.get(f"{RECORD}/{TAPE}/{segment.path.name}")
        if data is None:
            raise RecordError(f"{segment.path.name}: the store lacks this segment of the tape")
        segment.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(segment.path, data)
        return read_segment(segment.path, kind)


def set_stats(ring: RingWriter, stats: bytes) -> None:
    """Set the counters in a ring's header; none if ``stats`` is not of this version."""
    if len(stats) == ring.stats.dtype.itemsize:
        counted = np.frombuffer(stats, ring.stats.dtype)[0]
        for name in ring.stats.dtype.names or ():
            ring.stats[name] = counted[name]
