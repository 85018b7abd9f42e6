"""Plays the trials of a batch in processes of their own, forked from this one, and keeps them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path

from trainers.config.learners import flat_name
from trainers.replay.progress import ProgressBar
from trainers.research.market import Tell
from trainers.research.tuning.files import keep_trial, kept_trial
from trainers.research.tuning.job import Job
from trainers.research.tuning.search.study import Asked
from trainers.research.tuning.search.trial import Played, play_trial
from trainers.research.workers import WorkerReport, Workers, cores
from trainers.scoring.search.judgement import DEFAULT


class Players:
    """Plays trials.

    Args:
        folder: the search's folder, which keeps them.
        job: what is played.

    Attributes:
        stopped: whether it was asked to end early.
    """

    def __init__(self, folder: Path, job: Job) -> None:
        self._folder, self._job = folder, job
        self._progress = ProgressBar(job.given.trials * job.seconds, "search")
        self._seconds: dict[str, float] = {}  # market time played, by trial
        self._workers: Workers | None = None
        self.stopped = False

    def stop(self) -> None:
        """End all trials after their current cycle; safe to call from a signal handler."""
        self.stopped = True
        if self._workers:
            self._workers.stop()

    def play(self, batch: Mapping[int, Asked]) -> Mapping[int, Played] | None:
        """Play a batch, those that were kept left out; None if it was stopped.

        Raises:
            ProgramError: if a process has failed; the others were played.
            StudyError: if what was kept does not fit.
        """
        work = {
            str(number): functools.partial(_play, self._folder, self._job, number, asked)
            for number, asked in batch.items()
            if kept_trial(self._folder, number, asked.settings) is None
        }
        self._workers = Workers(work, cores(list(work), self._job.given.workers), self._take)
        if self.stopped:  # before there was anything to stop
            return None
        self._workers.run()
        found = {
            number: kept_trial(self._folder, number, asked.settings)
            for number, asked in batch.items()
        }
        for number in batch:
            self._seconds[str(number)] = self._job.seconds
        self._show()
        played = {number: one for number, one in found.items() if one is not None}
        return played if len(played) == len(batch) else None

    def _take(self, number: str, told: WorkerReport) -> None:
        self._seconds[number] = max(self._seconds.get(number, 0.0), told.seconds)
        self._show()

    def _show(self) -> None:
        self._progress.show(sum(self._seconds.values()))


def _play(
    folder: Path, job: Job, number: int, asked: Asked, tell: Tell, stopped: Callable[[], bool]
) -> str:
    """Play one trial and keep it; return what came of it."""
    changed = {flat_name(job.section, name): value for name, value in asked.settings.items()}
    played = play_trial(
        job.record.changed(**changed),
        job.bars,
        reference=asked.reference,
        baselines=number == DEFAULT,
        tell=lambda seconds: tell(seconds, []),
        stopped=stopped,
    )
    if played is None:
        return "stopped"
    keep_trial(folder, number, asked.settings, played)
    return f"{played.share:.0%} played"
