"""Sessions, learners and model versions as rows of the runs tab, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trainers.tracking.model_reader import ModelRecord, VersionRecord
from trainers.tracking.reader import RunRecord
from ui.metrics import Rows
from ui.verdicts import describe
from ui.words import (
    NO_TRADES,
    NOT_APPLICABLE,
    UNKNOWN,
    UNSCORED,
    Line,
    bp,
    clock,
    count,
    duration,
    is_agent,
    nats,
    percent,
)

SCORES = (
    Line("live/accuracy", "Live accuracy", percent, UNSCORED),
    Line("live/edge", "Edge, nats", nats, UNSCORED),
    Line("live/win_rate", "Win rate", percent, NO_TRADES),
    Line("live/pnl_bps", "P&L after costs", bp, NO_TRADES),
)
OF_FORECASTERS = ("live/accuracy", "live/edge")


def run_rows(sessions: Iterable[RunRecord], learners: Iterable[RunRecord]) -> Rows:
    """Return a row a run, by run id.

    A row is ``[run id, session's run id, start, name, kind, status, cycles, *scores, note]``;
    ``start`` in unix seconds orders them, all that follows is text.
    """
    rows: Rows = {}
    for run in sessions:
        kind = "replay" if "replay_of" in run.tags else "session"
        scores = ["", "", "", ""]
        name = f"{run.params.get('source', '')} {run.tags.get('symbol', '')}".strip()
        rows[run.run_id] = _row(run, run.run_id, name, kind, scores, _session_note(run))
    for run in learners:
        scores = _scores(run)
        session = run.tags.get("session", "")
        if session in rows:
            name = " ".join(reversed(run.name))
            kind = run.tags.get("kind", "")
            rows[run.run_id] = _row(run, session, name, kind, scores, _learner_note(run))
    return rows


def _scores(run: RunRecord) -> list[str]:
    missing = OF_FORECASTERS if is_agent(run.metrics) else ()
    return [NOT_APPLICABLE if line.key in missing else line.of(run.metrics) for line in SCORES]


def _row(
    run: RunRecord, session: str, name: str, kind: str, scores: Sequence[str], note: str
) -> list[Any]:
    state = run.tags.get("status", run.state) if run.state == "RUNNING" else run.state
    cycles = UNKNOWN if run.cycle is None else count(run.cycle)
    return [run.run_id, session, round(run.started), name, kind, state, cycles, *scores, note]


def _session_note(run: RunRecord) -> str:
    """Return when it began, how long it took, and what its replay came to."""
    parts = [f"began {clock(run.started)}"]
    if run.ended:
        parts.append(f"ran {duration(run.ended - run.started)}")
    if original := run.tags.get("replay_of"):
        parts.append(f"replay of {original[:8]}")
    parts.append(f"parity {run.tags.get('parity', UNKNOWN)}")
    return " · ".join(parts)


def _learner_note(run: RunRecord) -> str:
    champion = run.tags.get("champion")
    return f"champion: version {champion}" if champion else run.tags.get("status_text", "")


def model_rows(models: Iterable[ModelRecord], learners: dict[str, str]) -> list[dict[str, Any]]:
    """Return the registered models.

    Args:
        models: of the store.
        learners: by the name of a model, the learner of this session whose it is.
    """
    return [
        {
            "name": model.name,
            "learner": learners.get(model.name, ""),
            "versions": [_version(version) for version in model.versions],
        }
        for model in models
    ]


def _version(version: VersionRecord) -> dict[str, Any]:
    return {
        "version": version.version,
        "run": version.run_id,
        "created": clock(version.created),
        "aliases": version.aliases,
        "audit": [audit_words(entry) for entry in version.audit],
    }


def audit_words(entry: dict[str, Any]) -> str:
    """Write an audit record: when, what, by whom, where, and on which verdict."""
    parts = []
    if isinstance(entry.get("ts"), int | float):
        parts.append(clock(float(entry["ts"])))
    parts.append(str(entry.get("action", "?")))
    if entry.get("by"):
        parts.append(f"by {entry['by']}")
    if "cycle" in entry:
        parts.append(f"in cycle {entry['cycle']} of {str(entry.get('session', '?'))[:8]}")
    words = " ".join(parts)
    verdict = entry.get("verdict")
    return f"{words} — {describe(verdict)}" if isinstance(verdict, dict) and verdict else words
