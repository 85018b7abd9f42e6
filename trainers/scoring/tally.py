"""What all scores of a learner follow from, over any number of bars, at the same cost. Pure.

    scored bars, paper account -> Tally (plus the next bars, and so on) -> scores

A tally is never changed; adding bars makes another one. No bit of it depends on how bars are
grouped.
"""

from __future__ import annotations

from typing import NamedTuple

from trainers.scoring.batches import Batches
from trainers.scoring.direction.cases import Directions
from trainers.scoring.ledger import FAILED, MADE, MISSED, SILENT
from trainers.scoring.profit.fall import Fall
from trainers.scoring.profit.paper import Paper
from trainers.scoring.scored import Scored

NO_CASE = Batches.none()


class Tally(NamedTuple):
    """The sums over bars of one learner.

    Attributes:
        bars: the number of bars.
        missed, silent, failed: the number of bars with that status.
        broken: the number of forecasts whose label a gap took away.
        tested: the number of forecasts, of a probability or an action, whose move is known.
        directions: the forecasts of bars whose close moved.
        flat: the forecast bars whose move is known: 1 if the close did not move, else 0.
        account: the bars since the first forecast: profit after costs and before, and changes.
        fall: the deepest fall of that profit.
        held: the number of these bars whose return is known.
        profits: the closed trades' profits, bp.
        wins: the number of those that earned more than their costs.
    """

    bars: int = 0
    missed: int = 0
    silent: int = 0
    failed: int = 0
    broken: int = 0
    tested: int = 0
    directions: Directions = Directions.none()
    flat: Batches = NO_CASE
    account: Batches = Batches.none(3)
    fall: Fall = Fall()
    held: int = 0
    profits: Batches = NO_CASE
    wins: int = 0

    @classmethod
    def none(cls, overlap: int = 0) -> Tally:
        """Return the sums over no bar, of labels that overlap with so many later ones."""
        return cls(directions=Directions.none(overlap), flat=Batches.none(1, overlap))

    @property
    def scored(self) -> int:
        """The number of scored forecasts."""
        return self.directions.cases.n

    @property
    def begun(self) -> bool:
        """Whether a forecast was made."""
        return self.account.n > 0

    def plus(self, scored: Scored, paper: Paper) -> Tally:
        """Return these and the next bars.

        Args:
            scored: the learner's forecasts and the moves.
            paper: the learner's paper account over the same bars.
        """
        first = 0 if self.begun else scored.first
        known = ~(scored.moves.broken | scored.moves.waiting)
        net = paper.net_bps[first:]
        return Tally(
            self.bars + len(scored),
            self.missed + scored.count(MISSED),
            self.silent + scored.count(SILENT),
            self.failed + scored.count(FAILED),
            self.broken + int(scored.broken.sum()),
            self.tested + int(((scored.status == MADE) & scored.known).sum()),
            self.directions.plus(scored.samples()),
            self.flat.plus(scored.flat[scored.matured]),
            self.account.plus(net, paper.gross_bps[first:], paper.changes[first:]),
            self.fall.plus(net),
            self.held + int(known[first:].sum()),
            self.profits.plus(paper.profit_bps),
            self.wins + int((paper.profit_bps > 0).sum()),
        )

    def newest(self, recent: Scored) -> Tally:
        """Return this tally with the newest forecasts, which some intervals are made of."""
        directions = self.directions._replace(newest=recent.samples())
        return self._replace(directions=directions)


def tally_of(scored: Scored, paper: Paper, overlap: int = 0) -> Tally:
    """Return the sums over the bars of one window."""
    return Tally.none(overlap).plus(scored, paper).newest(scored)
