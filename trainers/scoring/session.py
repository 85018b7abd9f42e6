"""What the markets of a session come to together, at one cycle of its first market. Pure.

each market's newest end of a cycle (its stream's metrics, its standing) -> the session's metrics
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from trainers.names import LIVE, PROMOTION, STREAM
from trainers.scoring.promotion.discoveries import discoveries

# How the markets' stream metrics are combined; the others are summed.
TOGETHER: dict[str, Callable[[list[float]], float]] = {
    f"{STREAM}lag_ms": max,
    f"{STREAM}span_seconds": min,
}

LOG_E, PNL = "log_e", "pnl_bps"  # the keys of a standing

# What the learners of a market (neither champions nor baselines) add to the session's sums.
MARKETS = f"{LIVE}markets"  # that have ended a cycle
FAILING = f"{LIVE}markets_failing"  # those with a learner whose last work ended in an error
FORECASTS = f"{LIVE}forecasts"  # due since the first cycle: a bar and learner each
MISSED, MISSED_RATE = f"{LIVE}missed", f"{LIVE}missed_rate"
SUMMED = (MISSED, f"{LIVE}scored", f"{LIVE}trades")


class CycleSummary(NamedTuple):
    """What a market's end of a cycle says for the session.

    Attributes:
        stream: the stream's metrics by full name, and ``learner_totals``.
        standing: ``log_e``, the logarithm of the market's e-value for "a learner is better than the
            best baseline"; ``pnl_bps``, the net profit of its first agent, else of its first
            learner, once there is one. None in records that are older than standings.
    """

    stream: Mapping[str, float]
    standing: Mapping[str, float] | None


def learner_totals(
    live: Sequence[Mapping[str, float]], forecasts: int, *, failing: bool
) -> dict[str, float]:
    """Return what a market adds to the session's sums, by full name.

    Args:
        live: the scores of each of its learners by full name.
        forecasts: how many forecasts were due of them.
        failing: whether the last work of one ended in an error.
    """
    if not live:
        return {}
    sums = {name: sum(scores.get(name, 0.0) for scores in live) for name in SUMMED}
    return {MARKETS: 1.0, FAILING: float(failing), FORECASTS: float(forecasts), **sums}


def together(markets: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Return the session's metrics, given what each of its markets (one at least) adds to them.

    >>> together([{FORECASTS: 3.0, MISSED: 1.0}, {FORECASTS: 1.0, MISSED: 0.0}])[MISSED_RATE]
    0.25
    """
    every = list(markets)
    # A market whose newest cycle an older version has recorded lacks some.
    names = [name for name in every[0] if all(name in metrics for metrics in every)]
    found = {name: TOGETHER.get(name, sum)([metrics[name] for metrics in every]) for name in names}
    if found.get(FORECASTS):
        found[MISSED_RATE] = found[MISSED] / found[FORECASTS]
    return found


class SessionScores(NamedTuple):
    """A session's metrics by full name, and the markets that are discoveries (None: not known)."""

    metrics: dict[str, float]
    discoveries: list[str] | None


def session_scores(ends: Mapping[str, CycleSummary], markets: Collection[str]) -> SessionScores:
    """Combine the markets of a session.

    Args:
        ends: the end of a cycle of each market that has one, one at least.
        markets: all markets of the session. Those without an end count in the search for
            discoveries, with the e-value 1 that every test begins with.
    """
    metrics = together(ended.stream for ended in ends.values())
    standings = {market: ended.standing for market, ended in ends.items()}
    known = {market: found for market, found in standings.items() if found is not None}
    if profits := [standing[PNL] for standing in known.values() if PNL in standing]:
        metrics[f"{LIVE}pnl_bps"] = sum(profits)
    if len(markets) < 2 or len(known) < len(standings):
        return SessionScores(metrics, None)
    log_values = {market: known.get(market, {}).get(LOG_E, 0.0) for market in markets}
    found = discoveries(log_values)
    metrics[f"{PROMOTION}discoveries"] = float(len(found))
    metrics[f"{PROMOTION}markets"] = float(len(markets))
    return SessionScores(metrics, found)
