"""Runs a search: its run in MLflow, its folder, its batches, its report."""

from __future__ import annotations

import dataclasses
import gc
import tempfile
from pathlib import Path

from streaming.program.console import say
from streaming.program.process import on_end
from trainers.config.tune import TuneConfig
from trainers.learners.determinism import deterministic
from trainers.names import Tag
from trainers.research.tuning import plots, report, runs
from trainers.research.tuning.files import STUDY, TRIALS, StudyError, check_bars, study_folder
from trainers.research.tuning.job import Job, job_of
from trainers.research.tuning.players import Players
from trainers.research.tuning.search.study import Study
from trainers.research.workers import keep_freed_memory
from trainers.session.end import end
from trainers.session.preflight import check_folder
from trainers.states import State
from trainers.tracking.store import before_the_start, ensure_store
from trainers.tracking.stores.client import MlflowClient

TRIALS_BY_DEFAULT = TuneConfig.__dataclass_fields__["trials"].default


def tune(given: TuneConfig, root: Path) -> int:
    """Search in the project at ``root``; return the exit code.

    Raises:
        TickloopError: if a setting, a tape, a folder or the store is unusable.
    """
    with before_the_start():
        client = MlflowClient(ensure_store(root))
        check_folder(study_folder(root, ""))
        study = runs.study_to_resume(client, root, given) if given.resume else ""
        config = _resumed(given, study_folder(root, study)) if study else given
        job = job_of(config)
        if study:
            check_bars(study_folder(root, study), job.bars)
            runs.reopen(client, study, given, root)
        else:
            study = runs.begin(client, given, job.record, root)
    folder, code = study_folder(root, study), 1
    say(f"search     {study}  ({config.source}, {job.record.symbols}); Ctrl-C ends it")
    try:
        (folder / TRIALS).mkdir(parents=True, exist_ok=True)
        config.save(folder / STUDY)
        check_bars(folder, job.bars)
        code = _run(client, folder, job)
    finally:
        end(client, folder, code)
    return code


def _resumed(given: TuneConfig, folder: Path) -> TuneConfig:
    """Return the settings of a search that goes on: its own, more trials, other workers."""
    config = TuneConfig.load(folder / STUDY)
    trials = config.trials if given.trials == TRIALS_BY_DEFAULT else given.trials
    return dataclasses.replace(config, trials=trials, workers=given.workers)


def _run(client: MlflowClient, folder: Path, job: Job) -> int:
    given, players = job.given, Players(folder, job)
    trials = runs.TrialRuns(client, folder.name, job)
    study = Study(job.space, job.default, given.seed, batch=given.batch, prune=given.prune)
    deterministic()  # only now all libraries are loaded: it reaches none that comes later
    keep_freed_memory()
    on_end(lambda *_: players.stop())
    gc.freeze()  # what was imported stays one copy for all processes
    for batch in study.run(given.trials, players.play):
        if study.is_empty:
            raise StudyError(
                f"learner: {job.learner} made no forecast on this tape that could be scored;"
                " give a longer tape, or one on which it forecasts"
            )
        trials.take(batch)
    if players.stopped:
        say(f"go on      python -m trainers.research.tune --resume {folder.name}")
        return 0
    _tell(client, folder, job, study)
    client.set_tag(folder.name, Tag.STATE, State.ENDED)
    return 0


def _tell(client: MlflowClient, folder: Path, job: Job, study: Study) -> None:
    """Print what came of a search, and write it to its run."""
    found = study.judgement()
    text = report.report_of(found, study.tried, job)
    for line in text.splitlines():
        say(line)
    runs.tell_the_report(client, folder.name, text)
    runs.log_all(client, folder.name, report.metrics_of(found), study.tried[-1].number)
    with tempfile.TemporaryDirectory(prefix="tickloop-") as drawn:
        table = Path(drawn) / "trials.csv"
        plots.write_table(study.tried, table)
        for path in (table, *plots.draw(study.search.study, Path(drawn))):
            client.log_artifact(folder.name, str(path))
