"""What a person should know of a tape before it is played: what is dropped, unknown or repeated."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from streaming.ticks import Ticks, faults

TRIFLE = 0.01  # the share from which on it is said
MOST_DROPPED = 0.5


def dropped_of(ticks: Ticks, latest_ns: int, no_id: int) -> dict[str, int]:
    """Return how many rows are dropped for each reason, once each.

    Args:
        ticks: ``(n,)`` as they are played.
        latest_ns: the latest event time that is possible, ns.
        no_id: rows that were left out as they have no id.
    """
    counted = {"no_id": no_id}
    left = np.ones(len(ticks), np.bool)
    for reason, wrong in faults(ticks, latest_ns):
        counted[reason] = int(np.count_nonzero(wrong & left))
        left &= ~wrong
    return {reason: n for reason, n in counted.items() if n}


def remarks(ticks: Ticks, dropped: dict[str, int], counts: bool) -> Iterator[str]:
    """Yield what is more than a trifle, a sentence each.

    Args:
        ticks: ``(n,)`` as they are played.
        dropped: rows that are dropped, by reason.
        counts: whether the ids are the venue's.
    """
    rows = len(ticks) + dropped.get("no_id", 0)
    for reason, n in dropped.items():
        if n > TRIFLE * rows:
            yield f"{share(n, rows)} of the rows are dropped: {reason}"
    unknown = int(np.count_nonzero(ticks["side"] == 0))
    if unknown > TRIFLE * len(ticks):
        yield f"the taker's side of {share(unknown, len(ticks))} of the trades is not known"
    if not counts:
        return
    ids = ticks["id"]
    known = ids if (np.diff(ids) > 0).all() else np.unique(ids)
    repeated = len(ticks) - len(known)
    if repeated > TRIFLE * len(ticks):
        yield (
            f"{share(repeated, len(ticks))} of the ids are there again: repeated trades are"
            " dropped, a new count is followed"
        )
    jumps = int(np.count_nonzero(np.diff(known) > 1))
    if jumps > TRIFLE * len(known):
        yield (
            f"the ids jump at {share(jumps, len(known))} of the trades: each jump is a gap, and"
            " bars with one are not learned from"
        )


def share(n: int, of: int) -> str:
    """Return a share in percent, of three digits.

    >>> share(1, 3), share(3, 3)
    ('33.3 %', '100 %')
    """
    return f"{100 * n / max(of, 1):.3g} %"
