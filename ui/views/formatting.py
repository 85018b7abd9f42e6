"""Formatting of numbers and times. Pure."""

from __future__ import annotations

import datetime
import math

# A value that is not known yet is shown by one of these, never as 0.
UNTRAINED = "none yet"
UNSCORED = "no bars scored yet"
NO_TRADES = "no trades yet"
UNKNOWN = "not known yet"
NOT_APPLICABLE = "—"  # a score that an agent or a baseline does not have


def for_good(text: str) -> str:
    """Return a text as it is said of what is over, where nothing is still to come.

    >>> for_good("no trades yet"), for_good("+1.3 bp")
    ('no trades', '+1.3 bp')
    """
    return text.removesuffix(" yet")


def percent(value: float) -> str:
    """Format a fraction: 0.5421 is ``54.2 %``."""
    return f"{100 * value:.1f} %"


def count(value: float) -> str:
    """Format a whole number: ``17,890``."""
    return f"{value:,.0f}"


def signed(value: float) -> str:
    """Format four decimals with their sign, 0 with a plus: ``+0.0891``."""
    return f"{value:+z.4f}"


def plain(value: float) -> str:
    """Format a number with four significant digits: ``0.001``, ``1,234``."""
    return f"{value:,.4g}" if abs(value) < 1000 else count(value)


def decimals(value: float) -> str:
    """Format four decimals: ``0.6859``."""
    return f"{value:.4f}"


def bp(value: float) -> str:
    """Format basis points with their sign, 0 with a plus: ``+12.4 bp``."""
    return f"{value:+z,.1f} bp" if abs(value) < 1000 else f"{value:+,.0f} bp"


def fall(value: float) -> str:
    """Format a fall in basis points, which has no sign, without its unit: ``12.4``."""
    return f"{value:,.1f}" if value < 1000 else f"{value:,.0f}"


def nats(value: float) -> str:
    """Format an edge in nats, with its sign: ``+0.0123``."""
    return signed(value)


def share_of_coin(value: float) -> str:
    """Format nats as a share of the log-loss of a coin, ln 2, with its sign: ``+0.6 %``."""
    return f"{100 * value / math.log(2):+z.1f} %"


def clock(ts: float) -> str:
    """Format a time of day, UTC: ``2024-03-01 12:31``."""
    return datetime.datetime.fromtimestamp(ts, datetime.UTC).strftime("%Y-%m-%d %H:%M")


def duration(seconds: float) -> str:
    """Format a length of time: ``42 s``, ``14.9 min``, ``3.1 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def exact_duration(seconds: float) -> str:
    """Format a length of time exactly: ``90 s``, ``10 min``, ``1 h``."""
    for unit, name in ((3600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds / unit:g} {name}"
    return f"{seconds:g} s"
