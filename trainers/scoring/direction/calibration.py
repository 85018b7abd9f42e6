"""Calibration error: how far probabilities are from the frequencies observed. Pure.

Bins hold equal counts, since most forecasts lie near one half; equal probabilities share a bin.
Source: M. Naeini, G. Cooper and M. Hauskrecht, Obtaining well calibrated probabilities using
Bayesian binning (2015).
"""

from __future__ import annotations

import numpy as np

from trainers.scoring.interval import Estimate, half_width
from trainers.scoring.scored import Samples

BINS = 10


def calibration_error(samples: Samples) -> Estimate:
    """Return the mean over the samples of |mean probability less share of rises| of their bin.

    Chance alone makes it positive, by about 0.13 at 100 samples and 0.04 at 1,000. The interval
    does not correct for that: to first order the sign of each bin's error is taken as known.
    """
    error = samples.up - samples.probability
    ordered = np.sort(samples.probability)
    edges = ordered[len(ordered) * np.arange(1, BINS) // BINS]
    bins = np.searchsorted(edges, samples.probability, side="right")
    signs = np.sign(np.bincount(bins, error, BINS))
    off = signs[bins] * error
    return Estimate(float(off.mean()), half_width(off))
