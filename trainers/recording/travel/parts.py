"""Growing files as objects of a store that cannot append and has no locks. Pure.

    EPOCH/base.json           where the epoch begins: the one before it, and the bytes taken from it
    EPOCH/FILE.part-OFFSET    bytes of the file from OFFSET on; only the newest part grows
    EPOCH/FILE                a file that is replaced whole

A file that only grows is kept in parts. A part that is full is never written again; the open one
is written anew with each pass until it is full. Whoever takes a market over begins an *epoch* and
writes under its name only. What a holder of an older epoch still writes lies beyond the bytes that
the next epoch has taken, so nobody reads it: the store needs no lock for that. The idea is that of
fencing tokens: M. Kleppmann, Designing Data-Intensive Applications, 2017, chapter 8.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

PART_BYTES = 1 << 16  # of an open part, half of which is written anew with each pass on average
BASE = "base.json"
MARK = ".part-"


class Base(msgspec.Struct, frozen=True):
    """The beginning of an epoch.

    Attributes:
        after: the epoch that it goes on from; 0 if it is the first.
        sizes: the bytes taken over of each growing file, by name.
    """

    after: int
    sizes: dict[str, int]


class ByteSpan(NamedTuple):
    """Bytes ``start`` (included) to ``stop`` (excluded) of a file."""

    start: int
    stop: int


class PartPiece(NamedTuple):
    """A part of an epoch, of which bytes ``start`` to ``stop`` of the file are read."""

    epoch: int
    offset: int
    start: int
    stop: int


def part_name(file: str, offset: int) -> str:
    """Return the name of the part that begins at byte ``offset``.

    >>> part_name("BTCUSDT.outcomes", 65536)
    'BTCUSDT.outcomes.part-000000000065536'
    """
    return f"{file}{MARK}{offset:015d}"


def file_and_offset(name: str) -> tuple[str, int] | None:
    """Return which file a part is of, and its first byte; None if it is no part.

    >>> file_and_offset("A.ticks.part-000000000000008"), file_and_offset("A.runs.json")
    (('A.ticks', 8), None)
    """
    file, mark, offset = name.rpartition(MARK)
    return (file, int(offset)) if mark and offset.isdigit() else None


def to_write(open_at: int, written: int, size: int, most: int = PART_BYTES) -> list[ByteSpan]:
    """Return the parts to write of a file that has grown, in order; the last one is the open one.

    Args:
        open_at: where the open part begins.
        written: the bytes of the file that are in the store.
        size: the bytes that the file has.
        most: how long a part may become.

    >>> to_write(0, 10, 25, most=10)
    [ByteSpan(start=10, stop=20), ByteSpan(start=20, stop=25)]
    >>> to_write(20, 25, 27, most=10), to_write(20, 27, 27, most=10)
    ([ByteSpan(start=20, stop=27)], [])
    """
    if size <= written:
        return []
    first = written if written - open_at == most else open_at
    return [ByteSpan(start, min(start + most, size)) for start in range(first, size, most)]


def lineage(bases: Mapping[int, Base]) -> list[int]:
    """Return the epochs that make up a market's record, oldest first.

    An epoch whose holder was replaced before it had begun is in nobody's lineage.

    Args:
        bases: the beginnings of the epochs that have one.

    >>> lineage({1: Base(0, {}), 2: Base(1, {}), 3: Base(1, {})})
    [1, 3]
    """
    found: list[int] = []
    epoch = max(bases, default=0)
    while epoch:
        found.append(epoch)
        epoch = bases[epoch].after
    return found[::-1]


def pieces(
    file: str, bases: Mapping[int, Base], parts: Mapping[int, Iterable[ByteSpan]], since: int = 0
) -> list[PartPiece]:
    """Return what a file is made of, in order and without a hole, as far as the store has it.

    Args:
        file: the file's name.
        bases: the beginnings of the epochs.
        parts: the file's parts in the store, by epoch.
        since: the first byte that is wanted; those before it may be missing.
    """
    epochs = lineage(bases)
    found: list[PartPiece] = []
    at = since
    for epoch, successor in itertools.zip_longest(epochs, epochs[1:]):
        end = bases[successor].sizes.get(file, 0) if successor else None
        for part in sorted(parts.get(epoch, ())):
            stop = part.stop if end is None else min(part.stop, end)
            if part.start <= at < stop:
                found.append(PartPiece(epoch, part.start, at, stop))
                at = stop
    return found
