"""Every score of a learner, by its name in MLflow. Pure.

    live/accuracy      since the session began    live/accuracy_ci      half-width of its 95 %
    live/10m/accuracy  the last ten minutes       live/10m/accuracy_ci  interval, if one is known
    live/1h/accuracy   the last hour              live/1h/accuracy_ci

Windows are in market time and end at the newest bar. A score without a single case is left out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streaming.ticks import NS_PER_S
from trainers.scoring.direction.auc import auc
from trainers.scoring.direction.calibration import calibration_error
from trainers.scoring.direction.scores import accuracy, brier, kappa, log_loss, mcc
from trainers.scoring.interval import Estimate, mean_of
from trainers.scoring.ledger import FAILED, MISSED, SILENT
from trainers.scoring.profit.paper import Paper, paper_of
from trainers.scoring.profit.scores import account, break_even, trades
from trainers.scoring.scored import Scored

# Prefix and length, s; None is the whole session.
WINDOWS: dict[str, int | None] = {"live/": None, "live/10m/": 600, "live/1h/": 3600}

DIRECTION = {
    "accuracy": accuracy,
    "log_loss": log_loss,
    "brier": brier,
    "mcc": mcc,
    "auc": auc,
    "kappa": kappa,
    "calibration_error": calibration_error,
}


def scores_of(scored: Scored, fee_bps: float) -> dict[str, float]:
    """Return all scores of a learner over all windows.

    Args:
        scored: the learner's forecasts and the moves, ``(T,)`` bars.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
    """
    paper = paper_of(scored, fee_bps)
    found: dict[str, float] = {}
    for prefix, seconds in WINDOWS.items():
        start = start_of(scored.moves.bar, seconds)
        window = window_scores(scored.since(start), paper.since(start), fee_bps)
        found |= named(prefix, window)
    return found


def start_of(bar: NDArray[np.int64], seconds: int | None) -> int:
    """Return the index of the first bar in the last ``seconds`` of market time; None is all."""
    if seconds is None or len(bar) == 0:
        return 0
    return int(np.searchsorted(bar, bar[-1] - seconds * NS_PER_S))


def window_scores(scored: Scored, paper: Paper, fee_bps: float) -> dict[str, Estimate | None]:
    """Return the scores of one window; a score that its samples do not allow is None.

    Args:
        scored: the learner's forecasts and the moves in the window.
        paper: the learner's paper account in the window.
        fee_bps: as in ``scores_of``.
    """
    found: dict[str, Estimate | None] = {**_counts(scored, paper)}
    if len(scored):
        found["missed_rate"] = Estimate(scored.count(MISSED) / len(scored))
    found["break_even"] = break_even(scored.moves, fee_bps)
    if scored.matured.any():
        found["flat_rate"] = mean_of(scored.flat[scored.matured].astype(np.float64))
    if scored.scored.any():
        samples = scored.samples()
        found |= {name: score(samples) for name, score in DIRECTION.items()}
    moves, first = scored.moves, scored.first
    if held := int((~(moves.broken | moves.waiting)[first:]).sum()):
        found |= account(paper.since(first), held)
    if len(paper.closed):
        found |= trades(paper)
    return found


def named(prefix: str, scores: dict[str, Estimate | None]) -> dict[str, float]:
    """Return the scores that are known, and their half-widths, by full name."""
    found = {}
    for name, score in scores.items():
        if score is not None:
            found[f"{prefix}{name}"] = score.value
            if score.half_width is not None:
                found[f"{prefix}{name}_ci"] = score.half_width
    return found


def _counts(scored: Scored, paper: Paper) -> dict[str, Estimate]:
    counts = {
        "scored": scored.scored.sum(),
        "flat": scored.flat.sum(),
        "broken": scored.broken.sum(),
        "missed": scored.count(MISSED),
        "silent": scored.count(SILENT),
        "failed": scored.count(FAILED),
        "trades": len(paper.closed),
    }
    return {name: Estimate(float(count)) for name, count in counts.items()}
