"""The session's metrics: those of its markets combined, once a cycle.

A cycle of the first market is combined with the newest cycle of each other market, read from its
log. The numbers of these cycles are written to a file, so that a replay combines the same ones.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from trainers.recording.contents.entries import Entry
from trainers.recording.decision_log import last_end, read_decisions
from trainers.recording.files import DECISIONS, SUMS, append_line, of_market
from trainers.recording.record import read_sums
from trainers.scoring.session import CycleSummary, SessionScores, session_scores


class Sums:
    """Combines the metrics of a session's markets; ``cycle in sums`` is True once done.

    Args:
        session: the session's folder.
        markets: the symbols of all its markets.

    Attributes:
        newest: the entry of each market's newest cycle's end by symbol, as of the last sum.
    """

    def __init__(self, session: Path, markets: Sequence[str]) -> None:
        self._session, self._markets = session, markets
        self._taken = read_sums(session)
        self.newest = self._ends()

    def __contains__(self, cycle: int) -> bool:
        return cycle in self._taken

    def at(self, cycle: int) -> SessionScores:
        """Return the session's metrics and discoveries at a cycle of its first market."""
        taken = self._taken.get(cycle)
        ends = (
            self._take(cycle)
            if taken is None
            else {market: self._end(market, at) for market, at in taken.items()}
        )
        found = {
            market: CycleSummary(end["stream"], end.get("standing")) for market, end in ends.items()
        }
        return session_scores(found, self._markets)

    def _take(self, cycle: int) -> dict[str, Entry]:
        """Choose the cycle of each market that is combined with ``cycle``, and write it down."""
        self.newest = found = self._ends()
        taken = {market: end["cycle"] for market, end in found.items()}
        append_line(self._session / SUMS, json.dumps({"cycle": cycle, "of": taken}).encode())
        self._taken[cycle] = taken
        return found

    def _ends(self) -> dict[str, Entry]:
        newest = {market: last_end(self._log(market)) for market in self._markets}
        return {market: end for market, end in newest.items() if end}

    def _end(self, market: str, cycle: int) -> Entry:
        newest = last_end(self._log(market))
        if newest and newest["cycle"] == cycle:
            return newest
        ends = (entry for entry in read_decisions(self._log(market)) if entry["do"] == "end")
        return next(entry for entry in ends if entry["cycle"] == cycle)

    def _log(self, market: str) -> Path:
        return of_market(self._session, market, DECISIONS)
