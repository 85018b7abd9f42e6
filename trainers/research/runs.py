"""The MLflow runs of a backtest: made before it begins, written in big batches, ended with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from streaming.errors import ConfigError
from trainers.config import SessionConfig
from trainers.config.backtest import BacktestConfig
from trainers.engine.runners.roster import make_roster
from trainers.names import Kind, Tag
from trainers.recording.decision_log import read_decisions
from trainers.recording.files import DECISIONS, SUMS, append_line, of_market
from trainers.research.market import CyclePoint
from trainers.scoring.session import CycleSummary, session_scores
from trainers.states import State
from trainers.tracking.event_tag import EventTag
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.runs.run_ids import RunIds
from trainers.tracking.stores.client import Metric, MlflowClient, Param

REQUEST_METRICS = 1000  # the most that MLflow takes at once


def begin(client: MlflowClient, given: BacktestConfig, record: SessionConfig, root: Path) -> str:
    """Start a backtest's run; return its id.

    Args:
        client: the MLflow store's client.
        given: the settings as they were given.
        record: those that the record keeps, which follow from a look at the tape.
        root: the project's folder.
    """

    def ours(params: Mapping[str, str]) -> bool:
        try:
            return BacktestConfig.of(**params) == given
        except (ConfigError, TypeError):
            return False

    run_id = start_session(client, record, root, kind=Kind.BACKTEST, ours=ours)
    known = client.get_run(run_id).data.params
    asked = {"from": given.since, "to": given.until, "cuts": given.cuts}
    params = [Param(name, text) for name, text in asked.items() if text and name not in known]
    client.log_batch(run_id, params=params)
    return run_id


class BacktestRuns:
    """The runs of all learners of a backtest.

    Args:
        client: the MLflow store's client.
        session: the backtest's folder; its name is the run's id.
        config: the settings.
    """

    def __init__(self, client: MlflowClient, session: Path, config: SessionConfig) -> None:
        self._client, self._session, self._config = client, session, config
        self._ids: dict[tuple[str, str], str] = {}
        for market in config.symbol_list:
            ids = RunIds(client, config, session, market)
            for kind, runner in make_roster(config, market).by_kind():
                if run := ids.make(runner.name, kind, runner.learner.kind):
                    self._ids[market, runner.name] = run
        self._waiting: dict[str, list[Metric]] = {run: [] for run in self._ids.values()}
        self._tags: dict[str, dict[str, str]] = {run: {} for run in self._ids.values()}

    def take(self, market: str, points: list[CyclePoint]) -> None:
        """Take metrics and tags; write the metrics of a run once they fill a request."""
        for point in points:
            if (run := self._ids.get((market, point.learner))) is None:
                continue  # the settings leave this baseline's run out
            self._tags[run] |= point.tags
            at = point.wall_ms or 0
            self._waiting[run] += [
                Metric(name, value, at, point.step) for name, value in point.metrics.items()
            ]
            while len(self._waiting[run]) >= REQUEST_METRICS:
                self._client.log_batch(run, metrics=self._waiting[run][:REQUEST_METRICS])
                del self._waiting[run][:REQUEST_METRICS]

    def end(self, state: State) -> None:
        """Write the rest, the session's own metrics among it."""
        for run, metrics in self._waiting.items():
            self._client.log_batch(run, metrics=metrics)
            for name, value in self._tags[run].items():
                self._client.set_tag(run, name, value)
            metrics.clear()
        tags: dict[str, str] = {Tag.STATE: state, **self._sum_up()}
        if (events := EventTag(self._session).new()) is not None:
            tags[Tag.EVENTS] = events
        for name, value in tags.items():
            self._client.set_tag(self._session.name, name, value)

    def _sum_up(self) -> dict[str, str]:
        """Combine the cycles of all markets: cycle c of the first with c of the others, or less.

        Returns:
            The tags that the newest of them come to.
        """
        tags: dict[str, str] = {}
        ends: dict[str, dict[int, CycleSummary]] = {}
        first = self._config.symbol_list[0]
        wall_ms: dict[int, int] = {}
        for market in self._config.symbol_list:
            path = of_market(self._session, market, DECISIONS)
            entries = read_decisions(path) if path.exists() else []
            ends[market] = {
                one["cycle"]: CycleSummary(one["stream"], one["standing"])
                for one in entries
                if one["do"] == "end"
            }
            if market == first:
                wall_ms = {one["cycle"]: one["wall_ms"] for one in entries if one["do"] == "cycle"}
        metrics: list[Metric] = []
        for cycle in ends[first]:
            of = {market: min(cycle, max(found)) for market, found in ends.items() if found}
            append_line(self._session / SUMS, json.dumps({"cycle": cycle, "of": of}).encode())
            found = {market: ends[market][at] for market, at in of.items()}
            scores = session_scores(found, self._config.symbol_list)
            at = wall_ms[cycle]
            metrics += [Metric(name, value, at, cycle) for name, value in scores.metrics.items()]
            if scores.discoveries is not None:
                tags[Tag.DISCOVERIES] = json.dumps(scores.discoveries)
        for i in range(0, len(metrics), REQUEST_METRICS):
            self._client.log_batch(self._session.name, metrics=metrics[i : i + REQUEST_METRICS])
        return tags
