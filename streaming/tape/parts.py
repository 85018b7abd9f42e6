"""A tape of many files, read one after the other: what is in memory is one of them.

    a folder of daily files, a pattern, one file, a session's segments -> parts -> Recording, ...

A part is a file of trades with that of its quotes beside it, or one segment of a session's tape.
"""

from __future__ import annotations

import glob
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from streaming.errors import TapeError
from streaming.quotes import LATE as LATE_QUOTE
from streaming.quotes import MARK, NO_QUOTES, Quotes
from streaming.symbols import same_but_for_case
from streaming.tape.address import TapeAddress
from streaming.tape.foreign.quote_table import FORMS, names_beside
from streaming.tape.reading import open_tape
from streaming.tape.recording import Recording, spelled
from streaming.tape.segment_tape import read_segment
from streaming.tape.segments import NAME, Segment, SegmentKind, segment_symbol, segments
from streaming.tape.tables.containers import ASIDE
from streaming.ticks import AFTER_GAP, LATE, Ticks

TABLES = (*FORMS, ".csv.bz2", ".csv.xz", ".tsv", ".txt", ".zst", ".gz")
MOST_SHOWN = 5  # names


class Part(NamedTuple):
    """One file's share of a symbol's tape, as a look at it has found it.

    Attributes:
        address: the file, and what is said of it.
        first: the earliest event time in it, ns.
        last: the latest, ns.
        ticks: how many trades it has.
        quotes: whether it has quotes.
    """

    address: TapeAddress
    first: int
    last: int
    ticks: int
    quotes: bool


class SymbolTape(NamedTuple):
    """One symbol's tape.

    Attributes:
        symbol: as the tape spells it.
        parts: in the order of their times.
        remarks: what a person should know, a sentence each.
        kept: whether the rows are a session's own, in the order in which it kept them.
    """

    symbol: str
    parts: tuple[Part, ...]
    remarks: tuple[str, ...]
    kept: bool


def files_of(address: TapeAddress) -> list[Path]:
    """Return the files of a tape, without those of quotes beside others; one for one file.

    In a folder those are left out that would be left out in a zip (READMEs, hidden files).

    Raises:
        TapeError: if a pattern or folder has none.
    """
    path = address.path
    if path.is_dir():
        found = sorted(each for each in path.iterdir() if _is_table(each))
    elif not path.exists() and glob.has_magic(str(path)):
        found = sorted(map(Path, glob.glob(str(path))))
    else:
        return [path]
    quotes = {each.with_name(name) for each in found for name in names_beside(each.name)}
    left = [each for each in found if each not in quotes]
    if not left:
        raise TapeError(f"{path}: expected files of trades ({', '.join(TABLES)}); there are none")
    return left


def _is_table(path: Path) -> bool:
    named = path.name.lower().endswith(TABLES) and not ASIDE.search(path.name)
    return named and not path.is_dir()


def _left_aside(address: TapeAddress) -> list[str]:
    """Return what a person should know of the rest of a tape's folder."""
    if not address.path.is_dir():
        return []
    names = sorted(each.name + "/" * each.is_dir() for each in address.path.iterdir()
                   if not _is_table(each) and not ASIDE.search(each.name))  # fmt: skip
    return _said("left aside in the folder, no tables of trades", names)


def _said(what: str, names: Sequence[str]) -> list[str]:
    """Return a remark that names some files; none if there are none."""
    shown = ", ".join(names[:MOST_SHOWN]) + ", ..." * (len(names) > MOST_SHOWN)
    return [f"{what}: {shown}"] if names else []


def look_at(address: TapeAddress, symbols: Sequence[str], *, quotes: bool) -> list[SymbolTape]:
    """Read all of a tape once; return what there is of each symbol.

    Raises:
        TapeError: if a file cannot be read, a symbol is on none, or two files overlap in time.
    """
    if own := segments_in(address.path):
        return [_own_tape(address, own, symbol, quotes=quotes) for symbol in symbols]
    files = files_of(address)
    parts: dict[str, list[Part]] = {symbol: [] for symbol in symbols}
    aside = _left_aside(address)
    remarks = {symbol: [*aside] for symbol in symbols}
    names: dict[str, str] = {}
    there: list[str] = []
    for file in files:
        at = address._replace(path=file)
        tape = open_tape(at, quotes=quotes)
        there += [name for name in tape.symbols if name not in there]
        for symbol in symbols:
            if len(files) > 1 and not same_but_for_case(symbol, tape.symbols):
                continue
            found = tape.read(symbol)
            names[symbol] = found.symbol
            where = f"{file.name}: " if len(files) > 1 else ""
            remarks[symbol] += [where + remark for remark in found.remarks]
            parts[symbol].append(_part(at, found))
    played = {part.address.path for each in parts.values() for part in each}
    others = _said("not played, of other symbols",
                   [file.name for file in files if file not in played])  # fmt: skip
    for symbol in symbols:
        remarks[symbol] += others
        if not parts[symbol]:
            spelled(address.path, symbol, there)
    return [
        SymbolTape(names[symbol], _in_order(parts[symbol]), tuple(remarks[symbol]), kept=False)
        for symbol in symbols
    ]


