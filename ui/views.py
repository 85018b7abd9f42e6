"""What a person reads on the page, as plain data: texts by key, cards, events, chart rows.

    Market, Metrics -> picture -> Picture -> changes -> one message for all viewers

Pure: everything shown is decided here, in Python; the browser only puts texts in their places.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from trainers.config import SessionConfig
from trainers.tracking.reader import RunRecord
from ui.market import Counters
from ui.metrics import Event, Metrics
from ui.words import CARDS, card_of, count, duration, percent, signed

OLD_SECONDS = 6.0  # three looks at MLflow missed
EVENTS_SHOWN = 5
WAITING = "waiting for the stream"

Texts = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Picture:
    """Everything one symbol's viewers see at one moment."""

    texts: Texts
    cards: list[dict[str, Any]]
    events: list[tuple[float, str]]  # newest first
    rows: dict[int, list[Any]]  # chart rows by time
    cycles: dict[int, tuple[float | None, float | None]]
    decimals: int  # of a price


def picture(
    config: SessionConfig,
    symbol: str,
    rows: list[list[Any]],
    counters: Counters | None,
    metrics: Metrics,
) -> Picture:
    """Put one symbol's picture together."""
    learners = metrics.learners.get(symbol, {})
    first = [name for name in CARDS if name in config.learner_list or name in learners]
    shown = {name: learners.get(name) for name in (*first, *learners)}
    texts = {**_header(rows, metrics), **_stream(counters, config.stale_seconds)}
    warming = _warming(config, counters, metrics)
    for name, run in shown.items():
        texts |= _learner(name, run, warming)
    return Picture(
        texts=texts,
        cards=[_card(name, run) for name, run in shown.items()],
        events=_newest(metrics.events),
        rows={row[0]: row[:8] for row in rows},
        cycles=metrics.cycles.get(symbol, {}),
        decimals=price_decimals(rows),
    )


def changes(old: Picture | None, new: Picture) -> dict[str, Any]:
    """Return what differs between two pictures, as short as it can be sent."""
    if old is None:
        old = Picture({}, [], [], {}, {}, 0)
    found = {
        "texts": {k: text for k, text in new.texts.items() if old.texts.get(k) != text},
        "cards": new.cards if new.cards != old.cards else [],
        "events": new.events if new.events != old.events else [],
        "rows": [row for time, row in new.rows.items() if old.rows.get(time) != row],
        "decimals": new.decimals if new.decimals != old.decimals else 0,
        "cycles": [[c, *pair] for c, pair in new.cycles.items() if old.cycles.get(c) != pair],
    }
    if found["cards"]:
        found["texts"] = new.texts  # new cards are empty
    return {name: value for name, value in found.items() if value}


def _header(rows: list[list[Any]], metrics: Metrics) -> Texts:
    notices = []
    if metrics.age is None:
        notices.append("waiting for MLflow")
    elif metrics.age > OLD_SECONDS:
        notices.append(f"MLflow does not answer: metrics are {duration(metrics.age)} old")
    session = metrics.session
    if session and session.state != "RUNNING":
        notices.append(f"this session has ended ({session.state})")
    return {
        "price": _price(rows[-1][4], rows) if rows else WAITING,
        "change": _change(rows),
        "notice": " · ".join(notices),
        "session.text": session.tags.get("status_text", "") if session else "",
        "cycle": "By cycle" if metrics.cycle is None else f"By cycle, now {metrics.cycle:,}",
    }


def _price(price: float, rows: list[list[Any]]) -> str:
    return f"{price:,.{price_decimals(rows)}f}"


def price_decimals(rows: list[list[Any]]) -> int:
    """Return how many decimals the prices have, 2 to 8."""
    texts = [f"{row[4]:.8f}".rstrip("0") for row in rows[-300:]]
    return max((len(text) - text.index(".") - 1 for text in texts), default=2) if texts else 2


def _change(rows: list[list[Any]]) -> str:
    if len(rows) < 61:
        return f"change over 60 s: {len(rows)}/61 bars" if rows else ""
    return f"{signed(1e4 * (rows[-1][4] / rows[-61][4] - 1))} bp in 60 s"


def _stream(counters: Counters | None, stale_seconds: float) -> Texts:
    if counters is None:
        keys = ("ticks", "bars", "rate", "lag", "gaps")
        return {"stream.status": "WAITING", **{f"stream.{key}": WAITING for key in keys}}
    silent = counters.silent_seconds
    stale = counters.connection == "CONNECTED" and silent is not None and silent > stale_seconds
    rate, lag = counters.ticks_per_second, counters.lag_ms
    gaps = f"{counters.gaps:,} not repaired" if counters.gaps else "0"
    return {
        "stream.status": "STALE" if stale else counters.connection,
        "stream.ticks": f"{count(counters.ticks)} over {duration(counters.span_seconds)}",
        "stream.bars": count(counters.bars),
        "stream.rate": "no bar yet" if rate is None else f"{rate:.1f}",
        "stream.lag": "not measured yet" if lag is None else f"{lag:,.1f} ms",
        "stream.gaps": gaps + (f", {counters.repaired:,} ticks repaired" * bool(counters.repaired)),
    }


def _warming(config: SessionConfig, counters: Counters | None, metrics: Metrics) -> str:
    """Return why there are no metrics yet; nothing once there was a cycle."""
    if metrics.cycle is not None:
        return ""
    ticks = counters.ticks if counters else 0
    if ticks < config.min_ticks:
        return f"warming up {ticks:,}/{config.min_ticks:,} ticks"
    return "waiting for the first cycle"


def _card(name: str, run: RunRecord | None) -> dict[str, Any]:
    card = card_of(name, run.metrics if run else {})
    lines = [[f"{name}.{line.key}", line.label] for line in card.lines]
    return {"id": name, "title": card.title, "lines": lines}


def _learner(name: str, run: RunRecord | None, warming: str) -> Texts:
    metrics, tags = (run.metrics, run.tags) if run else ({}, {})
    headline, *others = card_of(name, metrics).lines
    known = headline.key in metrics
    return {
        f"{name}.status": tags.get("status") or "WAITING",
        f"{name}.text": tags.get("status_text", ""),
        f"{name}.{headline.key}": headline.of(metrics) if known or not warming else warming,
        f"{name}.note": _note(metrics) if known else "",
        **{f"{name}.{line.key}": line.of(metrics) for line in others},
    }


def _note(metrics: dict[str, float]) -> str:
    """Return how many bars a headline is of, and the accuracy that would pay for trading."""
    scored, pays = metrics.get("live/scored"), metrics.get("live/break_even")
    words = [f"{count(scored)} bars scored"] if scored is not None else []
    if pays is not None:
        words.append(f"break-even {percent(pays)}" if pays <= 1 else "no accuracy pays the costs")
    return ", ".join(words)


def _newest(events: list[Event]) -> list[tuple[float, str]]:
    """Return the session's last events, newest first."""
    newest = sorted(events, key=lambda event: event.ts, reverse=True)[:EVENTS_SHOWN]
    return [(round(event.ts, 1), event.text) for event in newest]
