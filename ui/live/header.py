"""The page's first line and the stream's card, in words. Pure."""

from __future__ import annotations

from typing import Any

from trainers.config import SessionConfig
from ui.market import Counters
from ui.metrics import Metrics
from ui.picture import Texts
from ui.words import count, duration, signed

OLD_SECONDS = 6.0  # three looks at MLflow missed
WAITING = "waiting for the stream"


def header(rows: list[list[Any]], metrics: Metrics, decimals: int) -> Texts:
    """Return what the first line says."""
    session = metrics.session
    return {
        "price": f"{rows[-1][4]:,.{decimals}f}" if rows else WAITING,
        "change": _change(rows),
        "notice": " · ".join(_notices(metrics)),
        "session.text": session.tags.get("status_text", "") if session else "",
        "cycle": "By cycle" if metrics.cycle is None else f"By cycle, now {metrics.cycle:,}",
    }


def _notices(metrics: Metrics) -> list[str]:
    notices = []
    if metrics.age is None:
        notices.append("waiting for MLflow")
    elif metrics.age > OLD_SECONDS:
        notices.append(f"MLflow does not answer: metrics are {duration(metrics.age)} old")
    if metrics.session and metrics.session.state != "RUNNING":
        notices.append(f"this session has ended ({metrics.session.state})")
    return notices


def stream(counters: Counters | None, config: SessionConfig) -> Texts:
    """Return what the stream's card says."""
    if counters is None:
        keys = ("ticks", "bars", "rate", "lag", "gaps")
        return {"stream.status": "WAITING", **{f"stream.{key}": WAITING for key in keys}}
    rate, lag = counters.ticks_per_second, counters.lag_ms
    gaps = f"{counters.gaps:,} not repaired" if counters.gaps else "0"
    return {
        "stream.status": counters.status(config.stale_seconds),
        "stream.ticks": f"{count(counters.ticks)} over {duration(counters.span_seconds)}",
        "stream.bars": count(counters.bars),
        "stream.rate": "no bar yet" if rate is None else f"{rate:.1f}",
        "stream.lag": "not measured yet" if lag is None else f"{lag:,.1f} ms",
        "stream.gaps": gaps + (f", {counters.repaired:,} ticks repaired" * bool(counters.repaired)),
    }


def price_decimals(rows: list[list[Any]]) -> int:
    """Return how many decimals the prices have, 2 to 8."""
    texts = [f"{row[4]:.8f}".rstrip("0") for row in rows[-300:]]
    return max((len(text) - text.index(".") - 1 for text in texts), default=2) if texts else 2


def _change(rows: list[list[Any]]) -> str:
    if len(rows) < 61:
        return f"change over 60 s: {len(rows)}/61 bars" if rows else ""
    return f"{signed(1e4 * (rows[-1][4] / rows[-61][4] - 1))} bp in 60 s"
