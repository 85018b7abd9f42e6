"""What an adapter's model sees at each bar: a feature set, or rows of the user. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from datamodules.features import COLUMNS
from datamodules.labelled_rows import LabelledRows, labelled_rows, newest_rows
from datamodules.labels import label_prices, moves_over
from datamodules.snapshot import NotEnoughBarsError
from datamodules.windows import gap_free
from streaming.bars import Bars
from trainers.learners.learner import Context
from trainers.learners.own_code import imported

Floats = NDArray[np.float64]

REACH = 120  # bars that a user's rows may look back on
TRIED = 8  # bars at which a user's rows are made again, from the past alone


class Inputs(Protocol):
    """Makes the rows of a model.

    Attributes:
        names: the columns; empty while a user's function has not been called yet.
    """

    names: tuple[str, ...]

    def labelled(self, bars: Bars) -> LabelledRows:
        """Return the rows whose price moved by the horizon; none crosses a gap."""

    def newest(self, bars: Bars, n: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return the rows ``(k, F)`` of the newest ``n`` bars, and which of them they are."""


def inputs_of(setting: str, context: Context) -> Inputs:
    """Return the inputs that a setting names.

    Args:
        setting: a feature set, ``auto`` for the session's, or ``module:function``.
        context: the session's feature set, label and horizon.

    Raises:
        ConfigError: if there is no such set or function.
    """
    if setting in COLUMNS or setting == "auto":
        name = context.features if setting == "auto" else setting
        return FeatureSet(name, context.label, context.horizon)
    allowed = f"allowed: auto, {', '.join(COLUMNS)}, or module:function"
    rows = imported("features", setting, allowed)
    return UsersRows(rows, setting, context.label, context.horizon)


class FeatureSet:
    """A feature set of the product."""

    def __init__(self, name: str, label: str, horizon: int) -> None:
        self._name, self._label, self._horizon = name, label, horizon
        self.names = COLUMNS[name]

    def labelled(self, bars: Bars) -> LabelledRows:
        return labelled_rows(bars, self._name, self._label, self._horizon)

    def newest(self, bars: Bars, n: int) -> tuple[Floats, NDArray[np.int64]]:
        return newest_rows(bars, self._name, n)


class UsersRows:
    """Rows from a user's function of bars.

    The function takes bars ``(T,)`` of dtype ``BAR`` and returns ``(T, F)`` numbers; row ``i`` is
    made of the bars up to ``i``, of the last ``REACH`` at most. Rows with NaN are left out.

    Args:
        rows: the function.
        name: its import path, for errors.
        label: the price whose move over the horizon is the label.
        horizon: how many bars ahead the label is, >= 1.
    """

    def __init__(self, rows: Callable[[Bars], Any], name: str, label: str, horizon: int) -> None:
        self._rows, self._name, self._label = rows, name, label
        self._horizon = horizon
        self.names: tuple[str, ...] = ()

    def labelled(self, bars: Bars) -> LabelledRows:
        """Return the labelled rows.

        Raises:
            ValueError: if a row of the newest bars is another one once later bars are known, or
                without those older than ``REACH``: it could not be made at its own time.
        """
        horizon, needed = self._horizon, REACH + self._horizon
        if len(bars) < needed:
            raise NotEnoughBarsError(len(bars), needed)
        x = self._made(bars)
        for i in range(len(bars) - TRIED, len(bars)):
            alone = self._made(bars[i + 1 - REACH : i + 1])[-1]
            if not np.array_equal(alone, x[i], equal_nan=True):
                raise ValueError(
                    f"{self._name}: the row of a bar differs if only the {REACH} bars up to it are"
                    " known; expected rows of the past alone, as far back as that"
                )
        moved = moves_over(label_prices(bars, self._label)[REACH - 1 :], horizon)
        rows = x[REACH - 1 : -horizon]
        there = (moved != 0) & gap_free(bars["gap"], needed) & np.isfinite(rows).all(axis=1)
        return LabelledRows(rows[there], moved[there] > 0, bars["ts_open"][needed - 1 :][there])

    def newest(self, bars: Bars, n: int) -> tuple[Floats, NDArray[np.int64]]:
        found, at = [], []
        for i in range(n):
            stop = len(bars) - n + i + 1
            part = bars[max(0, stop - REACH) : stop]
            if len(part) < REACH or part["gap"][1:].any():
                continue
            row = self._made(part)[-1]
            if np.isfinite(row).all():
                found.append(row)
                at.append(i)
        return np.array(found).reshape(len(found), len(self.names)), np.array(at, np.int64)

    def _made(self, bars: Bars) -> Floats:
        x = np.asarray(self._rows(bars), np.float64)
        if x.ndim != 2 or len(x) != len(bars):
            raise ValueError(f"{self._name}: expected rows ({len(bars)}, F), got {x.shape}")
        self.names = tuple(f"x{i}" for i in range(x.shape[1]))
        return x
