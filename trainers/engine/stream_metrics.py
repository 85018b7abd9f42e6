"""Metrics of a market's stream when a cycle begins, and what is added up over a session. Pure.

The session's own run has the sums over its markets: of their streams, and of their learners, by the
names that the learners' own metrics have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from streaming.counters import REJECTED
from streaming.ticks import NS_PER_S
from trainers.engine.events import CycleBegun, Watermark
from trainers.names import LIVE, STREAM

COUNTED = (
    "gaps", "missing", "repaired", "backfilled", "late", "duplicates", "reconnects", "quotes",
    "late_quotes",
)  # fmt: skip

# How the markets' metrics are combined into the session's; the others are summed.
TOGETHER: dict[str, Callable[[list[float]], float]] = {
    f"{STREAM}lag_ms": max,
    f"{STREAM}span_seconds": min,
}

# What the learners of a market (neither champions nor baselines) add to the session's sums.
MARKETS = f"{LIVE}markets"  # that have ended a cycle
FAILING = f"{LIVE}markets_failing"  # those with a learner whose last work ended in an error
FORECASTS = f"{LIVE}forecasts"  # due since the first cycle: a bar and learner each
MISSED, MISSED_RATE = f"{LIVE}missed", f"{LIVE}missed_rate"
SUMMED = (MISSED, f"{LIVE}scored", f"{LIVE}trades", f"{LIVE}pnl_bps")


def learner_totals(
    live: Sequence[Mapping[str, float]], forecasts: int, *, failing: bool
) -> dict[str, float]:
    """Return what a market adds to the session's sums, by full name; see ``of_session``.

    Args:
        live: the scores of each of its learners by full name.
        forecasts: how many forecasts were due of them.
        failing: whether the last work of one ended in an error.
    """
    if not live:
        return {}
    sums = {name: sum(scores.get(name, 0.0) for scores in live) for name in SUMMED}
    return {MARKETS: 1.0, FAILING: float(failing), FORECASTS: float(forecasts), **sums}


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


def of_session(markets: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the session's metrics, given what each of its markets (one at least) adds to them.

    >>> of_session([{FORECASTS: 3.0, MISSED: 1.0}, {FORECASTS: 1.0, MISSED: 0.0}])[MISSED_RATE]
    0.25
    """
    every = list(markets)
    # A market whose newest cycle an older version has recorded lacks some.
    names = [name for name in every[0] if all(name in metrics for metrics in every)]
    found = {name: TOGETHER.get(name, sum)([metrics[name] for metrics in every]) for name in names}
    if found.get(FORECASTS):
        found[MISSED_RATE] = found[MISSED] / found[FORECASTS]
    return found
