"""The champions of a trainer's markets: verdicts and people move the registry, markets follow.

The alias in the registry is the truth. Moves are made beside the session, by ``candidate`` and the
tracker's thread. What the registry then says is seen by the alias watcher, whoever moved it, and
is handed to the market between two bars.
"""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from trainers.engine.commands import CandidateWanted, RollbackWanted
from trainers.names import model_name
from trainers.promotion.alias_watcher import AliasWatcher, Arrival
from trainers.promotion.candidate import candidates, start, write_candidate
from trainers.promotion.registry import Move

CANDIDATE_SECONDS = 60.0  # that a version on its way is waited for at the end

# A learner of a market, and the version of its champion; None if the registry was not read yet.
Known = Mapping[tuple[str, str], int | None]


class PromotionController:
    """Carries out verdicts, and tells who has become champion.

    Args:
        session: the session's folder.
        watcher: of the registry's aliases.
        roll_back: moves the alias of a model back to the one before.
        later: does work that may wait for the store.
    """

    def __init__(
        self,
        session: Path,
        watcher: AliasWatcher,
        roll_back: Callable[[str, Move], object],
        later: Callable[[Callable[[], object]], None],
    ) -> None:
        self._session, self._watcher = session, watcher
        self._roll_back, self._later = roll_back, later
        self._learners: list[tuple[str, str]] = []
        self._coming: dict[tuple[str, str], list[subprocess.Popen[bytes]]] = {}

    def begin(self, known: Known) -> None:
        """Go on from what the markets know, which may be of an earlier trainer."""
        self._learners = list(known)
        for (market, learner), version in known.items():
            if version is not None:
                self._watcher.know(market, learner, version)
            waiting = candidates(self._session, market, learner)
            self._coming[market, learner] = [start(self._session, file) for file in waiting]

    def look(self) -> None:
        """Look at the registry; for a thread that may wait for the store."""
        self._watcher.look(self._learners)

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the versions that have become champion since the last call."""
        while not self._watcher.arrivals.empty():
            arrival = self._watcher.arrivals.get()
            self._coming[arrival.symbol, arrival.learner] = []
            yield arrival

    def promote(self, market: str, run_id: str, wanted: CandidateWanted) -> None:
        """Let a learner be registered and become champion, unless one is on its way."""
        coming = self._coming[market, wanted.learner]
        if any(process.poll() in (None, 0) for process in coming):
            return
        file = write_candidate(self._session, market, run_id, wanted)
        self._coming[market, wanted.learner] = [start(self._session, file)]

    def roll_back(self, market: str, wanted: RollbackWanted) -> None:
        """Let a champion's predecessor serve again."""
        verdict = wanted.verdict.as_dict() if wanted.verdict else None
        move = Move("rollback", wanted.by, self._session.name, wanted.cycle, verdict)
        self._later(functools.partial(self._roll_back, model_name(market, wanted.learner), move))

    def wait(self) -> None:
        """Wait for the versions that are on their way into the registry."""
        for processes in self._coming.values():
            for process in processes:
                process.wait(CANDIDATE_SECONDS)
