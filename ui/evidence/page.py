"""The evidence tab, in words and numbers: scores, calibration, break-even, bets, canary. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from trainers.scoring.interval import Estimate
from trainers.scoring.promotion.eprocess import CANARY_ALPHA
from trainers.tracking.reader import RunRecord
from ui.evidence.desk import Judged
from ui.metrics import Metrics
from ui.picture import Picture, Texts
from ui.verdicts import verdict_words
from ui.words import (
    CHAMPION_RUN,
    NO_TRADES,
    NOT_APPLICABLE,
    UNKNOWN,
    UNSCORED,
    Line,
    bp,
    count,
    decimals,
    nats,
    percent,
)

WINDOWS = {"live/10m/": "10 min", "live/1h/": "1 h", "live/": "session"}

NONE_YET = "none yet"

# Their units stand in the table's head.
EDGE = Line("edge", "Edge", nats, NONE_YET)
COLUMNS = (
    Line("accuracy", "Accuracy", lambda value: f"{100 * value:.1f}", NONE_YET),
    Line("log_loss", "Log-loss", decimals, NONE_YET),
    EDGE,
    Line("pnl_bps", "P&L after costs", lambda value: f"{value:+,.1f}", NONE_YET),
)
OF_FORECASTERS = ("accuracy", "log_loss", "edge")


def evidence(symbol: str, metrics: Metrics, judged: Judged, learners: list[str]) -> Picture:
    """Return one symbol's evidence tab.

    Args:
        symbol: the market.
        metrics: from MLflow.
        judged: from the ledger.
        learners: that are no baselines.
    """
    runs = metrics.runs(symbol)
    names = list(dict.fromkeys([*learners, *metrics.learners.get(symbol, {}), *runs]))
    texts: Texts = {}
    rows = []
    for name in names:
        run = runs.get(name)
        known = {**judged.metrics.get(name, {}), **(run.metrics if run else {})}
        baseline = name in metrics.baselines.get(symbol, {})
        texts |= _scores(name, known, baseline, agent=name in judged.agents)
        rows.append([name, "baseline" if baseline else "learner"])
    texts |= _canary(judged)
    ours = [name for name, kind in rows if kind == "learner"]
    challengers = [name for name in ours if not name.endswith(CHAMPION_RUN)]
    for name in ours:
        texts |= _pays(name, runs.get(name), judged)
    by_cycle = metrics.cycles.get(symbol)
    return Picture(
        texts,
        {
            "scores": {"rows": rows, "ours": ours, "judged": challengers},
            "curves": judged.curves,
            "costs": {name: _bars(judged, name) for name in ours if name in judged.costs},
        },
        {"edges": by_cycle.edges, "bets": by_cycle.bets} if by_cycle else {},
    )


def _scores(name: str, metrics: Mapping[str, float], baseline: bool, *, agent: bool) -> Texts:
    """Return one row of the table: a text by window and column."""
    texts = {}
    for prefix in WINDOWS:
        within = {key.removeprefix(prefix): v for key, v in metrics.items() if _in(key, prefix)}
        for column in COLUMNS:
            missing = (agent and column.key in OF_FORECASTERS) or (baseline and column is EDGE)
            text = NOT_APPLICABLE if missing else column.of(within)
            texts[f"e.{name}.{prefix}{column.key}"] = text
    scored = metrics.get("live/scored")
    none = NOT_APPLICABLE if agent else NONE_YET
    texts[f"e.{name}.scored"] = none if agent or scored is None else count(scored)
    return texts


def _in(key: str, prefix: str) -> bool:
    return key.startswith(prefix) and "/" not in key.removeprefix(prefix)


def _pays(name: str, run: RunRecord | None, judged: Judged) -> Texts:
    """Return what a learner's break-even panel says."""
    metrics = run.metrics if run else {}
    costs, agent = judged.costs.get(name), name in judged.agents
    no_accuracy = "an agent: it gives no probability" if agent else UNSCORED
    return {
        f"p.{name}.needed": _needed(metrics),
        f"p.{name}.reached": Line("live/accuracy", "", percent, no_accuracy).of(metrics),
        f"p.{name}.verdict": _profit(costs) if agent else _verdict(metrics),
        **{f"p.{name}.{times}": _money(costs[times] if costs else None) for times in range(3)},
        f"v.{name}": verdict_words(run.tags.get("verdict") if run else None),
    }


def _needed(metrics: Mapping[str, float]) -> str:
    if metrics.get("live/break_even", 0.0) > 1:
        return "no accuracy pays the costs"
    return Line("live/break_even", "", percent, UNKNOWN).of(metrics)


def _verdict(metrics: Mapping[str, float]) -> str:
    """Say in words how the accuracy reached stands to the one needed."""
    known = [metrics.get(f"live/{name}") for name in ("accuracy", "accuracy_ci", "break_even")]
    reached, width, needed = known
    if reached is None or needed is None or width is None:
        return UNKNOWN
    return _stands(reached - needed, width)


def _profit(costs: list[Estimate] | None) -> str:
    """Say in words how an agent's profit after costs stands to none."""
    if not costs or costs[1].half_width is None:
        return UNKNOWN
    return _stands(costs[1].value, costs[1].half_width)


def _stands(above: float, width: float) -> str:
    if above - width > 0:
        return "pays: the whole interval is above"
    if above + width < 0:
        return "does not pay: the whole interval is below"
    return "open: the interval holds both"


def _money(estimate: Estimate | None) -> str:
    if estimate is None:
        return NO_TRADES
    return Line("x", "", bp).of({"x": estimate.value, "x_ci": estimate.half_width or 0.0})


def _bars(judged: Judged, name: str) -> list[list[float | None]]:
    return [
        [round(each.value, 2), None if each.half_width is None else round(each.half_width, 2)]
        for each in judged.costs[name]
    ]


def _canary(judged: Judged) -> Texts:
    threshold = -math.log(CANARY_ALPHA)
    if judged.canary is None:
        return {"canary": "WAITING", "canary.text": "no bars judged yet"}
    now, peak, bars = judged.canary
    state = "ALARM" if peak >= threshold else "AT CHANCE"
    return {
        "canary": state,
        "canary.text": f"log E {now:+.2f}, highest {peak:.2f}; the alarm is at {threshold:.2f}."
        f" {count(bars)} bars judged.",
    }
