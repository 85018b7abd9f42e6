"""What forecasters forecast: the move of a price over so many bars. Imports no library."""

from __future__ import annotations

from typing import NamedTuple

CLOSE, MID = "close", "mid"
LABELS = (CLOSE, MID)


class Target(NamedTuple):
    """What forecasters forecast.

    Attributes:
        label: the price whose move is forecast, one of ``LABELS``.
        horizon: how many bars ahead, >= 1.
        bar_seconds: the length of a bar, s.
    """

    label: str = CLOSE
    horizon: int = 1
    bar_seconds: int = 1

    @property
    def overlap(self) -> int:
        """How many of its bars a label has in common with that of the next bar."""
        return self.horizon - 1


NEXT_BAR = Target()
