"""What the markets of a session come to together, at one cycle of its first market. Pure.

each market's newest end of a cycle (its stream's metrics, its standing) -> the session's metrics
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from trainers.names import LIVE, PROMOTION, STREAM
from trainers.scoring.promotion.discoveries import discoveries

# How the markets' stream metrics are combined; the others are summed.
TOGETHER: dict[str, Callable[[list[float]], float]] = {
    f"{STREAM}lag_ms": max,
    f"{STREAM}span_seconds": min,
}

LOG_E, PNL = "log_e", "pnl_bps"  # the keys of a standing


class Ended(NamedTuple):
    """What a market's end of a cycle says for the session.

    Attributes:
        stream: the stream's metrics by full name.
        standing: ``log_e``, the logarithm of the market's e-value for "a learner is better than the
            best baseline"; ``pnl_bps``, the net profit of its first agent, else of its first
            learner, once there is one. None in records that are older than standings.
    """

    stream: Mapping[str, float]
    standing: Mapping[str, float] | None


class SessionScores(NamedTuple):
    """A session's metrics by full name, and the markets that are discoveries (None: not known)."""

    metrics: dict[str, float]
    discoveries: list[str] | None


def session_scores(ends: Mapping[str, Ended], markets: Collection[str]) -> SessionScores:
    """Combine the markets of a session.

    Args:
        ends: the end of a cycle of each market that has one, one at least.
        markets: all markets of the session. Those without an end count in the search for
            discoveries, with the e-value 1 that every test begins with.
    """
    every = [ended.stream for ended in ends.values()]
    metrics = {
        name: TOGETHER.get(name, sum)([stream[name] for stream in every]) for name in every[0]
    }
    standings = {market: ended.standing for market, ended in ends.items()}
    known = {market: found for market, found in standings.items() if found is not None}
    if len(markets) < 2 or len(known) < len(standings):
        return SessionScores(metrics, None)
    log_values = {market: known.get(market, {}).get(LOG_E, 0.0) for market in markets}
    found = discoveries(log_values)
    metrics[f"{PROMOTION}discoveries"] = float(len(found))
    metrics[f"{PROMOTION}markets"] = float(len(markets))
    if profits := [standing[PNL] for standing in known.values() if PNL in standing]:
        metrics[f"{LIVE}pnl_bps"] = sum(profits)
    return SessionScores(metrics, found)
