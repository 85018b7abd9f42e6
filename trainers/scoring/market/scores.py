"""The scores of all learners of a market as bars come, each cycle at the same cost. Pure.

    rows of the ledger -> MarketScores -> settled bars -> margins, evidence
                                       -> scores

Only the newest hour is kept bar by bar; all before it is in sums. No bit of a score depends on how
many rows are handed in at a time, so that a trainer that was started again, and hands in the whole
ledger, goes on to the bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from datamodules.target import NEXT_BAR, Target
from trainers.scoring.batches import Batches
from trainers.scoring.interval import Estimate
from trainers.scoring.ledger import FORECAST, OUTCOME, Forecasts, Outcomes, rows_between
from trainers.scoring.market.track import Settled, Track
from trainers.scoring.metrics import LONGEST, WINDOWS, start_of
from trainers.scoring.moves import TYPICAL_BARS, moves_of
from trainers.scoring.profit.scores import break_even, costs_of
from trainers.scoring.scored import scored_of


class MarketScores:
    """The scores of a market's learners.

    Args:
        names: the learners' names; a forecast's ``learner`` is an index into them.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        target: what is forecast.

    Attributes:
        moves: the moves after the newest bars, an hour at least if there was one.
        tracks: the learners' scores by name.
    """

    def __init__(self, names: Sequence[str], fee_bps: float, target: Target = NEXT_BAR) -> None:
        self._fee_bps, self._target = fee_bps, target
        self._waiting = np.zeros(0, OUTCOME), np.zeros(0, FORECAST)
        self._costs = Batches.none(2, target.overlap)
        self.moves = moves_of(self._waiting[0], target)
        nothing = scored_of(self.moves, self._waiting[1], 0)
        self.tracks = {name: Track(nothing, fee_bps, target.horizon) for name in names}

    def take(self, outcomes: Outcomes, forecasts: Forecasts) -> dict[str, Settled]:
        """Take the rows of further bars; return, by learner, the bars that are settled now.

        Args:
            outcomes: ``(T,)`` of dtype ``OUTCOME``, later than those before.
            forecasts: ``(N,)`` of dtype ``FORECAST``, of the same bars.
        """
        outcomes = np.concatenate([self._waiting[0], outcomes])
        forecasts = np.concatenate([self._waiting[1], forecasts])
        if len(outcomes) == 0:
            return {}
        waiting = outcomes[-self._target.horizon :].copy()
        first, newest = int(waiting["bar"][0]), int(waiting["bar"][-1])
        self._waiting = waiting, rows_between(forecasts, first - 1, newest).copy()
        moves = moves_of(outcomes, self._target, self.moves)
        recent = self.moves.before(len(self.moves.bar) - int(self.moves.open.sum())).then(moves)
        kept = TYPICAL_BARS + self._target.horizon
        start = min(start_of(recent.bar, LONGEST), max(0, len(recent.bar) - kept))
        self.moves = recent.since(start)
        self._costs = self._costs.plus(*costs_of(moves, self._fee_bps))
        return {
            name: track.take(scored_of(moves, forecasts, i), self.moves)
            for i, (name, track) in enumerate(self.tracks.items())
        }

    def break_evens(self) -> dict[str, Estimate | None]:
        """Return the accuracy from which trading pays, by the prefix of the window."""
        found: dict[str, Estimate | None] = {}
        for prefix, seconds in WINDOWS.items():
            costs = self._costs
            if seconds is not None:
                window = self.moves.since(start_of(self.moves.bar, seconds))
                costs = Batches.of(*costs_of(window, self._fee_bps), overlap=self._target.overlap)
            found[prefix] = break_even(costs)
        return found
