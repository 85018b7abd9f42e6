"""Every score of a learner, by its name in MLflow. Pure.

    live/accuracy      since the session began    live/accuracy_ci      half-width of its 95 %
    live/10m/accuracy  the last ten minutes       live/10m/accuracy_ci  interval, if one is known
    live/1h/accuracy   the last hour              live/1h/accuracy_ci

Windows are in market time and end at the newest bar. A score without a single case is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from streaming.ticks import NS_PER_S
from trainers.scoring.direction.auc import auc
from trainers.scoring.direction.calibration import calibration_error
from trainers.scoring.direction.scores import accuracy, brier, kappa, log_loss, mcc
from trainers.scoring.interval import Estimate
from trainers.scoring.profit.scores import account, trades
from trainers.scoring.tally import Tally

# Prefix and length, s; None is the whole session.
WINDOWS: dict[str, int | None] = {"live/": None, "live/10m/": 600, "live/1h/": 3600}
LONGEST = 3600  # s, of the windows that have a length

DIRECTION = {
    "accuracy": accuracy,
    "log_loss": log_loss,
    "brier": brier,
    "mcc": mcc,
    "auc": auc,
    "kappa": kappa,
    "calibration_error": calibration_error,
}

Scores = Mapping[str, Estimate | None]


def start_of(bar: NDArray[np.int64], seconds: int | None) -> int:
    """Return the index of the first bar in the last ``seconds`` of market time; None is all."""
    if seconds is None or len(bar) == 0:
        return 0
    return int(np.searchsorted(bar, bar[-1] - seconds * NS_PER_S))


def scores_of(tally: Tally, break_even: Estimate | None) -> dict[str, Estimate | None]:
    """Return the scores of one window; a score that its bars do not allow is None.

    Args:
        tally: the learner's sums over the window.
        break_even: the accuracy from which trading pays in the window.
    """
    found: dict[str, Estimate | None] = {**_counts(tally)}
    if tally.bars:
        found["missed_rate"] = Estimate(tally.missed / tally.bars)
    found["break_even"] = break_even
    if tally.flat.n:
        found["flat_rate"] = tally.flat.mean_of()
    if tally.scored:
        found |= {name: score(tally.directions) for name, score in DIRECTION.items()}
    if tally.held:
        found |= account(tally.account, tally.fall, tally.held)
    if tally.profits.n:
        found |= trades(tally.profits, tally.wins)
    return found


def named(prefix: str, scores: Scores) -> dict[str, float]:
    """Return the scores that are known, and their half-widths, by full name."""
    found = {}
    for name, score in scores.items():
        if score is not None:
            found[f"{prefix}{name}"] = score.value
            if score.half_width is not None:
                found[f"{prefix}{name}_ci"] = score.half_width
    return found


def _counts(tally: Tally) -> dict[str, Estimate]:
    counts = {
        "scored": tally.scored,
        "flat": tally.flat.total(),
        "broken": tally.broken,
        "missed": tally.missed,
        "silent": tally.silent,
        "failed": tally.failed,
        "trades": tally.profits.n,
    }
    return {name: Estimate(float(count)) for name, count in counts.items()}
