"""The scores of one learner as bars come: the newest hour bar by bar, and the sums of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from trainers.scoring.interval import Estimate
from trainers.scoring.metrics import LONGEST, WINDOWS, named, scores_of, start_of
from trainers.scoring.moves import Moves
from trainers.scoring.profit.paper import Paper, paper_of
from trainers.scoring.scored import Scored
from trainers.scoring.tally import NOTHING, Tally, tally_of


class Settled(NamedTuple):
    """The bars of one learner of which the next came by now, ``(k,)``.

    Attributes:
        scored: the forecasts and the moves.
        paper: the account.
        counted: the number of them, the newest, from the first forecast on.
    """

    scored: Scored
    paper: Paper
    counted: int


class Track:
    """The scores of one learner.

    Args:
        nothing: the learner's forecasts of no bar.
        fee_bps: cost of one change of position besides half the spread, bp of its value.

    Attributes:
        recent: the forecasts of the newest bars, an hour at least if there was one.
    """

    def __init__(self, nothing: Scored, fee_bps: float) -> None:
        self._fee_bps = fee_bps
        self.recent = nothing
        # All bars but the one that waits, and that one's account.
        self._settled: Tally = NOTHING
        self._settled_paper = self._waiting_paper = paper_of(nothing, fee_bps)

    def take(self, new: Scored, recent: Moves) -> Settled:
        """Take more bars.

        Args:
            new: the learner's forecasts of these bars, of which the first waited and the last
                waits.
            recent: the moves after the newest bars.
        """
        last = len(new) - 1
        settled, waiting = new.before(last), new.since(last)
        paper = paper_of(settled, self._fee_bps, self._settled_paper.after)
        self._waiting_paper = paper_of(waiting, self._fee_bps, paper.after)
        counted = self._settled.account.n
        self._settled = self._settled.plus(settled, paper)
        counted = self._settled.account.n - counted
        joined = self._settled_paper.then(paper)
        self._settled_paper = joined.since(len(joined.net_bps) + 1 - len(recent.bar))
        self.recent = _joined(self.recent, new, recent)
        return Settled(settled, paper, counted)

    @property
    def tally(self) -> Tally:
        """The sums over all bars; the newest waits for the next."""
        return self._settled.plus(self.recent.since(-1), self._waiting_paper)

    @property
    def paper(self) -> Paper:
        """The account over the recent bars."""
        return self._settled_paper.then(self._waiting_paper)

    def window(self, seconds: int | None) -> tuple[Scored, Paper]:
        """Return forecasts and account of the last ``seconds``, at most ``LONGEST``."""
        start = start_of(self.recent.moves.bar, seconds)
        return self.recent.since(start), self.paper.since(start)

    def scores(
        self, break_evens: Mapping[str, Estimate | None], windows: Iterable[str]
    ) -> dict[str, float]:
        """Return all scores over some windows by full name.

        Args:
            break_evens: the accuracy from which trading pays, by the prefix of the window.
            windows: the prefixes of the windows.
        """
        found: dict[str, float] = {}
        for prefix in windows:
            seconds = WINDOWS[prefix]
            if seconds is None:
                tally = self.tally.newest(self.window(LONGEST)[0])
            else:
                tally = tally_of(*self.window(seconds))
            found |= named(prefix, scores_of(tally, break_evens[prefix]))
        return found


def _joined(before: Scored, new: Scored, recent: Moves) -> Scored:
    """Return the newest forecasts, given those before, of which the last one waited."""
    columns = (
        np.concatenate([old[:-1], late])[-len(recent.bar) :]
        for old, late in (
            (before.probability, new.probability),
            (before.signal, new.signal),
            (before.status, new.status),
        )
    )
    return Scored(recent, *columns)
