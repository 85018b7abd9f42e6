"""Metrics of a market's stream when a cycle begins. Pure."""

from __future__ import annotations

from streaming.rings.counters import REJECTED
from streaming.ticks import NS_PER_S
from trainers.engine.events import CycleBegun, Watermark
from trainers.names import STREAM

COUNTED = (
    "gaps", "missing", "repaired", "backfilled", "late", "duplicates", "reconnects", "quotes",
    "late_quotes",
)  # fmt: skip


def stream_metrics(
    begun: CycleBegun, seen: Watermark, since: int, bars: int, broken: int
) -> dict[str, float]:
    """Return the metrics of a stream by full name.

    Args:
        begun: the cycle that begins.
        seen: the number of rows of each stream that the previous cycle saw.
        since: its market time, ns; 0 if there is none.
        bars: the number of bars taken so far.
        broken: the number of those that are broken.
    """
    ticks = begun.watermark["ticks"]
    before = seen["ticks"]
    if since == 0:  # the first cycle: the rate of the whole cache
        before, since = begun.oldest["ticks"], begun.oldest_ts
    stats = begun.stats
    rejected = {f"rejected_{reason}": stats.get(f"rejected_{reason}", 0.0) for reason in REJECTED}
    metrics = {
        "ticks": float(ticks),
        "cached": float(ticks - begun.oldest["ticks"]),
        "bars": float(bars),
        "broken": float(broken),
        "ticks_per_second": (ticks - before) * NS_PER_S / max(begun.now - since, 1),
        "span_seconds": (begun.now - begun.oldest_ts) / NS_PER_S,
        "lag_ms": stats["lag_us"] / 1000,
        "rejected": sum(rejected.values()),
        **{name: stats[name] for name in COUNTED},
        **rejected,
    }
    return {f"{STREAM}{name}": value for name, value in metrics.items()}
