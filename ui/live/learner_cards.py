"""The texts of the learners' cards: status, live scores with intervals, training. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from streaming.events import Code
from trainers.config import SessionConfig
from trainers.names import Tag, champion_name
from trainers.tracking.reader import RunRecord
from ui.market_reader import Counters
from ui.mlflow.session_metrics import Event, SessionMetrics
from ui.views.formatting import UNKNOWN, count, percent
from ui.views.metric_cards import CARDS, MISSED, card_of
from ui.views.verdict_text import by_interval
from ui.views.view_model import Texts, ViewModel

EVENTS_SHOWN = 5
MANY_MISSED = 0.01


def cards(
    config: SessionConfig,
    symbol: str,
    counters: Counters | None,
    metrics: SessionMetrics,
) -> ViewModel:
    """Return the cards of one symbol's learners.

    Args:
        config: the session's settings.
        symbol: the market.
        counters: the counters of its stream.
        metrics: what MLflow holds.
    """
    learners = metrics.learners.get(symbol, {})
    first = [name for name in CARDS if name in config.learner_names or name in learners]
    texts: Texts = {}
    shown = []
    warming = _warming(config, counters, metrics)
    for name in dict.fromkeys((*first, *learners)):
        run = learners.get(name)
        texts |= _learner(name, run, warming)
        texts[f"{name}.champion"] = _champion(
            run, metrics.champions.get(symbol, {}).get(champion_name(name))
        )
        shown.append(_card(name, run.metrics if run else {}))
    texts["stream.missed"] = _missed(learners.values())
    return ViewModel(
        texts,
        {
            "cards": shown,
            "events": newest_events(metrics.events),
        },
    )


def newest_events(events: list[Event]) -> list[dict[str, Any]]:
    """Return the session's last events, newest first; ``events`` are those that MLflow holds.

    Cycles, which the cards show anyway, would push all else out.
    """
    told = [_short(event) for event in events if event.code != Code.CYCLE]
    last = sorted(told, key=lambda event: event.ts, reverse=True)[:EVENTS_SHOWN]
    return [{"ts": round(event.ts, 1), "code": event.code, "text": event.text} for event in last]


def _short(event: Event) -> Event:
    """Leave out which streams a connection is of: they are many, and the session's own."""
    if event.code != Code.CONNECTED:
        return event
    return dataclasses.replace(event, text=event.text.partition("?")[0])


def _warming(config: SessionConfig, counters: Counters | None, metrics: SessionMetrics) -> str:
    """Return why there are no metrics yet; nothing once there was a cycle."""
    if metrics.cycle is not None:
        return ""
    ticks = counters.ticks if counters else 0
    if ticks < config.min_ticks:
        return f"warming up {ticks:,}/{config.min_ticks:,} ticks"
    return "waiting for the first cycle"


def _card(name: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    card = card_of(name, metrics)
    lines = [
        {"key": f"{name}.{line.key}", "label": line.label, "wide": line.wide} for line in card.lines
    ]
    return {"id": name, "title": card.title, "lines": lines}


def _learner(name: str, run: RunRecord | None, warming: str) -> Texts:
    tags, metrics = (run.tags, run.metrics) if run else ({}, {})
    headline, *others = card_of(name, metrics).lines
    known = headline.key in metrics
    return {
        f"{name}.text": tags.get(Tag.STATUS_TEXT, ""),
        f"{name}.{headline.key}": headline.text(metrics) if known or not warming else warming,
        f"{name}.note": _note(run) if run and known else "",
        f"{name}.as_of": f"as of cycle {run.cycle:,}" if run and run.cycle and known else "",
        **{f"{name}.{line.key}": line.text(metrics) for line in others},
    }


def _note(run: RunRecord) -> str:
    """Return what the interval of the profit says, and on how many trades it stands."""
    profit, width = run.metrics["live/pnl_bps"], run.metrics.get("live/pnl_bps_ci")
    closed = run.metrics.get("live/trades", 0)
    trades = f"{count(closed)} trade{'s' * (closed != 1)} closed" if closed else "the first is held"
    if width is None or not (closed or profit):
        return trades if closed else ""
    verdict = by_interval(
        profit,
        width,
        "earns: the whole interval is above 0",
        "loses: the whole interval is below 0",
        "open: the interval holds 0",
    )
    return f"{verdict}, {trades}"


def _missed(runs: Iterable[RunRecord]) -> str:
    """Return the share of forecasts that came too late, with a sign from 1 % on."""
    shares = [run.metrics[MISSED.key] for run in runs if MISSED.key in run.metrics]
    if not shares:
        return UNKNOWN
    return f"{'⚠ ' if max(shares) >= MANY_MISSED else ''}{percent(max(shares))}"


def _champion(run: RunRecord | None, frozen: RunRecord | None) -> str:
    """Return which version is champion, and its live accuracy."""
    version = run.tags.get(Tag.CHAMPION) if run else None
    if not version:
        return UNKNOWN if version is None else "none yet"
    accuracy = frozen.metrics.get("live/accuracy") if frozen else None
    return f"version {version}" + (f", live {percent(accuracy)}" if accuracy is not None else "")
