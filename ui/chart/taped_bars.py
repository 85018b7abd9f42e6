"""Bars that the ring has forgotten, made anew of the session's own tape.

tape/SYMBOL-*.parquet -> the segments around a time -> ticks -> bars
"""

from __future__ import annotations

import bisect
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from streaming.bars import BAR, Bars, bars_of
from streaming.errors import TapeError
from streaming.ticks import NS_PER_S
from trainers.recording.files import TAPE

if TYPE_CHECKING:
    from streaming.tape.segments import Segment

MOST_SECONDS = 7200  # at once: some hundred thousand ticks
SETTLED_BARS = 60  # a bar's quotes and carried price are known by then


class TapedBars:
    """Reads the bars of one symbol's tape. Its library is loaded when the tape is first read.

    Args:
        session: the session's folder.
        symbol: the market.
        grace_ns: how long the feed waits for late ticks.
        bar_seconds: the length of a bar, s.

    Attributes:
        most: how many bars it returns at once, at most.
    """

    def __init__(self, session: Path, symbol: str, grace_ns: int, bar_seconds: int = 1) -> None:
        self._bar_seconds, self.most = bar_seconds, max(1, MOST_SECONDS // bar_seconds)
        self._folder, self._symbol, self._grace_ns = session / TAPE, symbol, grace_ns
        self._begins: dict[Path, int] = {}  # the time of each segment's first tick, ns

    def before(self, time: int, most: int) -> Bars:
        """Return bars that open before ``time``, unix seconds, ``(T,)``, oldest first.

        Args:
            time: unix seconds; bars that are not final then are not returned.
            most: how many bars at most; there are fewer where the tape begins, and none where it
                cannot be read.
        """
        from streaming.tape.segment_tape import read_segment  # noqa: PLC0415  (40 MB of Arrow)
        from streaming.tape.segments import segments  # noqa: PLC0415

        most = min(most, self.most)
        try:
            found = segments(self._folder, self._symbol)
            stop = bisect.bisect_left(found, time * NS_PER_S, key=self._begin)
            since = (time - (most + SETTLED_BARS) * self._bar_seconds) * NS_PER_S
            first = max(0, bisect.bisect_right(found[:stop], since, key=self._begin) - 1)
            ticks = [read_segment(segment.path) for segment in found[first:stop]]
        except TapeError:
            return np.zeros(0, BAR)
        if not ticks:
            return np.zeros(0, BAR)
        bar_ns = self._bar_seconds * NS_PER_S
        bars = bars_of(np.concatenate(ticks), grace_ns=self._grace_ns, bar_ns=bar_ns)
        # Where the tape goes on before the first segment read, its first bars lack ticks.
        begin = since if first else 0
        whole = (bars["ts_open"] >= begin) & (bars["ts_open"] < time * NS_PER_S)
        return bars[whole][-most:]

    def _begin(self, segment: Segment) -> int:
        from streaming.tape.segment_tape import read_segment  # noqa: PLC0415

        if segment.path not in self._begins:
            ticks = read_segment(segment.path)
            self._begins[segment.path] = int(ticks["ts_event"][0]) if len(ticks) else 0
        return self._begins[segment.path]
