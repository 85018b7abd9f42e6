"""The leaderboard of a market: who is ahead of whom, as bars come. Pure.

    settled bars -> Board -> standings

Forecasters are compared in pairs, by Brier score, at the bars at which both were scored. What is
said of all pairs at all times together is wrong with a chance of ``alpha`` at most: each direction
of each pair has its share. "A is ahead of B" means that, over those bars, A's expected score was
better on average, given what was known before each; it may be withdrawn when the market changes.
A cycle costs the same after a day as after an hour, and kept are four numbers a pair.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from datamodules.target import NEXT_BAR, Target
from streaming.ticks import NS_PER_S
from trainers.names import champion_name
from trainers.scoring.arena.boundary import reach
from trainers.scoring.direction.cases import brier_scores
from trainers.scoring.ledger import NO_ACTION, Forecasts, Outcomes
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import Scored, scored_of

Floats = NDArray[np.float64]

ALPHA = 0.05
MOST_BARS = 512  # taken at a time, so that all pairs' differences need no room


class Standing(NamedTuple):
    """Where one entrant stands.

    Attributes:
        name: the entrant.
        place: its place by mean score, from 1.
        best: its best possible rank: 1 and those that are proven ahead of it.
        worst: its worst possible rank: all but those that it is proven ahead of.
        bars: the number of bars at which it was scored.
        brier: its mean Brier score over them; None without a bar.
        behind: how much worse than the first its mean score is, over the bars of both.
        half_width: half the width of the simultaneous interval around ``behind``; None for the
            first, and without a common bar.
        ahead_of: those that it is proven ahead of.
    """

    name: str
    place: int
    best: int
    worst: int
    bars: int
    brier: float | None
    behind: float
    half_width: float | None
    ahead_of: tuple[str, ...]


class Pairs(NamedTuple):
    """What is known of all pairs of entrants, ``(..., P)`` each, in the order of ``pairs_of``.

    Attributes:
        bars: the number of bars at which both were scored.
        better: the sum of how much better the one did than the other, Brier.
        spread: the sum of the squares of these differences less the mean before each.
        bound: the largest possible size of such a square's root, known before its label.
    """

    bars: Floats
    better: Floats
    spread: Floats
    bound: Floats


def pairs_of(k: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the one and the other of all pairs of ``k`` entrants, ``(P,)`` each."""
    one, other = np.triu_indices(k, 1)
    return one, other


def running(before: Pairs, p: Floats, scored: NDArray[np.bool], up: Floats) -> Pairs:
    """Return the pairs after each of further bars, ``(n + 1, P)``, those before them first.

    Args:
        before: the pairs before the bars, ``(P,)``.
        p: ``(n, K)`` the probabilities of a rise.
        scored: ``(n, K)`` whether they are scored.
        up: ``(n,)`` 1 where the price rose.
    """
    one, other = pairs_of(p.shape[1])
    both = scored[:, one] & scored[:, other]
    p = np.where(scored, p, 0.5)
    loss = brier_scores(p, up[:, None])
    better = np.where(both, loss[:, other] - loss[:, one], 0.0)
    total = p[:, other] + p[:, one]
    most = np.abs(p[:, other] - p[:, one]) * np.maximum(total, 2 - total)
    bars, sums = _sums(before.bars, both.astype(np.float64)), _sums(before.better, better)
    expected = np.clip(sums[:-1] / np.maximum(bars[:-1], 1), -most, most)
    squares = np.where(both, np.square(better - expected), 0.0)
    bounds = np.where(both, most + np.abs(expected), 0.0)
    bound = np.maximum.accumulate(np.concatenate([before.bound[None], bounds]))
    return Pairs(bars, sums, _sums(before.spread, squares), bound)


