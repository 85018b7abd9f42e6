"""The champions of a trainer's markets: verdicts and people move aliases, the markets follow.

The alias in the registry is the single source of truth. The process ``candidate``, which the
launcher forks, and the tracker's thread move it, so that training never waits. The alias watcher
sees every move, whoever made it, and the new champion is installed in its market between two bars.
"""

from __future__ import annotations

import functools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from trainers.engine.commands import CandidateWanted, RollbackWanted
from trainers.promotion.alias_watcher import AliasWatcher, Arrival
from trainers.promotion.candidate import is_put_aside, write_candidate
from trainers.promotion.registry import AliasMove
from trainers.recording.files import waiting_candidates

log = logging.getLogger(__name__)

CANDIDATE_SECONDS = 60.0  # how long to wait at the end for candidates to be registered
POLL_SECONDS = 0.1

# How many learners' aliases are looked at each time, besides those that wait for a candidate: of
# fifty markets all of them took a tenth of a trainer's CPU.
A_TURN = 10

# The champion's version by market and learner; None if the registry was not read yet.
Known = Mapping[tuple[str, str], int | None]


class PromotionController:
    """Carries out promotions and rollbacks, and finds new champions.

    Args:
        session: the session's folder.
        name_of: returns the registered model's name, given a market and a learner.
        watcher: the watcher of the registry's aliases.
        roll_back: moves a model's alias back to the previous champion, given the model's name.
        later: runs a task in a thread that may wait for the store.
    """

    def __init__(
        self,
        session: Path,
        name_of: Callable[[str, str], str],
        watcher: AliasWatcher,
        roll_back: Callable[[str, AliasMove], object],
        later: Callable[[Callable[[], object]], None],
    ) -> None:
        self._session, self._name_of, self._watcher = session, name_of, watcher
        self._roll_back, self._later = roll_back, later
        self._turns: deque[tuple[str, str]] = deque()
        self._looked = False  # whether all aliases have been looked at once
        self._coming: dict[tuple[str, str], Path] = {}  # candidates until they are champion

    def begin(self, known: Known) -> None:
        """Begin, or continue from an earlier trainer: with its champions and its candidates."""
        self._turns = deque(known)
        for (market, learner), version in known.items():
            if version is not None:
                self._watcher.know(market, learner, version)
        for market in {market for market, _ in known}:
            for file in waiting_candidates(self._session, market):
                self._coming[market, file.parent.name] = file

    def look(self) -> None:
        """Check the registry's aliases; for a thread that may wait for the store.

        All of them the first time, then those that may change soon, and of the others a few.
        """
        n = A_TURN if self._looked else len(self._turns)
        few = [self._turns[i] for i in range(min(n, len(self._turns)))]
        soon = [one for one in self._coming if one not in few]
        self._watcher.look([*few, *soon])
        self._turns.rotate(-len(few))
        self._looked = True

    def arrivals(self) -> Iterator[Arrival]:
        """Yield the versions that have become champion since the last call."""
        while not self._watcher.arrivals.empty():
            arrival = self._watcher.arrivals.get()
            self._coming.pop((arrival.symbol, arrival.learner), None)
            yield arrival

    def promote(self, market: str, run_id: str, wanted: CandidateWanted) -> None:
        """Write a candidate, which becomes champion, unless one of its learner is on its way."""
        coming = self._coming.get((market, wanted.learner))
        if coming is None or is_put_aside(coming):
            file = write_candidate(self._session, market, run_id, wanted)
            self._coming[market, wanted.learner] = file

    def roll_back(self, market: str, wanted: RollbackWanted) -> None:
        """Make the previous champion the champion again, as soon as the store answers."""
        verdict = wanted.verdict.as_dict() if wanted.verdict else None
        move = AliasMove("rollback", wanted.by, self._session.name, wanted.cycle, verdict)
        name = self._name_of(market, wanted.learner)
        self._later(functools.partial(self._roll_back, name, move))

    def wait(self) -> None:
        """Wait until the candidates on their way are registered, a minute at most.

        One that takes longer is registered when the session is resumed.
        """
        deadline = time.monotonic() + CANDIDATE_SECONDS
        while any(file.exists() for file in self._coming.values()):
            if time.monotonic() > deadline:
                log.warning("candidates are not registered after %.0f s", CANDIDATE_SECONDS)
                return
            time.sleep(POLL_SECONDS)
