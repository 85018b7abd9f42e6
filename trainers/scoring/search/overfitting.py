"""How often the trial that is the best on one half of the bars is below the middle on the other.

Pure. Bars are cut into blocks, and every choice of half of the blocks is a half: combinatorially
symmetric cross-validation, D. Bailey, J. Borwein, M. Lopez de Prado and Q. Zhu, The probability of
backtest overfitting, Journal of Computational Finance 20 (2017). A search that finds something
is near 0; one half means that the choice among the trials is worth nothing.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLOCKS = 16  # as in the paper: 12,870 halves


def probability_of_overfitting(scores: Floats, blocks: int = BLOCKS) -> float | None:
    """Return the probability of backtest overfitting, by mean scores.

    Args:
        scores: ``(T, N)`` of each bar and trial, in order of time; the higher, the better.
        blocks: into how many blocks the bars are cut, an even number.

    Returns:
        The share of halves whose best trial ranks in the lower half on the others; None if there
        are fewer than two trials, or fewer bars than blocks.
    """
    n_bars, n_trials = scores.shape
    if n_trials < 2 or n_bars < blocks:
        return None
    parts = np.array_split(scores, blocks)
    sums, sizes = np.array([part.sum(axis=0) for part in parts]), np.array([*map(len, parts)])
    chosen = np.array(list(itertools.combinations(range(blocks), blocks // 2)))
    halves = np.zeros((len(chosen), blocks), bool)
    np.put_along_axis(halves, chosen, values=True, axis=1)
    inside, outside = (_means(half, sums, sizes) for half in (halves, ~halves))
    best = inside.argmax(axis=1)[:, None]
    of_best = np.take_along_axis(outside, best, axis=1)
    below, alike = (outside < of_best).sum(axis=1), (outside == of_best).sum(axis=1)
    rank = (below + (alike + 1) / 2) / (n_trials + 1)  # equal ones share the ranks that they take
    return float((rank <= 0.5).mean())


def _means(halves: NDArray[np.bool_], sums: Floats, sizes: NDArray[np.int64]) -> Floats:
    means: Floats = (halves @ sums) / (halves @ sizes)[:, None]
    return means
