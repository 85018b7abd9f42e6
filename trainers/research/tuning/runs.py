"""The MLflow runs of a search: kind ``study``, and a nested one of kind ``trial`` a trial."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streaming.errors import ConfigError
from trainers.config import SessionConfig
from trainers.config.learners import flat_name
from trainers.config.tune import TuneConfig
from trainers.names import TUNE, Kind, Tag
from trainers.research.tuning.files import STUDY, study_folder
from trainers.research.tuning.job import Job
from trainers.research.tuning.search.study import Tried
from trainers.states import State
from trainers.tracking.runs.launched import launched_run
from trainers.tracking.runs.lifecycle import create_run, log_params, start_session
from trainers.tracking.runs.owners import owner_of_this_process
from trainers.tracking.runs.search import runs_of, search
from trainers.tracking.stores.client import (
    MLFLOW_PARENT_RUN_ID,
    MLFLOW_RUN_NOTE,
    Metric,
    MlflowClient,
    Param,
)


def begin(client: MlflowClient, given: TuneConfig, record: SessionConfig, root: Path) -> str:
    """Start a search's run; return its id.

    Args:
        client: the MLflow store's client.
        given: the settings as they were given.
        record: those of the backtest of a trial, which follow from a look at the tape.
        root: the project's folder.
    """
    run_id = start_session(client, record, root, kind=Kind.STUDY, ours=_ours(given))
    known = client.get_run(run_id).data.params
    log_params(client, run_id, {n: v for n, v in _own(given).items() if n not in known and v != ""})
    return run_id


def study_to_resume(client: MlflowClient, root: Path, given: TuneConfig) -> str:
    """Return the run id of the search to go on with.

    Raises:
        ConfigError: if there is none, or its folder is not on this machine.
    """
    found = search(client, f"tags.{Tag.KIND} = '{Kind.STUDY}'")
    ids = [run.info.run_id for run in sorted(found, key=lambda run: run.info.start_time)]
    run_id = ids[-1] if given.resume == "last" and ids else given.resume
    if run_id not in ids or not (study_folder(root, run_id) / STUDY).exists():
        there = [one for one in ids if (study_folder(root, one) / STUDY).exists()]
        raise ConfigError(
            f"resume: got {given.resume!r}; there is no such search in {study_folder(root, '')};"
            f" allowed: last, or one of {', '.join(there[-5:]) or 'none yet'}"
        )
    return str(run_id)


def reopen(client: MlflowClient, run_id: str, given: TuneConfig, root: Path) -> None:
    """Reopen a search's run; this process becomes its owner."""
    client.set_tag(run_id, Tag.OWNER, owner_of_this_process())
    client.set_tag(run_id, Tag.STATE, State.STARTING)
    client.update_run(run_id, status="RUNNING")
    launch = launched_run(client, root, _ours(given))
    if launch is not None and launch != run_id:  # the run that `mlflow run` made is no search
        client.set_tag(launch, Tag.KIND, Kind.RESUME)
        client.set_tag(launch, Tag.RESUME_OF, run_id)


class TrialRuns:
    """The runs of a search's trials.

    Args:
        client: the MLflow store's client.
        study: run id of the search.
        job: what is played.
    """

    def __init__(self, client: MlflowClient, study: str, job: Job) -> None:
        self._client, self._study, self._section = client, study, job.section
        self._tags: dict[str, str] = {
            MLFLOW_PARENT_RUN_ID: study,
            Tag.KIND: Kind.TRIAL,
            Tag.SESSION: study,
            Tag.SYMBOL: job.record.symbols,
            Tag.LEARNER: job.learner,
            Tag.LEARNER_KIND: job.kind,
        }
        self._known = {
            run.data.tags[Tag.TRIAL]
            for run in runs_of(client, study)
            if run.data.tags.get(Tag.KIND) == Kind.TRIAL and run.info.status == "FINISHED"
        }

    def take(self, batch: Sequence[Tried]) -> None:
        """Make the runs of trials that are over, those that there are already left out."""
        for one in batch:
            if str(one.number) not in self._known:
                self._make(one)
        best = max((one.gain.value for one in batch if one.gain and one.is_whole), default=None)
        if best is not None:
            self._client.log_metric(self._study, f"{TUNE}batch_gain", best, step=batch[-1].number)

    def _make(self, one: Tried) -> None:
        tags = {**self._tags, Tag.TRIAL: str(one.number), Tag.PLAYED: _played(one)}
        run_id = create_run(self._client, f"trial {one.number}", tags)
        params = {flat_name(self._section, name): value for name, value in one.settings.items()}
        metrics = {f"{TUNE}played": one.played.share}
        if one.gain is not None:
            metrics[f"{TUNE}gain"] = one.gain.value
            if one.gain.half_width is not None:
                metrics[f"{TUNE}gain_ci"] = one.gain.half_width
        log_all(self._client, run_id, metrics, one.number, params)
        self._client.set_terminated(run_id, "FINISHED")


def log_all(
    client: MlflowClient, run_id: str, metrics: Mapping[str, float], step: int,
    params: Mapping[str, object] | None = None,
) -> None:  # fmt: skip
    """Write metrics and params of a run, with one request."""
    now = round(time.time() * 1000)
    client.log_batch(
        run_id,
        metrics=[Metric(name, value, now, step) for name, value in metrics.items()],
        params=[Param(name, str(value)) for name, value in (params or {}).items()],
    )


def tell_the_report(client: MlflowClient, study: str, report: str) -> None:
    """Make the report the note of a search's run, and an artifact."""
    client.log_text(study, report, "report.md")
    client.set_tag(study, MLFLOW_RUN_NOTE, report.replace("\n", "\n\n"))


def _own(given: TuneConfig) -> dict[str, object]:
    """Return the settings that a session does not have, by the names of their flags."""
    names = {flag: name for name, flag in given.flag_names.items()}
    flags = {flag: getattr(given, names.get(flag, flag), "") for flag in given.flags()}
    return {flag: value for flag, value in flags.items() if flag not in given.for_record().flat}


def _played(one: Tried) -> str:
    """Return the tag that says how much of a trial was played."""
    if one.same_as is not None:
        return f"same as {one.same_as}"
    if not one.is_whole:
        return "given up"
    return "too little" if one.gain is None else "whole"


def _ours(given: TuneConfig) -> Callable[[Mapping[str, str]], bool]:
    def ours(params: Mapping[str, str]) -> bool:
        try:
            return TuneConfig.of(**params) == given
        except (ConfigError, TypeError):
            return False

    return ours