def _part(address: TapeAddress, found: Recording) -> Part:
    times = found.ticks["ts_event"]
    times = times[times > 0] if (times > 0).any() else np.zeros(1, np.int64)
    return Part(
        address, int(times.min()), int(times.max()), len(found.ticks), len(found.quotes) > 0
    )


def _in_order(parts: Sequence[Part]) -> tuple[Part, ...]:
    ordered = sorted(parts, key=lambda part: (part.first, part.last))
    for before, after in itertools.pairwise(ordered):
        if after.first < before.last:
            raise TapeError(
                f"{after.address.path}: expected trades after those of {before.address.path}, the"
                " two overlap in time: move one away"
            )
    return tuple(ordered)


def segments_in(path: Path) -> list[str]:
    """Return the symbols of a session's tape in a folder; none if it is none."""
    if not path.is_dir():
        return []
    named = [each for each in path.glob("*.parquet") if NAME.fullmatch(each.name)]
    return sorted({segment_symbol(each) for each in named})


def _own_tape(
    address: TapeAddress, there: Sequence[str], symbol: str, *, quotes: bool
) -> SymbolTape:
    name = spelled(address.path, symbol, there)
    quotes = quotes and any(
        bool((read_segment(each.path, SegmentKind.QUOTES)["flags"] & MARK == 0).any())
        for each in segments(address.path, name, SegmentKind.QUOTES)
    )
    parts = [
        _part(
            address._replace(path=segment.path), Recording(read_segment(segment.path), name)
        )._replace(quotes=quotes)
        for segment in segments(address.path, name)
    ]
    if not parts:
        raise TapeError(f"{address.path}: expected trades of {name}; there are none")
    return SymbolTape(name, tuple(parts), (), kept=True)


def read_parts(tape: SymbolTape, *, quotes: bool) -> Iterator[tuple[Ticks, Quotes]]:
    """Yield a symbol's trades and quotes, part by part; ``after`` counts the part's own trades.

    A session's own quotes have their marks with them. Rows of a file without ids go on counting.

    Raises:
        TapeError: if a file has changed since ``look_at``.
    """
    if tape.kept:
        yield from _kept_parts(tape, quotes=quotes)
        return
    last = -1
    for part in tape.parts:
        found = open_tape(part.address, quotes=quotes).read(tape.symbol)
        if len(found.ticks) != part.ticks:
            raise TapeError(
                f"{part.address.path}: expected {part.ticks} trades of {tape.symbol}, as a moment"
                f" ago; got {len(found.ticks)}: do not change a tape while it is read"
            )
        ticks = found.ticks
        if last >= 0 and (ticks["id"] == np.arange(len(ticks))).all():
            ticks["id"] += last + 1  # the file has no ids: they are places in it
        last = int(ticks["id"][-1])
        yield ticks, found.quotes


def _kept_parts(tape: SymbolTape, *, quotes: bool) -> Iterator[tuple[Ticks, Quotes]]:
    folder = tape.parts[0].address.path.parent
    ticks = segments(folder, tape.symbol)
    left = segments(folder, tape.symbol, SegmentKind.QUOTES) if quotes else []
    rows = NO_QUOTES
    for segment in ticks:
        while left and (not len(rows) or rows["after"][-1] < segment.stop):
            rows = np.concatenate([rows, read_segment(left.pop(0).path, SegmentKind.QUOTES)])
        n = len(rows) if segment is ticks[-1] else np.searchsorted(rows["after"], segment.stop)
        here, rows = rows[:n].copy(), rows[n:]
        yield _as_received(segment, here)


def _as_received(segment: Segment, quotes: Quotes) -> tuple[Ticks, Quotes]:
    """Return the rows of a segment without what only the making of bars has told of them."""
    ticks = read_segment(segment.path)
    ticks["flags"] &= ~np.uint8(LATE | AFTER_GAP)
    quotes["flags"] &= ~np.uint8(LATE_QUOTE)
    quotes["after"] = np.maximum(quotes["after"] - segment.first, 0)
    return ticks, quotes
