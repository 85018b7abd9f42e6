"""What a market's files on this machine have, as far as other machines may see it.

Files are read before rings, the ledger before the log; of the rings ticks, then quotes, then bars,
cut to what was read of those before: nothing that is given refers to what is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.cache import bar_ring, quote_ring, tick_cache
from streaming.symbols import file_name
from trainers.recording.errors import RESTORE
from trainers.recording.files import FORECASTS, OURS, read_json
from trainers.recording.rows import read_names
from trainers.recording.travel.market_files import (
    BARS,
    QUOTES,
    ROWS,
    TICKS,
    growing_files,
    whole_bytes,
)
from trainers.scoring.ledger import FORECAST

RINGS = {TICKS: tick_cache, QUOTES: quote_ring, BARS: bar_ring}


class Grown(NamedTuple):
    """Bytes of a file that grows.

    Attributes:
        at: the first one's place in the file; later than what was asked for, if the ring has
            overwritten rows since.
        data: the bytes.
    """

    at: int
    data: bytes


class News(NamedTuple):
    """What a machine has of a market beyond what another knows.

    Attributes:
        epoch: under which this machine has the market.
        grown: by the names of files and rings.
        stats: the stream's counters; empty before its first tick.
    """

    epoch: int
    grown: dict[str, Grown]
    stats: bytes


class LocalRecord:
    """A market's growing files and rings on this machine.

    Args:
        folder: the session's folder.
        market: the market's symbol.
    """

    def __init__(self, folder: Path, market: str) -> None:
        self._folder, self._market = folder, market
        self._learners: list[str] = []

    def since(self, have: Mapping[str, int]) -> dict[str, Grown]:
        """Return what is new, by the names of files and rings, as a copy appends it.

        Args:
            have: the files and rings that are asked for, with the bytes of each that are known.
        """
        names = [name for name in growing_files(self._market, first=True) if name in have]
        files = {name: Grown(have[name], self.file(name, have[name])) for name in reversed(names)}
        rings = {name: grown for name, grown in self.rows(have) if name in have}
        return rings | {name: files[name] for name in names}

    @property
    def stats(self) -> bytes:
        """The stream's counters; empty before its first tick."""
        if not (self._folder / f"{file_name(self._market)}{TICKS}").exists():
            return b""
        stats: bytes = tick_cache(self._folder, self._market).stats.tobytes()
        return stats

    def file(self, name: str, at: int) -> bytes:
        """Return a file's bytes from ``at`` on, up to its last whole entry."""
        path = self._folder / name
        if not path.exists():
            return b""
        with path.open("rb") as file:
            file.seek(at)
            data = file.read()
        if name.endswith(FORECASTS) and not self._learners:
            self._learners = read_names(path, FORECAST)
        return data[: max(0, whole_bytes(name, data, at, self._learners) - at)]

    def rows(self, have: Mapping[str, int]) -> Iterator[tuple[str, Grown]]:
        """Yield the new rows of each ring: none that refers to what is not read here.

        A quote says after how many ticks it came, a bar which ticks and quotes it has.

        Args:
            have: the bytes of each ring that are known, from its first row ever on.

        Raises:
            FileNotFoundError: if the folder is gone.
        """
        stops: dict[str, int] = {}
        for kind, opened in RINGS.items():
            name = f"{file_name(self._market)}{kind}"
            if not (self._folder / name).exists():
                if not self._folder.exists():  # files read before may refer to the rows
                    raise FileNotFoundError(
                        f"{self._folder}: another process has put this folder aside"
                    )
                return
            at, size = have.get(name, 0), ROWS[kind].itemsize
            first, rows = opened(self._folder, self._market).read(at // size)
            if kind == QUOTES:
                rows = rows[: _leading(rows["after"] <= stops[TICKS])]
            if kind == BARS:
                known = (rows["final_seq"] <= stops[TICKS]) & (rows["final_quote"] <= stops[QUOTES])
                rows = rows[: _leading(known)]
            stops[kind] = first + len(rows)
            # Where the known bytes end within a row, the rest of that row is new.
            begin = max(at, first * size) if len(rows) else at
            yield name, Grown(begin, rows.tobytes()[max(0, at - first * size) :])


def news_of(folder: Path, asked: Mapping[str, Mapping[str, int]]) -> dict[str, News]:
    """Return what is new of those markets that this machine has.

    Args:
        folder: the session's folder on this machine.
        asked: by market: the files and rings, with the bytes of each that are known.

    Raises:
        OSError: if the folder goes meanwhile.
        RecordError: if something in it is damaged.
    """
    path = folder / OURS
    ours = read_json(path, dict[str, int], "epochs by market", RESTORE) if path.exists() else {}
    found = {}
    for market in ours.keys() & asked.keys():
        here = LocalRecord(folder, market)
        found[market] = News(ours[market], here.since(asked[market]), here.stats)
    return found


def _leading(known: NDArray[np.bool]) -> int:
    """Return how many are true before the first that is not.

    >>> _leading(np.array([True, True, False, True]))
    2
    """
    return int(np.logical_and.accumulate(known).sum())
