"""Which confidence was in force when: a forecast is judged by that of its own time.

SYMBOL.decisions.jsonl (only what is new) -> Thresholds -> [time, confidence], oldest first
"""

from __future__ import annotations

import json
from pathlib import Path

from streaming.ticks import NS_PER_S
from trainers.engine.controls import ControlRefusedError, number_of
from trainers.names import Control
from trainers.recording.files import DECISIONS, of_market

WANTED = b'"do":"control"'


class Thresholds:
    """Reads the confidences of one market from its decision log.

    Args:
        folder: the session's folder.
        symbol: the market.
        configured: the confidence with which the session began.

    Attributes:
        changes: pairs of unix seconds, of the newest bar then, and the confidence after it; the
            first is that of the beginning, at 0.
    """

    def __init__(self, folder: Path, symbol: str, configured: float) -> None:
        self._path = of_market(folder, symbol, DECISIONS)
        self._read = 0  # bytes
        self.changes: list[list[float]] = [[0, configured]]

    @property
    def newest(self) -> float:
        """The confidence in force now."""
        return self.changes[-1][1]

    def update(self) -> None:
        """Read what is new."""
        if not self._path.exists() or self._path.stat().st_size <= self._read:
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            *lines, rest = file.read().split(b"\n")
            self._read = file.tell() - len(rest)
        for line in lines:
            if WANTED in line:
                self._add(line)

    def _add(self, line: bytes) -> None:
        try:
            entry = json.loads(line)
            if entry["name"] != Control.CONFIDENCE or entry["refused"]:
                return
            after = int(entry["after_bar"]) // NS_PER_S
            self.changes.append([after, number_of(Control.CONFIDENCE, entry["value"])])
        except (ValueError, KeyError, TypeError, ControlRefusedError):
            return  # a log of before 0.3 has no time; a damaged one is told by who repeats it
