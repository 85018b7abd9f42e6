"""Cases in order of time, summed so that any number of them costs the same. Pure.

A day of bars is summed in batches of equal size, and the size doubles whenever there are 4,096:
W. Song and M. Chih, Run length not required: optimal-MSE dynamic batch means estimators, European
Journal of Operational Research 229 (2013). What a score's interval needs are means over blocks of
some sqrt(n) neighbours, and blocks that begin at every batch tell nearly as much as those that
begin at every case: P. Welch, On the relationship between batch means, overlapping batch means and
spectral estimation, Winter Simulation Conference (1987). Below 4,096 cases, a batch is a case.

    cases -> Batches -> means, sums, and the influence of each batch on a score -> Estimate

The sums are those of a binary tree over the cases: no bit depends on how they were handed in.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainers.scoring.interval import Estimate, half_width

Floats = NDArray[np.float64]

MOST = 4096  # batches, even


class Batches(NamedTuple):
    """Cases of ``F`` numbers each.

    Attributes:
        sums: ``(F, m)`` the sums of batches, oldest first, ``m`` < ``MOST``.
        rest: ``(F, r)`` the newest cases, which do not fill a batch yet.
        size: the number of cases in a batch, a power of two: 1 below ``MOST`` cases.
        overlap: with how many later cases a case has a part of its label in common.
    """

    sums: Floats
    rest: Floats
    size: int
    overlap: int = 0

    @classmethod
    def none(cls, numbers: int = 1, overlap: int = 0) -> Batches:
        """Return no case yet, of so many numbers each."""
        return cls(np.zeros((numbers, 0)), np.zeros((numbers, 0)), 1, overlap)

    @classmethod
    def of(cls, *columns: ArrayLike, overlap: int = 0) -> Batches:
        """Return cases, given a column ``(n,)`` for each of their numbers."""
        return cls.none(len(columns), overlap).plus(*columns)

    @property
    def n(self) -> int:
        """The number of cases."""
        return int(self.sums.shape[1] * self.size + self.rest.shape[1])

    def plus(self, *columns: ArrayLike) -> Batches:
        """Return these cases and later ones, given a column ``(k,)`` for each number."""
        cases, found = np.asarray(columns, np.float64), self
        while cases.shape[1]:
            room = MOST * found.size - found.n
            found, cases = found._filled(cases[:, :room]), cases[:, room:]
        return found

    def _filled(self, cases: Floats) -> Batches:
        """Return these and later cases, at most as many as make the batches ``MOST``."""
        loose = np.concatenate([self.rest, cases], axis=1)
        whole = loose.shape[1] // self.size * self.size
        sums = np.concatenate([self.sums, _summed(loose[:, :whole], self.size)], axis=1)
        rest = loose[:, whole:].copy()
        if sums.shape[1] < MOST:
            return self._replace(sums=sums, rest=rest)
        return self._replace(sums=_summed(sums, 2), rest=rest, size=2 * self.size)

    def total(self, number: int = 0) -> float:
        """Return the sum of one of the numbers over all cases."""
        return float(self.sums[number].sum() + self.rest[number].sum())

    def mean(self, number: int = 0) -> float:
        """Return the mean of one of the numbers, given a case."""
        return self.total(number) / self.n

    def mean_of(self, number: int = 0) -> Estimate:
        """Return the mean of one of the numbers with its interval, given a case."""
        return Estimate(self.mean(number), self.width({number: 1.0}))

    def sum_of(self, number: int = 0) -> Estimate:
        """Return the sum of one of the numbers with its interval."""
        return self.weighted_sum({number: 1.0})

    def weighted_sum(self, weights: dict[int, float]) -> Estimate:
        """Return the weighted sum of the numbers of all cases, with its interval."""
        value = sum(weight * self.total(number) for number, weight in weights.items())
        width = self.width(weights)
        return Estimate(value, None if width is None else self.n * width)

    def width(self, weights: dict[int, float]) -> float | None:
        """Return the half-width of a score's interval; None if there is none.

        Cases that do not fill a batch yet, at most one in 2,048, do not count in it.

        Args:
            weights: how a case's influence on the score follows from its numbers, but for a
                constant: the score's derivatives by their means.
        """
        influence = np.zeros(self.sums.shape[1])
        for number, weight in weights.items():
            influence += weight * self.sums[number]
        return half_width(influence / self.size, self.size, self.overlap)

    def between(self, first: int, stop: int) -> Batches:
        """Return the batches from about case ``first`` to about case ``stop``, exact if cases."""
        sums = self.sums[:, first // self.size : stop // self.size]
        return self._replace(sums=sums, rest=self.rest[:, :0])


def _summed(values: Floats, size: int) -> Floats:
    """Return the sums ``(F, n / size)`` of ``size`` neighbours, a power of two: a binary tree."""
    while size > 1:
        values, size = values[:, 0::2] + values[:, 1::2], size // 2
    return values
