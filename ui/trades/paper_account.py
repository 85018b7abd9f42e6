"""One learner's paper account, bar by bar: its trades and its equity.

The account is that of ``trainers.scoring.profit.paper``. Each update continues from the last one,
so that it costs the same at the end of a day as at its beginning.
"""

from __future__ import annotations

import array
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.target import NEXT_BAR
from datamodules.transitions import Action
from streaming.ticks import NS_PER_S
from trainers.scoring.ledger import Forecasts, Outcomes
from trainers.scoring.moves import Moves, moves_of
from trainers.scoring.profit.paper import Paper, paper_of
from trainers.scoring.scored import Scored, scored_of

SIGNAL, GAP = "signal", "gap"


class Trade(NamedTuple):
    """One unit bought, and sold again.

    Attributes:
        opened: open time of the bar at whose close it was bought, unix seconds.
        entry_price: the mid then, quote currency.
        entry_up: the forecast behind it, probability of a rise; None of an agent.
        closed: as ``opened``, of the sale; None while it is held.
        exit_price: the mid then.
        exit_up: the forecast behind the sale.
        pnl_bps: the profit after both costs, bp; while it is held, so far.
        reason: why it was sold: ``SIGNAL``, or ``GAP`` (trades are missing after that bar).
    """

    opened: int
    entry_price: float
    entry_up: float | None
    closed: int | None = None
    exit_price: float | None = None
    exit_up: float | None = None
    pnl_bps: float = 0.0
    reason: str = ""


class Equity(NamedTuple):
    """An account's profit over time, ``(T,)`` each.

    Attributes:
        time: int64, open times of the bars, unix seconds.
        bps: float64, profit after costs since the beginning, bp.
    """

    time: NDArray[np.int64]
    bps: NDArray[np.float64]


class PaperAccount:
    """Keeps one learner's account.

    Args:
        learner: index into the ledger's names.
        fee_bps: cost of a change of position besides half the spread.
        bar_seconds: the length of a bar, s.
    """

    def __init__(self, learner: int, fee_bps: float, bar_seconds: int = 1) -> None:
        self._target = NEXT_BAR._replace(bar_seconds=bar_seconds)
        self.learner, self._fee_bps = learner, fee_bps
        self._times, self._levels = array.array("q"), array.array("d")  # of the settled bars
        self._closed: list[Trade] = []
        self._open: tuple[Trade, float] | None = None  # with the equity before it
        self._newest = Equity(np.zeros(0, np.int64), np.zeros(0))  # of the bar that is not settled
        self._newest_trades: list[Trade] = []

    @property
    def trades(self) -> list[Trade]:
        """All trades, oldest first; the last one may be held."""
        return self._closed + self._newest_trades

    def newest(self, since: int) -> list[Trade]:
        """Return the trades that were opened or closed at ``since``, unix seconds, or later."""
        kept: list[Trade] = []
        for trade in reversed(self.trades):
            if (trade.closed or math.inf) < since:
                break
            kept.append(trade)
        return kept[::-1]

    @property
    def equity(self) -> Equity:
        """The account's profit so far."""
        return Equity(
            np.concatenate([np.array(self._times, np.int64), self._newest.time]),
            np.concatenate([np.array(self._levels), self._newest.bps]),
        )

    def update(self, outcomes: Outcomes, forecasts: Forecasts) -> None:
        """Follow the account over new bars.

        This settles all bars but the last. The next call must begin with that one, since a gap
        after it may close the position.

        Args:
            outcomes: ``(T,)`` of dtype ``OUTCOME``, from the last bar of the previous call on.
            forecasts: ``(N,)`` of dtype ``FORECAST``, of those bars.
        """
        if not len(outcomes):
            return
        moves = moves_of(_after_a_start(outcomes, self._target.bar_seconds), self._target)
        scored = scored_of(moves, forecasts, self.learner)
        scored.signal[0] = Action.BUY if self._open else Action.SELL  # leads to the position
        paper = paper_of(scored, self._fee_bps)
        paper.net_bps[0] = 0.0  # this entry was paid for already
        base = self._levels[-1] if self._levels else 0.0
        level = base + np.cumsum(paper.net_bps)
        time, last = moves.bar // NS_PER_S, len(moves.bar) - 1
        steps = _Steps(time, outcomes["mid"], level, scored, paper, moves)
        closed, self._open = steps.follow(range(1, last), self._open)
        self._closed += closed
        self._times.extend(time[1:last].tolist())
        self._levels.extend(level[1:last].tolist())
        self._newest = Equity(time[last:], level[last:])
        closed, held = steps.follow(range(last, last + 1), self._open)
        self._newest_trades = closed
        if held:
            trade, before = held
            self._newest_trades = [*closed, trade._replace(pnl_bps=float(level[last]) - before)]


class _Steps(NamedTuple):
    """The bars of an update, behind a first one that stands for all before."""

    time: NDArray[np.int64]
    mid: NDArray[np.float64]
    level: NDArray[np.float64]
    scored: Scored
    paper: Paper
    moves: Moves

    def follow(
        self, bars: range, held: tuple[Trade, float] | None
    ) -> tuple[list[Trade], tuple[Trade, float] | None]:
        """Return the trades closed at ``bars``, and the one held after them."""
        sold = np.bincount(self.paper.closed, minlength=len(self.time))
        closed: list[Trade] = []
        for i in (np.flatnonzero(self.paper.changes[bars.start : bars.stop]) + bars.start).tolist():
            time, mid = int(self.time[i]), float(self.mid[i - 1])
            up = float(self.scored.probability[i])
            known = None if math.isnan(up) else up
            if self.paper.changes[i] > sold[i]:
                held = Trade(time, mid, known), float(self.level[i - 1])
            if sold[i] and held:
                trade, before = held
                by_gap = self.moves.broken[i] and self.scored.signal[i] != Action.SELL
                profit = float(self.level[i]) - before
                reason = GAP if by_gap else SIGNAL
                closed.append(
                    trade._replace(
                        closed=time, exit_price=mid, exit_up=known, pnl_bps=profit, reason=reason
                    )
                )
                held = None
        return closed, held


def _after_a_start(outcomes: Outcomes, bar_seconds: int) -> Outcomes:
    """Put a bar before the first one; its own gap does not matter, as a gap closes a position."""
    rows = np.concatenate([outcomes[:1], outcomes])
    rows["bar"][0] -= bar_seconds * NS_PER_S
    return rows
