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
from trainers.scoring.tally import Tally, tally_of


class Settled(NamedTuple):
    """The bars of one learner whose labels are known by now, ``(k,)``.

    Attributes:
        scored: the forecasts and the moves.
        paper: the account.
        counted: the number of them, the newest, from the first forecast on.
        waiting: the forecasts at later bars, the newest last.
    """

    scored: Scored
    paper: Paper
    counted: int
    waiting: Scored

    @property
    def judged(self) -> Scored:
        """The bars that evidence of forecasters needs."""
        return self.scored.then(self.waiting)


class Track:
    """The scores of one learner.

    Args:
        nothing: the learner's forecasts of no bar.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        horizon: after how many bars a label is known.

    Attributes:
        recent: the forecasts of the newest bars, an hour at least if there was one.
        waiting: the account over the bars that wait for their labels.
        waiting_counted: the number of these from the first forecast on.
    """

    def __init__(self, nothing: Scored, fee_bps: float, horizon: int = 1) -> None:
        self._fee_bps, self._horizon = fee_bps, horizon
        self.recent = nothing
        self._settled = Tally.none(horizon - 1)  # all bars but those that wait
        self._settled_paper = self.waiting = paper_of(nothing, fee_bps)

    def take(self, new: Scored, recent: Moves) -> Settled:
        """Take more bars.

        Args:
            new: the learner's forecasts of these bars, of which the first ones waited and the
                last ones wait.
            recent: the moves after the newest bars.
        """
        stop = max(0, len(new) - self._horizon)
        settled, waiting = new.before(stop), new.since(stop)
        paper = paper_of(settled, self._fee_bps, self._settled_paper.after)
        self.waiting = paper_of(waiting, self._fee_bps, paper.after)
        counted = self._settled.account.n
        self._settled = self._settled.plus(settled, paper)
        counted = self._settled.account.n - counted
        joined = self._settled_paper.then(paper)
        self._settled_paper = joined.since(len(joined.net_bps) + len(waiting) - len(recent.bar))
        self.recent = _joined(self.recent, new, recent)
        return Settled(settled, paper, counted, waiting)

    @property
    def tally(self) -> Tally:
        """The sums over all bars; the newest ones wait for their labels."""
        return self._settled.plus(self._waiting, self.waiting)

    @property
    def _waiting(self) -> Scored:
        return self.recent.since(len(self.recent) - len(self.waiting.net_bps))

    @property
    def waiting_counted(self) -> int:
        n = len(self.waiting.net_bps)
        return n if self._settled.begun else n - self._waiting.first

    @property
    def paper(self) -> Paper:
        """The account over the recent bars."""
        return self._settled_paper.then(self.waiting)

    def window(self, seconds: int | None) -> tuple[Scored, Paper]:
        """Return forecasts and account of the last ``seconds``, at most ``LONGEST``."""
        start = start_of(self.recent.moves.bar, seconds)
        return self.recent.since(start), self.paper.since(start)

    def tally_over(self, seconds: int | None) -> Tally:
        """Return the sums over the last ``seconds``, as ``window``."""
        return tally_of(*self.window(seconds), self._horizon - 1)

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
                tally = self.tally_over(seconds)
            found |= named(prefix, scores_of(tally, break_evens[prefix]))
        return found


def _joined(before: Scored, new: Scored, recent: Moves) -> Scored:
    """Return the newest forecasts, given those before, of which the last ones waited."""
    kept = len(before) - int(before.moves.open.sum())
    columns = (
        np.concatenate([old[:kept], late])[-len(recent.bar) :]
        for old, late in (
            (before.probability, new.probability),
            (before.signal, new.signal),
            (before.status, new.status),
        )
    )
    return Scored(recent, *columns)
