"""AUC: how often the probability for a bar that rose is above that for one that fell. Pure.

Probabilities of one cell of the grid are ties. The variance of a case's influence is measured on
the newest cases (``scaled_width``).
Source: E. DeLong, D. DeLong and D. Clarke-Pearson, Comparing the areas under two or more
correlated receiver operating characteristic curves, Biometrics 44 (1988).
"""

from __future__ import annotations

import numpy as np

from trainers.scoring.direction.cases import Directions
from trainers.scoring.direction.grid import cells_of
from trainers.scoring.interval import Estimate, scaled_width


def auc(directions: Directions) -> Estimate | None:
    """Return the area, ties counting half; None unless both directions occurred."""
    up, down, _ = directions.grid
    n_up, n_down = float(up.sum()), float(down.sum())
    if n_up == 0 or n_down == 0:
        return None
    # A case's placement: its share of pairs with the other direction that are in right order.
    of_up = (np.cumsum(down) - down / 2) / n_down
    of_down = (n_up - (np.cumsum(up) - up / 2)) / n_up
    value = float((up * of_up).sum()) / n_up
    newest, n = directions.newest, n_up + n_down
    cells, rose = cells_of(newest.probability), newest.up > 0
    placement = np.where(rose, of_up[cells], of_down[cells])
    influence = (placement - value) * n / np.where(rose, n_up, n_down)
    return Estimate(value, scaled_width(influence, directions.cases.n, directions.cases.overlap))
