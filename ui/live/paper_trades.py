"""The paper trades of one learner, bar by bar, for the chart.

The account is that of ``trainers.scoring.profit.paper``. Each update continues from the last one,
so that it costs the same at the end of a day as at its beginning.
"""

from __future__ import annotations

import numpy as np

from datamodules.transitions import Action
from streaming.ticks import NS_PER_S, Side
from trainers.scoring.ledger import Forecasts, Outcomes
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import scored_of


class PaperTrades:
    """Keeps one learner's account.

    Args:
        learner: index into the ledger's names.
    """

    def __init__(self, learner: int) -> None:
        self.learner = learner
        self._long = False  # the position before the oldest bar that is not settled

    def update(self, outcomes: Outcomes, forecasts: Forecasts) -> list[tuple[int, Side]]:
        """Return the trades of bars in order, as pairs of unix second and side.

        This settles all bars but the last. The next call must begin with that one, since a gap
        after it may have closed the position.

        Args:
            outcomes: ``(T,)`` of dtype ``OUTCOME``, from the last bar of the previous call on.
            forecasts: ``(N,)`` of dtype ``FORECAST``, of those bars.
        """
        if not len(outcomes):
            return []
        moves = moves_of(_after_a_start(outcomes))
        scored = scored_of(moves, forecasts, self.learner)
        scored.signal[0] = Action.BUY if self._long else Action.SELL  # leads to the position
        paper = paper_of(scored, 0.0)
        sold = np.bincount(paper.closed, minlength=len(scored))
        bought = paper.changes - sold
        if len(outcomes) > 1:
            self._long = bool(paper.position[-2]) and not moves.broken[-2]
        trades = [
            (int(moves.bar[i]) // NS_PER_S, side)
            for side, counts in ((Side.BOUGHT, bought), (Side.SOLD, sold))
            for i in np.flatnonzero(counts)
            if i > 0
        ]
        return sorted(trades, key=lambda trade: trade[0])


def _after_a_start(outcomes: Outcomes) -> Outcomes:
    """Put a bar before the first one; its own gap does not matter, as a gap closes a position."""
    rows = np.concatenate([outcomes[:1], outcomes])
    rows["bar"][0] -= NS_PER_S
    return rows
