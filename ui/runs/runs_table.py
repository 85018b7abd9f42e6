"""Sessions, learners and model versions as records of the runs tab. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

from trainers.names import Kind, Tag
from trainers.states import State, over_of
from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.mlflow.session_metrics import is_agent, never_served
from ui.views.formatting import (
    NO_TRADES,
    NOT_APPLICABLE,
    UNKNOWN,
    UNSCORED,
    bp,
    clock,
    count,
    duration,
    for_good,
    nats,
    percent,
)
from ui.views.metric_cards import Line
from ui.views.verdict_text import describe
from ui.views.view_model import Rows

SCORES = (
    Line("live/accuracy", "Live accuracy", percent, UNSCORED, of="live/scored"),
    Line("live/edge", "Edge, nats", nats, UNSCORED, of="live/scored"),
    Line("live/win_rate", "Win rate", percent, NO_TRADES, of="live/trades"),
    Line("live/pnl_bps", "P&L after costs", bp, NO_TRADES, of="live/trades"),
)
OF_FORECASTERS = ("live/accuracy", "live/edge")


def run_rows(sessions: Iterable[RunRecord], learners: Iterable[RunRecord]) -> Rows:
    """Return a record of each run, by run id.

    A record has the ids of the run and of its session, ``started`` in unix seconds, which orders
    them, and texts: name, kind, status, cycles, scores and a note; run and experiment are the name
    and the place of the run in MLflow.
    """
    rows: Rows = {}
    ended: dict[str, State] = {}  # the sessions that are over; so are their learners
    for run in sessions:
        if over := over_of(run.tags.get(Tag.STATE), run.state):
            ended[run.run_id] = over
        kind: str = Kind.REPLAY if Tag.REPLAY_OF in run.tags else Kind.SESSION
        scores = ["", "", "", ""]
        name = f"{_source(run.params.get('source', ''))} {_markets(run)}".strip()
        rows[run.run_id] = _row(run, run.run_id, name, kind, scores, _session_note(run))
    for run in learners:
        scores = _scores(run)
        session = run.tags.get(Tag.SESSION, "")
        if session in rows and not never_served(run):
            name = " ".join(reversed(run.name))
            kind = run.tags.get(Tag.KIND, "")
            row = rows[run.run_id] = _row(run, session, name, kind, scores, _learner_note(run))
            if session in ended:
                row["status"], row["scores"] = ended[session], [for_good(each) for each in scores]
    return rows


def _source(source: str) -> str:
    """Return a session's source, of a tape's path its file alone.

    >>> _source("tape:/somewhere/BTCUSDT.zip?unit=ms"), _source("sim:ar1")
    ('tape BTCUSDT.zip', 'sim:ar1')
    """
    kind, _, path = source.partition(":")
    return f"tape {PurePath(path.partition('?')[0]).name}" if kind == "tape" else source


def _markets(run: RunRecord) -> str:
    """Return a session's markets: the first one, and how many there are besides."""
    first, *others = run.tags.get(Tag.SYMBOL, "").split(",")
    return f"{first} and {len(others)} more" if others else first


def _scores(run: RunRecord) -> list[str]:
    missing = OF_FORECASTERS if is_agent(run) else ()
    return [NOT_APPLICABLE if line.key in missing else line.text(run.metrics) for line in SCORES]


def _row(
    run: RunRecord, session: str, name: str, kind: str, scores: Sequence[str], note: str
) -> dict[str, Any]:
    tag = run.tags.get(Tag.STATE)
    state = over_of(tag, run.state) or tag or State.LIVE
    cycles = UNKNOWN if run.cycle is None else count(run.cycle)
    return {
        "id": run.run_id, "session": session, "started": round(run.started), "name": name,
        "kind": kind, "status": state, "cycles": cycles, "scores": scores, "note": note,
        "run": run.run_name or name, "experiment": run.experiment,
    }  # fmt: skip


def _session_note(run: RunRecord) -> str:
    """Return when a session began, how long it ran, and what its replay check found."""
    parts = [f"began {clock(run.started)}"]
    if run.ended:
        parts.append(f"ran {duration(run.ended - run.started)}")
    if original := run.tags.get(Tag.REPLAY_OF):
        parts.append(f"replay of {original[:8]}")
    parity = run.tags.get(Tag.PARITY)
    parts.append(f"replay {parity}" if parity else "not replayed")
    return " · ".join(parts)


def _learner_note(run: RunRecord) -> str:
    champion = run.tags.get(Tag.CHAMPION)
    return f"champion: version {champion}" if champion else run.tags.get(Tag.STATUS_TEXT, "")


def model_rows(
    models: Iterable[ModelRecord], learners: dict[str, str], runs: Iterable[RunRecord] = ()
) -> list[dict[str, Any]]:
    """Return the registered models.

    Args:
        models: the models in the store.
        learners: name of a model -> this session's learner that it belongs to.
        runs: the runs that made them.
    """
    experiments = {run.run_id: run.experiment for run in runs}
    return [
        {
            "name": model.name,
            "learner": learners.get(model.name, ""),
            "versions": [_version(version, experiments) for version in model.versions],
        }
        for model in models
    ]


def _version(version: VersionRecord, experiments: dict[str, str]) -> dict[str, Any]:
    return {
        "version": version.version,
        "run": version.run_id,
        "experiment": experiments.get(version.run_id, ""),
        "created": clock(version.created),
        "aliases": version.aliases,
        "audit": [audit_text(entry) for entry in version.audit],
    }


ACTIONS = {"register": "registered", "promote": "promoted", "rollback": "rolled back"}
CAUSES = {"end": "at the end of its session"}  # any other is who or what did it: hand, evidence


def audit_text(entry: dict[str, Any]) -> str:
    """Return an audit record's text: when, what, by whom, where, and on which verdict."""
    parts = []
    if isinstance(entry.get("ts"), int | float):
        parts.append(clock(float(entry["ts"])))
    action, cause = str(entry.get("action", "?")), str(entry.get("by", ""))
    parts.append(ACTIONS.get(action, action))
    if cause:
        parts.append(CAUSES.get(cause, f"by {cause}"))
    if "cycle" in entry:
        parts.append(f"in cycle {entry['cycle']} of session {str(entry.get('session', '?'))[:8]}")
    text = " ".join(parts)
    verdict = entry.get("verdict")
    return f"{text} — {describe(verdict)}" if isinstance(verdict, dict) and verdict else text
