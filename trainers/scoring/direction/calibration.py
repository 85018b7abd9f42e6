"""Calibration error: how far probabilities are from the frequencies observed. Pure.

Bins hold equal counts, since most forecasts lie near one half; the probabilities of one cell of
the grid share a bin.
Source: M. Naeini, G. Cooper and M. Hauskrecht, Obtaining well calibrated probabilities using
Bayesian binning (2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trainers.scoring.direction.cases import Directions
from trainers.scoring.direction.grid import CELLS, Grid, cells_of
from trainers.scoring.interval import Estimate, scaled_width

BINS = 10


def calibration_error(directions: Directions) -> Estimate:
    """Return the mean over the samples of |mean probability less share of rises| of their bin.

    Chance alone makes it positive, by about 0.13 at 100 samples and 0.04 at 1,000. The interval
    does not correct for that: to first order the sign of each bin's error is taken as known.
    """
    grid, newest = directions.grid, directions.newest
    bins = bins_of(grid)
    errors = np.bincount(bins, grid.error, BINS)
    signs = np.sign(errors)[bins[cells_of(newest.probability)]]
    n, overlap = directions.cases.n, directions.cases.overlap
    off = signs * (newest.up - newest.probability)
    return Estimate(float(np.abs(errors).sum()) / n, scaled_width(off, n, overlap))


def bins_of(grid: Grid) -> NDArray[np.int64]:
    """Return the bin of each cell of the grid, ``(CELLS,)``, from 0."""
    below = np.cumsum(grid.up + grid.down)
    edges = np.searchsorted(below, below[-1] * np.arange(1, BINS) // BINS, side="right")
    return np.searchsorted(edges, np.arange(CELLS), side="right")
