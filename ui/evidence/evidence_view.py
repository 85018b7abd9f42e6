"""The evidence tab: scores, calibration, break-even, bets, permuted-label control. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping

from trainers.names import Kind, Tag
from trainers.scoring.interval import Estimate
from trainers.scoring.metrics import WINDOWS
from trainers.scoring.promotion.eprocess import LEAK_ALPHA
from trainers.tracking.reader import RunRecord
from ui.evidence.horizons import horizon_texts, needed, seconds_of
from ui.evidence.leaderboard import leaderboard
from ui.evidence.ledger_scores import LedgerScores
from ui.mlflow.session_metrics import SessionMetrics, is_agent, never_served
from ui.views.formatting import (
    NO_TRADES,
    NOT_APPLICABLE,
    UNKNOWN,
    UNSCORED,
    bp,
    count,
    decimals,
    exact_duration,
    nats,
    percent,
)
from ui.views.learner_names import is_champion
from ui.views.metric_cards import Line
from ui.views.verdict_text import by_interval, verdict_text
from ui.views.view_model import Texts, ViewModel

NONE_YET = "none yet"
AGENT = "an agent: it gives no probability"

# The label has the unit, the cells do not.
EDGE = Line("edge", "edge over best baseline, nats", nats, NONE_YET, of="scored")
COLUMNS = (
    Line("pnl_bps", "P&L after costs, bp", lambda value: f"{value:+z,.1f}", NO_TRADES, of="trades"),
    Line("accuracy", "accuracy, %", lambda value: f"{100 * value:.1f}", NONE_YET, of="scored"),
    Line("log_loss", "log-loss, nats", decimals, NONE_YET, of="scored"),
    EDGE,
)
OF_FORECASTERS = ("accuracy", "log_loss", "edge")
# Prefix of the metrics of a window -> its label, the shortest window first.
WINDOW_LABELS = {
    prefix: "session" if seconds is None else exact_duration(seconds)
    for prefix, seconds in sorted(WINDOWS.items(), key=lambda window: window[1] or math.inf)
}


def windows_of(span_seconds: float) -> dict[str, str]:
    """Return the windows that are shorter than the ledger, and the session: prefix -> label.

    A longer window would hold the same rows as the session.
    """
    return {
        prefix: label
        for prefix, label in WINDOW_LABELS.items()
        if (seconds := WINDOWS[prefix]) is None or seconds < span_seconds
    }


def evidence(
    symbol: str,
    metrics: SessionMetrics,
    ledger: LedgerScores,
    learners: list[str],
    ahead: int = 1,
    *,
    baselines_logged: bool = True,
) -> ViewModel:
    """Return one symbol's evidence tab.

    Args:
        symbol: the market.
        metrics: what MLflow holds.
        ledger: what the page computed from the ledger.
        learners: the learners in the ledger, without the baselines.
        ahead: how far forecasts look ahead, s.
        baselines_logged: whether the baselines have runs, whose scores are in the table.
    """
    runs = metrics.runs(symbol)
    found = dict.fromkeys([*learners, *metrics.learners.get(symbol, {}), *runs])
    names = [name for name in found if not (is_champion(name) and never_served(runs.get(name)))]
    texts: Texts = {}
    rows = []
    for name in names:
        run = runs.get(name)
        known = {**ledger.windows.get(name, {}), **(run.metrics if run else {})}
        baseline = name in metrics.baselines.get(symbol, {})
        texts |= _scores(name, known, baseline, agent=is_agent(run))
        rows.append({"name": name, "kind": Kind.BASELINE if baseline else Kind.LEARNER})
    texts |= _control(ledger)
    ours = [row["name"] for row in rows if row["kind"] == Kind.LEARNER]
    challengers = [name for name in ours if not is_champion(name)]
    for name in ours:
        texts |= _pays(name, runs.get(name), ledger)
    forecasters = [name for name in ours if not is_agent(runs.get(name))]
    reached = {name: runs[name].metrics for name in forecasters if name in runs}
    horizons = horizon_texts([run.metrics for run in runs.values()], reached, ahead)
    by_cycle = metrics.cycles.get(symbol)
    board = leaderboard(ledger.standings)
    return ViewModel(
        texts | board.texts | horizons,
        {
            "horizons": seconds_of(horizons),
            "scores": {
                "rows": rows,
                "learners": ours,
                "forecasters": forecasters,
                "challengers": challengers,
                "windows": windows_of(ledger.span_seconds),
                "baselines_logged": baselines_logged,
                "columns": [[column.key, column.label] for column in COLUMNS],
            },
            "curves": ledger.curves,
            "costs": {name: _bars(ledger, name) for name in ours if name in ledger.costs},
            **board.whole,
        },
        {"edges": by_cycle.edges, "bets": by_cycle.bets} if by_cycle else {},
    )


def _scores(name: str, metrics: Mapping[str, float], baseline: bool, *, agent: bool) -> Texts:
    """Return the texts of one row of the table, by window and column.

    A baseline is what a learner is compared with: its scores are shown whatever they stand on.
    """
    texts = {}
    for prefix in WINDOW_LABELS:
        within = {key.removeprefix(prefix): v for key, v in metrics.items() if _in(key, prefix)}
        for column in COLUMNS:
            missing = (agent and column.key in OF_FORECASTERS) or (baseline and column is EDGE)
            line = dataclasses.replace(column, of="") if baseline else column
            text = NOT_APPLICABLE if missing else line.text(within)
            texts[f"e.{name}.{prefix}{column.key}"] = text
    scored = metrics.get("live/scored")
    none = NOT_APPLICABLE if agent else NONE_YET
    texts[f"e.{name}.scored"] = none if agent or scored is None else count(scored)
    return texts


def _in(key: str, prefix: str) -> bool:
    return key.startswith(prefix) and "/" not in key.removeprefix(prefix)


def _pays(name: str, run: RunRecord | None, ledger: LedgerScores) -> Texts:
    """Return the texts of a learner's break-even panel."""
    metrics = run.metrics if run else {}
    costs, agent = ledger.costs.get(name), is_agent(run)
    return {
        f"p.{name}.verdict": _account_verdict(metrics, costs),
        **{
            f"p.{name}.{times}": _money(costs[times] if costs else None, metrics.get("live/trades"))
            for times in range(3)
        },
        **({f"p.{name}.each": AGENT} if agent else _each_bar(name, metrics)),
        f"v.{name}": verdict_text(run.tags.get(Tag.VERDICT) if run else None),
    }


