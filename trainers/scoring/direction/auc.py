"""AUC: how often the probability for a bar that rose is above that for one that fell. Pure.

Source: E. DeLong, D. DeLong and D. Clarke-Pearson, Comparing the areas under two or more
correlated receiver operating characteristic curves, Biometrics 44 (1988).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.interval import Estimate, half_width
from trainers.scoring.scored import Samples


def auc(samples: Samples) -> Estimate | None:
    """Return the exact area, ties counting half; None unless both directions occurred."""
    order = np.argsort(samples.probability)
    rose = samples.up[order] > 0
    n_up, n_down = int(rose.sum()), int((~rose).sum())
    if n_up == 0 or n_down == 0:
        return None
    first, stop = _ties(samples.probability[order])
    # A case's placement: its share of pairs with the other direction that are in right order.
    placement = np.where(rose, _below(~rose, first, stop), n_up - _below(rose, first, stop))
    placement /= np.where(rose, n_down, n_up)
    value = float(placement[rose].mean())
    influence = np.empty(len(order))
    influence[order] = (placement - value) * len(order) / np.where(rose, n_up, n_down)
    return Estimate(value, half_width(influence))


def _ties(ordered: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the values equal to each value begin and end, given ``(n,)`` rising values."""
    starts = np.flatnonzero(np.diff(ordered, prepend=-np.inf))
    stops = np.append(starts[1:], len(ordered))
    equals = stops - starts
    return np.repeat(starts, equals), np.repeat(stops, equals)


def _below(
    other: NDArray[np.bool_], first: NDArray[np.int64], stop: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how many of ``other`` lie below each case, equals counting half."""
    seen = np.concatenate([[0], np.cumsum(other)])
    below: NDArray[np.float64] = (seen[first] + seen[stop]) / 2
    return below
