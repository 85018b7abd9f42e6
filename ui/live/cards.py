"""The learners' cards, in words: status, live scores with intervals, what was trained. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainers.config import SessionConfig
from trainers.tracking.reader import RunRecord
from ui.market import Counters
from ui.metrics import Event, Metrics
from ui.picture import Picture, Texts
from ui.words import CARDS, CHAMPION_RUN, UNKNOWN, card_of, count, is_agent, percent

EVENTS_SHOWN = 5

Extra = Mapping[str, Mapping[str, float]]


def cards(
    config: SessionConfig,
    symbol: str,
    counters: Counters | None,
    metrics: Metrics,
    judged: Extra,
) -> Picture:
    """Return the cards of one symbol's learners.

    Args:
        config: the session's.
        symbol: the market.
        counters: of its stream.
        metrics: from MLflow.
        judged: by learner, further metrics that come from the ledger.
    """
    learners = metrics.learners.get(symbol, {})
    first = [name for name in CARDS if name in config.learner_list or name in learners]
    texts: Texts = {}
    shown = []
    warming = _warming(config, counters, metrics)
    for name in dict.fromkeys((*first, *learners)):
        run = learners.get(name)
        known = {**judged.get(name, {}), **(run.metrics if run else {})}
        texts |= _learner(name, run, known, warming)
        texts[f"{name}.champion"] = _champion(
            run, metrics.champions.get(symbol, {}).get(name + CHAMPION_RUN)
        )
        shown.append(_card(name, known))
    return Picture(texts, {"cards": shown, "events": newest(metrics.events)})


def newest(events: list[Event]) -> list[tuple[float, str]]:
    """Return the session's last events, newest first."""
    last = sorted(events, key=lambda event: event.ts, reverse=True)[:EVENTS_SHOWN]
    return [(round(event.ts, 1), event.text) for event in last]


def _warming(config: SessionConfig, counters: Counters | None, metrics: Metrics) -> str:
    """Return why there are no metrics yet; nothing once there was a cycle."""
    if metrics.cycle is not None:
        return ""
    ticks = counters.ticks if counters else 0
    if ticks < config.min_ticks:
        return f"warming up {ticks:,}/{config.min_ticks:,} ticks"
    return "waiting for the first cycle"


def _card(name: str, metrics: Mapping[str, float]) -> dict[str, Any]:
    card = card_of(name, metrics)
    lines: list[list[Any]] = [[f"{name}.{line.key}", line.label, line.wide] for line in card.lines]
    return {"id": name, "title": card.title, "lines": [*lines, [f"{name}.champion", "Champion", 1]]}


def _learner(name: str, run: RunRecord | None, metrics: Mapping[str, float], warming: str) -> Texts:
    tags = run.tags if run else {}
    headline, *others = card_of(name, metrics).lines
    known = headline.key in metrics
    return {
        f"{name}.status": tags.get("status") or "WAITING",
        f"{name}.text": tags.get("status_text", ""),
        f"{name}.{headline.key}": headline.of(metrics) if known or not warming else warming,
        f"{name}.note": _note(metrics) if known else "",
        **{f"{name}.{line.key}": line.of(metrics) for line in others},
    }


def _note(metrics: Mapping[str, float]) -> str:
    """Return how many bars a headline is of, and the accuracy that would pay for trading."""
    if is_agent(metrics):
        return f"{count(metrics['live/trades'])} trades closed"
    scored, pays = metrics.get("live/scored"), metrics.get("live/break_even")
    words = [f"{count(scored)} bars scored"] if scored is not None else []
    if pays is not None:
        words.append(f"break-even {percent(pays)}" if pays <= 1 else "no accuracy pays the costs")
    return ", ".join(words)


def _champion(run: RunRecord | None, frozen: RunRecord | None) -> str:
    """Return which version serves as champion, and how it does."""
    version = run.tags.get("champion") if run else None
    if not version:
        return UNKNOWN if version is None else "none yet"
    accuracy = frozen.metrics.get("live/accuracy") if frozen else None
    return f"version {version}" + (f", live {percent(accuracy)}" if accuracy is not None else "")