def _each_bar(name: str, metrics: Mapping[str, float]) -> Texts:
    """Return what a forecaster's probabilities would be worth if one were in and out each bar."""
    reached = Line("live/accuracy", "", percent, UNSCORED, of="live/scored")
    return {
        f"p.{name}.each": _accuracy_verdict(metrics),
        f"p.{name}.needed": needed(metrics),
        f"p.{name}.reached": reached.text(metrics),
    }


def _account_verdict(metrics: Mapping[str, float], costs: list[Estimate] | None) -> str:
    """Return how the paper account's profit after costs compares with none."""
    if not costs:
        return UNKNOWN
    if costs[1].value == 0 and not metrics.get("live/trades"):
        return NO_TRADES
    if costs[1].half_width is None:
        return UNKNOWN
    return _compared(costs[1].value, costs[1].half_width, "pays", "does not pay", "0")


def _accuracy_verdict(metrics: Mapping[str, float]) -> str:
    """Return whether a position each bar would pay: the accuracy reached against the needed one."""
    known = [metrics.get(f"live/{name}") for name in ("accuracy", "accuracy_ci", "break_even")]
    reached, width, needed = known
    if reached is None or needed is None or width is None:
        return UNKNOWN
    return _compared(reached - needed, width, "would pay", "would not pay", "the accuracy needed")


def _compared(above: float, width: float, yes: str, no: str, bound: str) -> str:
    return by_interval(
        above,
        width,
        f"{yes}: the whole interval is above {bound}",
        f"{no}: the whole interval is below {bound}",
        f"open: the interval holds {bound}",
    )


def _money(estimate: Estimate | None, trades: float | None) -> str:
    """Return a profit; of few trades it begins with their number, as on the cards."""
    if estimate is None:
        return NO_TRADES
    known = {"x": estimate.value, "x_ci": estimate.half_width or 0.0}
    if trades is not None:
        known["n"] = trades
    return Line("x", "", bp, NO_TRADES, of="n").text(known)


def _bars(ledger: LedgerScores, name: str) -> list[list[float | None]]:
    return [
        [round(each.value, 2), None if each.half_width is None else round(each.half_width, 2)]
        for each in ledger.costs[name]
    ]


def _control(ledger: LedgerScores) -> Texts:
    """Return what the panel of the permuted-label control says."""
    threshold = -math.log(LEAK_ALPHA)
    if ledger.control is None:
        return {"leak": "WAITING", "leak.text": "no bars judged yet"}
    now, peak, bars = ledger.control
    state = "ALARM" if peak >= threshold else "AT CHANCE"
    return {
        "leak": state,
        "leak.text": f"log E {now:+z.2f}, highest {peak:.2f}; the alarm is at {threshold:.2f}."
        f" {count(bars)} bars judged.",
    }
