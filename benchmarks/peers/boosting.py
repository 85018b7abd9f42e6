"""LightGBM's forecasts, test-then-train: grown anew each cycle on what is known then."""

import lightgbm
import numpy as np

FEWEST = 40  # rows that moved, below which it is not asked


def boosted(x, moved, *, first, start, step, history=None):
    """Return its probabilities of a rise after each bar, ``(T,)``; NaN where it gives none.

    Args:
        x: ``(T, F)`` inputs, known when their bar closes.
        moved: ``(T,)`` the move after each bar, known when the next closes; 0 for the newest.
        first: the first bar to learn from.
        start: the bar of its first forecast.
        step: bars between two times that it is grown.
        history: how many bars it learns from, the newest; None: all.
    """
    said = np.full(len(x), np.nan)
    for begin in range(start, len(x), step):
        known = np.arange(max(first, begin - history) if history else first, begin - 1)
        known = known[moved[known] != 0]
        if len(known) < FEWEST:
            continue
        model = lightgbm.LGBMClassifier(
            n_estimators=60, num_leaves=7, learning_rate=0.05, min_child_samples=20,
            subsample=0.8, subsample_freq=1, reg_lambda=5, n_jobs=1, verbose=-1,
        )  # fmt: skip
        model.fit(x[known], moved[known] > 0)
        asked = x[begin : begin + step]
        said[begin : begin + step] = np.asarray(model.predict_proba(asked))[:, 1]
    return said
