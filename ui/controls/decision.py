"""What becomes what if a person promotes or rolls back: shown before it is asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from trainers.names import (
    CHALLENGER_ALIAS,
    CHAMPION_ALIAS,
    PREVIOUS_ALIAS,
    Control,
    Tag,
    champion_name,
)
from trainers.tracking.model_reader import ModelRecord
from ui.mlflow.session_metrics import SessionMetrics, is_agent
from ui.views.formatting import NOT_APPLICABLE
from ui.views.metric_cards import EDGE, EDGE_BPS, PNL, SCORED
from ui.views.verdict_text import verdict_text

COLUMNS = ("version", "becomes", "bars scored", "edge", "net P&L after costs")


class MovePreview(NamedTuple):
    """A promotion or a rollback, before it is asked for.

    Attributes:
        learner: the learner, such as ``cnn``.
        markets: the markets in which it will be carried out.
        rows: the cells of each version that it concerns, in the order of ``COLUMNS``.
        verdict: what the evidence says.
    """

    learner: str
    markets: list[str]
    rows: list[list[str]]
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Return the decision for the page."""
        return {**self._asdict(), "columns": COLUMNS}


def decision_of(
    control: Control,
    model: str,
    symbol: str,
    learner: str,
    metrics: SessionMetrics,
    models: list[ModelRecord],
    scores: Mapping[str, Mapping[str, float]],
) -> MovePreview:
    """Return what becomes what.

    Args:
        control: ``PROMOTE`` or ``ROLLBACK``.
        model: name of the registered model.
        symbol: the market whose versions these are; the request is for all markets.
        learner: the learner's name.
        metrics: what MLflow holds of the session.
        models: the registered models.
        scores: run id -> the metrics of the runs in which versions were made.
    """
    run = metrics.learners.get(symbol, {}).get(learner)
    champion_run = metrics.champions.get(symbol, {}).get(champion_name(learner))
    serving = run.tags.get(Tag.CHAMPION, "") if run else ""
    found = _by_alias(models, model)

    def row(alias: str, becomes: str) -> list[list[str]]:
        if alias not in found:
            return []
        version, made_in = found[alias]
        live = alias == CHAMPION_ALIAS and str(version) == serving and champion_run
        known = champion_run.metrics if live and champion_run else scores.get(made_in, {})
        return [[f"version {version}, {alias} now", becomes, *_scores(known, is_agent(run))]]

    if control == Control.PROMOTE:
        what = f"{learner} as it is now, after cycle {run.cycle}" if run else learner
        known = run.metrics if run else {}
        rows = [
            [what, "a new version, champion", *_scores(known, is_agent(run))],
            *row(CHAMPION_ALIAS, PREVIOUS_ALIAS),
            *row(PREVIOUS_ALIAS, "nothing: it stays in the registry"),
            *row(CHALLENGER_ALIAS, "what it is"),
        ]
    else:
        rows = [
            *row(CHAMPION_ALIAS, "nothing: it stays in the registry"),
            *(
                row(PREVIOUS_ALIAS, CHAMPION_ALIAS)
                or [["nobody", CHAMPION_ALIAS, *_scores({}, False)]]
            ),
        ]
    markets = [name for name, runs in metrics.learners.items() if learner in runs]
    return MovePreview(
        learner, markets, rows, verdict_text(run.tags.get(Tag.VERDICT) if run else None)
    )


def _by_alias(models: list[ModelRecord], name: str) -> dict[str, tuple[int, str]]:
    """Return the version with each alias, and the run in which it was made."""
    return {
        alias: (version.version, version.run_id)
        for model in models
        if model.name == name
        for version in model.versions
        for alias in version.aliases
    }


def _scores(metrics: Mapping[str, float], agent: bool) -> list[str]:
    if not metrics:
        return [NOT_APPLICABLE] * 3
    scored = NOT_APPLICABLE if agent else SCORED.text(metrics)
    return [scored, (EDGE_BPS if agent else EDGE).text(metrics), PNL.text(metrics)]
