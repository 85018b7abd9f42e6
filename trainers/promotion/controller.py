"""The champions of a session: verdicts and people move the registry, the session follows.

The alias in the registry is the truth. Moves are made beside the session, by ``candidate`` and the
tracker's thread. What the registry then says is seen by the watcher, whoever moved it, and is
installed here between two bars.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainers.engine.assembly import install_again
from trainers.engine.champion_challenger import Contest
from trainers.engine.controls import RefusedError
from trainers.engine.market_trainer import Lane
from trainers.promotion.alias_watcher import Versions, Watch
from trainers.promotion.candidate import candidates, start, write_candidate
from trainers.promotion.registry import Move
from trainers.promotion.versions import model_name
from trainers.recording.decision_log import Entry, Journal
from trainers.tracking.tracker import Tracker

CANDIDATE_SECONDS = 60.0  # that a version on its way is waited for at the end


class Championship:
    """Of all lanes.

    Args:
        session: the session's folder.
        lanes: by symbol; filled in later.
        journal: takes champions and verdicts.
        tracker: takes tags, and errands that may wait for the store.
        say: takes what somebody should know.
        versions: the programs of registered versions.
        watch: of the registry's aliases.
        roll_back: moves the alias of a model back to the one before.
    """

    def __init__(
        self,
        session: Path,
        lanes: dict[str, Lane],
        journal: Journal,
        tracker: Tracker,
        say: Callable[[str], None],
        versions: Versions,
        watch: Watch,
        roll_back: Callable[[str, Move], object],
    ) -> None:
        self._session, self._lanes = session, lanes
        self._journal, self._tracker, self._say = journal, tracker, say
        self._versions, self._watch, self._roll_back = versions, watch, roll_back
        self._contests: dict[tuple[str, str], Contest] = {}
        self._coming: dict[str, subprocess.Popen[bytes]] = {}  # candidates, by file

    def begin(self) -> None:
        """Go on from what the lanes know, which may be of an earlier trainer."""
        self._contests = {
            (symbol, contest.name): contest
            for symbol, lane in self._lanes.items() for contest in lane.contests
        }  # fmt: skip
        for (symbol, name), contest in self._contests.items():
            if contest.challenge:
                self._watch.know(symbol, name, contest.version)
        self._coming = {file.stem: start(self._session, file) for file in candidates(self._session)}

    def look(self) -> None:
        """Look at the registry; for a thread that may wait for the store."""
        self._watch.look(list(self._contests))

    def take(self) -> None:
        """Have versions that have become champion forecast, from the next bar on."""
        while not self._watch.arrivals.empty():
            arrival = self._watch.arrivals.get()
            lane = self._lanes[arrival.symbol]
            contest = self._contests[arrival.symbol, arrival.learner]
            first_look = contest.challenge == 0
            for name in self._coming_of(lane, contest):
                del self._coming[name]
            contest.install(arrival.version, arrival.model, arrival.challenge, lane.newest_bar)
            self._journal.write(
                "champion",
                symbol=arrival.symbol,
                learner=arrival.learner,
                version=arrival.version,
                challenge=arrival.challenge,
                after_bar=lane.newest_bar,
            )
            if arrival.version or not first_look:
                who = f"version {arrival.version}" if arrival.version else "nobody"
                self._say(f"{arrival.symbol} {arrival.learner}: champion is now {who}")
            self._tell(contest)

    def install_again(self, entry: Entry) -> None:
        """Do again what the journal says of a champion."""
        install_again(self._lanes[entry["symbol"]], entry, self._versions)

    def follow(self, lane: Lane) -> None:
        """Do what the verdicts of a cycle say."""
        for contest in lane.contests:
            self._tell(contest)
            for verdict in (contest.verdict, contest.on_champion):
                if verdict is None or verdict.decision not in ("promote", "rollback"):
                    continue
                told = verdict.as_dict()
                self._journal.write(
                    "verdict", symbol=lane.symbol, learner=contest.name, cycle=lane.cycle, **told
                )
                self._say(f"{lane.symbol} {contest.name}: {verdict.decision}: {verdict.reason}")
                self._move(lane, contest, verdict.decision, "evidence", told)

    def by_hand(self, action: str, learner: str) -> str:
        """Promote a learner as it is, or roll its champion back, for every symbol.

        Raises:
            RefusedError: if there is nothing to promote, or to roll back.
        """
        asked = [(lane, contest) for lane in self._lanes.values() for contest in lane.contests
                 if contest.name == learner]  # fmt: skip
        names = sorted({name for _, name in self._contests})
        if not asked:
            raise RefusedError(f"control/{action}: got {learner!r}; allowed: {', '.join(names)}")
        for lane, contest in asked:
            if action == "rollback" and not contest.version:
                raise RefusedError(f"control/rollback: {learner} has no champion to roll back")
            if action == "promote" and not contest.challenger.version:
                raise RefusedError(f"control/promote: {learner} has not learned yet")
            verdict = contest.verdict.as_dict() if contest.verdict else None
            self._move(lane, contest, action, "hand", verdict)
        return f"{action} of {learner} is on its way"

    def wait(self) -> None:
        """Wait for the versions that are on their way into the registry."""
        for process in self._coming.values():
            process.wait(CANDIDATE_SECONDS)

    def _move(
        self, lane: Lane, contest: Contest, action: str, by: str, verdict: dict[str, Any] | None
    ) -> None:
        """Have the registry's alias moved, beside the session; the watch sees it then."""
        if action == "rollback":
            move = Move("rollback", by, self._session.name, lane.cycle, verdict)
            name = model_name(lane.symbol, contest.name)
            self._tracker.errand(functools.partial(self._roll_back, name, move))
            return
        if any(process.poll() in (None, 0) for process in self._coming_of(lane, contest).values()):
            return  # one is on its way
        file = write_candidate(self._session, lane, contest.challenger, by, verdict)
        self._coming[file.stem] = start(self._session, file)

    def _coming_of(self, lane: Lane, contest: Contest) -> dict[str, subprocess.Popen[bytes]]:
        about = f"{lane.symbol}-{contest.name}-"
        return {name: one for name, one in self._coming.items() if name.startswith(about)}

    def _tell(self, contest: Contest) -> None:
        tags = {"champion": str(contest.version or "")}
        if contest.verdict is not None:
            tags["verdict"] = json.dumps(contest.verdict.as_dict())
        self._tracker.log(contest.challenger.run_id, 0, tags=tags)
