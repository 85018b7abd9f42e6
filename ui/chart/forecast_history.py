"""All forecasts of a session's learners, in a few bytes each, for any part of the chart."""

from __future__ import annotations

import array
import bisect
from typing import Any

import numpy as np

from streaming.ticks import NS_PER_S
from trainers.scoring.ledger import MADE, Forecasts

NONE = float("nan")  # a forecast that was not made in time


class ForecastHistory:
    """Keeps the probabilities of some learners, by the first bar of the move that they are about.

    Args:
        learners: their indices in the ledger's names.
        bar_seconds: the length of a bar, s.
    """

    def __init__(self, learners: list[int], bar_seconds: int = 1) -> None:
        self._bar_seconds = bar_seconds
        self._columns = {learner: i for i, learner in enumerate(learners)}
        self._times = array.array("q")  # unix seconds, rising
        self._up = [array.array("d") for _ in learners]

    def add(self, rows: Forecasts) -> None:
        """Add the rows ``(N,)`` of dtype ``FORECAST`` that were written since the last call."""
        rows = rows[np.isin(rows["learner"], list(self._columns))]
        up = np.where(rows["status"] == MADE, rows["probability"], NONE)
        about = rows["bar"] // NS_PER_S + self._bar_seconds
        for time, learner, value in zip(
            about.tolist(), rows["learner"].tolist(), up.tolist(), strict=True
        ):
            if not self._times or time > self._times[-1]:
                self._times.append(time)
                for column in self._up:
                    column.append(NONE)
            self._up[self._columns[learner]][bisect.bisect_left(self._times, time)] = value

    def rows(self, since: int, until: int | None = None, seconds: int = 1) -> list[list[Any]]:
        """Return the forecasts about the bars from ``since`` on, before ``until``.

        Args:
            since: unix seconds.
            until: unix seconds; None for all.
            seconds: the length of a candle, for whose bars the mean is taken.

        Returns:
            Rows ``[time, probability of each learner]``; None where there was none in time, so
            that the line has a gap there.
        """
        first = bisect.bisect_left(self._times, since)
        last = len(self._times) if until is None else bisect.bisect_left(self._times, until)
        if first >= last:
            return []
        times = np.array(self._times[first:last])
        columns = [np.array(column[first:last]) for column in self._up]
        if seconds > self._bar_seconds:
            at = times // seconds
            starts = np.flatnonzero(np.diff(at, prepend=-1))
            times = at[starts] * seconds
            columns = [_means(column, starts) for column in columns]
        shown = [
            [None if value != value else round(value, 4) for value in column.tolist()]
            for column in columns
        ]
        return [list(row) for row in zip(times.tolist(), *shown, strict=True)]


def _means(values: np.ndarray[Any, Any], starts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the mean of each stretch of values, without those that are missing."""
    known = ~np.isnan(values)
    counts = np.add.reduceat(known.astype(np.int64), starts)
    sums = np.add.reduceat(np.where(known, values, 0.0), starts)
    return np.where(counts > 0, sums / np.maximum(counts, 1), NONE)
