"""The paper trades of one learner, followed bar by bar: what the chart marks.

The account is ``trainers.scoring.profit.paper``'s; it goes on from where it was, so that a look
costs the same at the end of a day as at its beginning.
"""

from __future__ import annotations

import numpy as np

from datamodules.transitions import Action
from streaming.ticks import NS_PER_S
from trainers.scoring.ledger import Forecasts, Outcomes
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import scored_of

BOUGHT, SOLD = 1, -1


class PaperTrades:
    """Follows one learner's account.

    Args:
        learner: index into the ledger's names.
    """

    def __init__(self, learner: int) -> None:
        self.learner = learner
        self._held = False  # before the oldest bar that is not settled

    def follow(self, outcomes: Outcomes, forecasts: Forecasts) -> list[tuple[int, int]]:
        """Return the trades of bars as pairs: unix second, bought or sold; in order.

        All bars but the last are settled by this: the next call must begin with that one, since
        a gap after it may have sold.

        Args:
            outcomes: ``(T,)`` of dtype ``OUTCOME``, from the last bar of the call before on.
            forecasts: ``(N,)`` of dtype ``FORECAST``, of those bars.
        """
        if not len(outcomes):
            return []
        moves = moves_of(_after_a_start(outcomes))
        scored = scored_of(moves, forecasts, self.learner)
        scored.signal[0] = (
            Action.BUY if self._held else Action.SELL
        )  # the start leads to what was held
        paper = paper_of(scored, 0.0)
        sold = np.bincount(paper.closed, minlength=len(scored))
        bought = paper.changes - sold
        if len(outcomes) > 1:
            self._held = bool(paper.position[-2]) and not moves.broken[-2]
        found = [
            (int(moves.bar[i]) // NS_PER_S, side)
            for side, counts in ((BOUGHT, bought), (SOLD, sold))
            for i in np.flatnonzero(counts)
            if i > 0
        ]
        return sorted(found, key=lambda trade: trade[0])


def _after_a_start(outcomes: Outcomes) -> Outcomes:
    """Put a bar before the first one. After a gap nothing is held, so it needs no care here."""
    rows = np.concatenate([outcomes[:1], outcomes])
    rows["bar"][0] -= NS_PER_S
    return rows
