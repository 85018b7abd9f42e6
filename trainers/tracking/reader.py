"""Reads from MLflow, as plain data, what a session has logged.

    MLflow (SQLite, or a server) -> SessionReader -> page

A read is one run, one ``search_runs`` and only the new points of a history: about 10 ms on
SQLite, however long the session has run. Values that are not finite are left out, so a metric is
either a number or missing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from streaming.errors import reason_of
from trainers.names import CONTROL, CONTROL_ASKED, EXPERIMENT, Kind, Tag
from trainers.tracking.model_reader import ModelRecord, read_models
from trainers.tracking.store import STORE_ERRORS, connect, sqlite_path, tracking_uri
from trainers.tracking.stores.client import MlflowClient, MlflowException, Run, RunTag
from trainers.tracking.stores.paging import PAGE, every_page
from trainers.tracking.stores.sampling import file_stamps, run_without_datasets, sampled

LAST_STEP = 2**31 - 1
RUNS_AT_ONCE = 100  # whose histories MLflow's server returns together
NO_SUCH_RUN = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")  # MLflow's error codes


class TrackingAwayError(Exception):
    """MLflow did not answer: keep the values read before, show their age, try again later."""


class NoSuchRunError(TrackingAwayError):
    """MLflow has answered: there is no such run."""


class Point(NamedTuple):
    """One value of a metric of a run."""

    metric: str
    cycle: int
    ts_ms: int  # when it was logged, Unix ms
    value: float


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """The state of one run at the time of reading."""

    run_id: str
    state: str  # MLflow's status: RUNNING, FINISHED, FAILED, KILLED
    tags: dict[str, str]
    metrics: dict[str, float]  # the newest value of each metric, if it is finite
    cycle: int | None  # the highest step of any metric
    params: dict[str, str] = dataclasses.field(default_factory=dict)
    started: float = 0.0  # Unix seconds
    ended: float | None = None  # Unix seconds
    steps: dict[str, int] = dataclasses.field(default_factory=dict)  # the step of each metric
    times_ms: dict[str, int] = dataclasses.field(default_factory=dict)  # and when it was logged
    experiment: str = ""  # its id
    run_name: str = ""  # as MLflow shows it

    @property
    def name(self) -> tuple[str, str]:
        """The symbol and the learner's name; both empty if the run is no learner's."""
        return self.tags.get(Tag.SYMBOL, ""), self.tags.get(Tag.LEARNER, "")


class SessionReader:
    """Reads the runs of sessions from one MLflow store, and never creates a store.

    Every method that reads raises ``TrackingAwayError`` if the store is missing, locked or
    unreachable, or lacks the run.

    Args:
        root: the project's root, where the store is unless ``MLFLOW_TRACKING_URI`` names another.

    Attributes:
        uri: the store's URI.
    """

    def __init__(self, root: Path) -> None:
        self.uri = tracking_uri(root)
        self._made: MlflowClient | None = None
        self._experiment: str | None = None

    def written(self) -> object | None:
        """Return a value that changes with every write to the store; None if there is none.

        Only SQLite stores have one. Others must be read.
        """
        path = sqlite_path(self.uri)
        return None if path is None else file_stamps(path)

    def latest_session(self) -> str | None:
        """Return the run id of the session started last, without replays; None if there is none."""
        return next((run.run_id for run in self.sessions()), None)

    def sessions(self, most: int = 50) -> list[RunRecord]:
        """Return the runs of the ``most`` newest sessions, newest first."""
        with _answering():
            client = self._client()
            everywhere = [e.experiment_id for e in client.search_experiments()]
            found = client.search_runs(
                everywhere,
                f"tags.{Tag.KIND} = '{Kind.SESSION}'",
                max_results=most,
                order_by=["start_time DESC"],
            )
            return [_record(run) for run in found]

    def session_run(self, session: str) -> RunRecord:
        """Return the session's own run."""
        return self.run(session)

    def learner_runs(self, session: str) -> list[RunRecord]:
        """Return the runs of the session's learners and champions, sorted by ``name``."""
        kinds = (Kind.SESSION, Kind.BACKTEST, Kind.BASELINE)
        others = " and ".join(f"tags.{Tag.KIND} != '{kind}'" for kind in kinds)
        return self._runs_of(session, others)

    def baseline_runs(self, session: str) -> list[RunRecord]:
        """Return the runs of the session's baselines, sorted by ``name``."""
        return self._runs_of(session, f"tags.{Tag.KIND} = '{Kind.BASELINE}'")

    def newest_learner_runs(self, most: int = 300) -> list[RunRecord]:
        """Return the newest runs of all sessions' learners and champions, ``most`` of each."""
        order = ["start_time DESC"]
        learners = self._search(f"tags.{Tag.KIND} = '{Kind.LEARNER}'", most, order)
        return [*learners, *self._search(f"tags.{Tag.KIND} = '{Kind.CHAMPION}'", most, order)]

    def _runs_of(self, session: str, kind: str) -> list[RunRecord]:
        # A session id holds no quote: `ui.app` and MLflow allow letters and digits only.
        found = self._search(f"tags.{Tag.SESSION} = '{session}' and {kind}")
        return sorted(found, key=lambda run: run.name)

    def _search(
        self, wanted: str, most: int | None = None, order: list[str] | None = None
    ) -> list[RunRecord]:
        """Return the runs that match MLflow's query, ``most`` of them or all."""
        with _answering():
            client = self._client()
            if self._experiment is None:
                found = client.get_experiment_by_name(EXPERIMENT)
                if found is None:
                    return []
                self._experiment = str(found.experiment_id)
            here = [self._experiment]
            runs = every_page(
                lambda n, token: client.search_runs(
                    here, wanted, max_results=n, order_by=order, page_token=token
                ),
                most,
            )
            return [_record(run) for run in runs]

    def history(
        self, run_id: str, key: str, *, after: int = -1, until: int = LAST_STEP, most: int = 1000
    ) -> dict[int, float]:
        """Return a metric's values by step.

        Args:
            run_id: the run.
            key: the metric's name.
            after: the last step that is known already; only later ones are read.
            until: the last step to read.
            most: the most points to return; more are thinned evenly, keeping the first and last.
        """
        return self.histories([run_id], key, after=after, until=until, most=most)[run_id]

    def histories(
        self,
        run_ids: Sequence[str],
        key: str,
        *,
        after: int = -1,
        until: int = LAST_STEP,
        most: int = 1000,
    ) -> dict[str, dict[int, float]]:
        """Return a metric's values by step, of each run; the arguments are those of ``history``.

        A hundred runs are one request: of one request a run, most of the time would be its own.
        """
        found: dict[str, dict[int, float]] = {run_id: {} for run_id in run_ids}
        with _answering():
            for first in range(0, len(run_ids), RUNS_AT_ONCE):
                some = run_ids[first : first + RUNS_AT_ONCE]
                points = sampled(self._client(), some, key, after + 1, until, most)
                for run_id, step, value in points:
                    if _is_number(value):
                        found[run_id][step] = value
        return found

    def points(self, run_id: str, metric: str = "") -> Iterator[Point]:
        """Yield every value of a run's metric, or of all, metric by metric, each by cycle.

        Values that are no numbers are among them.
        """
        with _answering():
            client = self._client()
            for key in [metric] if metric else sorted(client.get_run(run_id).data.metrics):
                found = client.get_metric_history(run_id, key)
                for one in sorted(found, key=lambda point: (point.step, point.timestamp)):
                    yield Point(key, one.step, one.timestamp, one.value)

    def run(self, run_id: str) -> RunRecord:
        """Return one run.

        Raises:
            NoSuchRunError: if MLflow has none with this id.
            TrackingAwayError: if MLflow does not answer.
        """
        with _answering():
            try:
                return _record(run_without_datasets(self._client(), run_id))
            except MlflowException as e:
                if e.error_code in NO_SUCH_RUN:
                    raise NoSuchRunError(f"there is no run {run_id!r}") from e
                raise

    def runs(self, run_ids: Sequence[str]) -> list[RunRecord]:
        """Return runs by their ids, in the order of these.

        Raises:
            NoSuchRunError: if MLflow lacks one of them.
            TrackingAwayError: if MLflow does not answer.
        """
        # An id holds no quote: MLflow allows letters and digits only, and so does `ui.server`.
        wanted = ", ".join(f"'{run_id}'" for run_id in run_ids)
        with _answering():
            client = self._client()
            everywhere = [e.experiment_id for e in client.search_experiments()]
            found = client.search_runs(
                everywhere, f"attributes.run_id IN ({wanted})", max_results=PAGE
            )
        records = {run.info.run_id: _record(run) for run in found}
        for run_id in run_ids:
            if run_id not in records:
                raise NoSuchRunError(f"there is no run {run_id!r}")
        return [records[run_id] for run_id in run_ids]

    def at(self, run_id: str, key: str, cycle: int) -> float | None:
        """Return a metric's value in one cycle; None if it was not logged in that cycle."""
        return self.history(run_id, key, after=cycle - 1, until=cycle, most=1).get(cycle)

    def models(self) -> list[ModelRecord]:
        """Return Tickloop's registered models, sorted by name."""
        with _answering():
            return read_models(self._client())

    def ask(self, session: str, control: str, value: str, by: str = "") -> None:
        """Make an operator's request by setting the tag ``control/<control>`` of a session.

        Args:
            session: the session's run id.
            control: the control's name.
            value: its argument.
            by: who asks; empty if nobody knows.
        """
        asked = {"value": value, "by": by, "ts": time.time()}
        tags = {f"{CONTROL_ASKED}{control}": json.dumps(asked), f"{CONTROL}{control}": value}
        with _answering():
            self._client().log_batch(session, tags=[RunTag(*tag) for tag in tags.items()])

    def _client(self) -> MlflowClient:
        if self._made is None:
            # A client would create a missing SQLite store, without the bootstrap of ensure_store.
            path = sqlite_path(self.uri)
            if path is not None and not path.exists():
                raise TrackingAwayError(f"there is no MLflow store at {path} yet")
            if not self.uri.startswith("http"):
                connect(self.uri)
            self._made = MlflowClient(self.uri)
        return self._made


def _record(run: Run) -> RunRecord:
    # The protobuf message is the public way to a metric's step.
    metrics = run.data.to_proto().metrics
    return RunRecord(
        run_id=run.info.run_id,
        state=run.info.status,
        tags=dict(run.data.tags),
        metrics={m.key: m.value for m in metrics if _is_number(m.value)},
        cycle=max((m.step for m in metrics), default=None),
        params=dict(run.data.params),
        started=(run.info.start_time or 0) / 1000,
        ended=run.info.end_time / 1000 if run.info.end_time else None,
        steps={m.key: m.step for m in metrics if _is_number(m.value)},
        times_ms={m.key: m.timestamp for m in metrics if _is_number(m.value)},
        experiment=run.info.experiment_id,
        run_name=run.info.run_name or "",
    )


def _is_number(value: float) -> bool:
    # A SQL store keeps an infinity as the largest float.
    return math.isfinite(value) and abs(value) < sys.float_info.max


@contextlib.contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except (*STORE_ERRORS, OSError, ImportError) as e:  # requests' errors are OSErrors
        raise TrackingAwayError(f"MLflow does not answer: {reason_of(e)}") from e