class Board:
    """Compares forecasters in pairs, part by part of the bars; no bit depends on the parts.

    Labels overlap at a longer horizon, so the first bar of every horizon is compared: what
    is known before each of these is known before its label begins.

    Args:
        names: all that may be ranked.
        target: what they forecast.
    """

    def __init__(self, names: Sequence[str], target: Target = NEXT_BAR) -> None:
        self.names = list(names)
        self._horizon, self._bar_ns = target.horizon, target.bar_seconds * NS_PER_S
        self._bars, self._loss = np.zeros((2, len(self.names)))
        self._pairs = Pairs(*np.zeros((4, len(pairs_of(len(self.names))[0]))))

    def take(self, settled: Mapping[str, Scored]) -> None:
        """Take the forecasts of all entrants at further bars, whose labels are known."""
        if not self.names:
            return
        parts = [settled[name] for name in self.names]
        apart = parts[0].moves.bar // self._bar_ns % self._horizon == 0
        p = np.stack([part.probability for part in parts], axis=1)[apart]
        scored = np.stack([part.scored for part in parts], axis=1)[apart]
        up = (parts[0].moves.moved[apart] > 0).astype(np.float64)
        loss = np.where(scored, brier_scores(np.where(scored, p, 0.5), up[:, None]), 0.0)
        self._bars = self._bars + scored.sum(axis=0)
        self._loss = _sums(self._loss, loss)[-1]
        for start in range(0, len(p), MOST_BARS):
            some = slice(start, start + MOST_BARS)
            found = running(self._pairs, p[some], scored[some], up[some])
            self._pairs = Pairs(*(column[-1] for column in found))

    def standings(self, entrants: Collection[str], alpha: float = ALPHA) -> list[Standing]:
        """Return where the entrants stand now, the first first.

        Args:
            entrants: some of the names; how many share ``alpha`` should not depend on the scores.
            alpha: chance that anything said of them is ever wrong, in (0, 1).
        """
        at = np.array([i for i, name in enumerate(self.names) if name in entrants], np.int64)
        k = len(at)
        lead, width = self._matrices(alpha / max(k * (k - 1), 1))
        lead, width = lead[np.ix_(at, at)], width[np.ix_(at, at)]
        ahead = lead > width
        # The mean lead on all others; whoever was not scored comes last.
        known = np.isfinite(width)
        mean = np.where(known, lead, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        order = np.lexsort((at, -mean, self._bars[at] == 0))
        return [self._standing(at, i, place, order[0], lead, width, ahead)
                for place, i in enumerate(order, 1)]  # fmt: skip

    def _standing(
        self, at: NDArray[np.int64], i: int, place: int, first: int,
        lead: Floats, width: Floats, ahead: NDArray[np.bool],
    ) -> Standing:  # fmt: skip
        bars, finite = int(self._bars[at[i]]), i != first and np.isfinite(width[first, i])
        return Standing(
            self.names[at[i]],
            place,
            1 + int(ahead[:, i].sum()),
            len(at) - int(ahead[i].sum()),
            bars,
            float(self._loss[at[i]]) / bars if bars else None,
            float(lead[first, i]) if finite else 0.0,
            float(width[first, i]) if finite else None,
            tuple(self.names[at[j]] for j in np.flatnonzero(ahead[i])),
        )

    def _matrices(self, alpha: float) -> tuple[Floats, Floats]:
        """Return the mean leads ``(K, K)`` of one on another, and the intervals' half-widths."""
        k, pairs = len(self.names), self._pairs
        one, other = pairs_of(k)
        lead, width = np.zeros((k, k)), np.full((k, k), np.inf)
        n = np.maximum(pairs.bars, 1)
        mean, off = pairs.better / n, reach(pairs.spread, pairs.bound, alpha) / n
        lead[one, other], lead[other, one] = mean, -mean
        width[one, other] = width[other, one] = np.where(pairs.bars > 0, off, np.inf)
        return lead, width


def _sums(before: Floats, values: Floats) -> Floats:
    """Return the running sums ``(n + 1, ...)``, the one before first; in order, to the bit."""
    return np.cumsum(np.concatenate([before[None], values]), axis=0)


def ranked(names: Sequence[str], control: str) -> list[str]:
    """Return who of a ledger's names may be ranked: neither champions nor the control.

    >>> ranked(["cnn", "cnn.champion", "majority", "permuted_labels"], "permuted_labels")
    ['cnn', 'majority']
    """
    return [name for name in names if name != control and not name.endswith(champion_name(""))]


def agents_in(names: Sequence[str], forecasts: Forecasts) -> set[str]:
    """Return who has given actions, given a ledger's names and rows: they are not compared."""
    found = np.unique(forecasts["learner"][forecasts["action"] != NO_ACTION])
    return {names[i] for i in found}


def standings_of(
    names: Sequence[str], outcomes: Outcomes, forecasts: Forecasts, target: Target, control: str
) -> list[Standing]:
    """Return where the forecasters of a whole ledger stand.

    Args:
        names: the ledger's names; a forecast's ``learner`` is an index into them.
        outcomes: ``(T,)`` of dtype ``OUTCOME``.
        forecasts: ``(N,)`` of dtype ``FORECAST``.
        target: what is forecast.
        control: name of the permuted-label control.
    """
    agents, moves = agents_in(names, forecasts), moves_of(outcomes, target)
    board = Board([name for name in ranked(names, control) if name not in agents], target)
    at = {name: names.index(name) for name in board.names}
    board.take({name: scored_of(moves, forecasts, i) for name, i in at.items()})
    return board.standings(board.names)
