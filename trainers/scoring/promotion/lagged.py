"""Evidence from labels that come several bars late and overlap. Pure.

With a horizon of h bars, a bet is settled h bars after it was made, and neighbouring labels share
all but one of their bars: a product over all bars would bet on what is half seen already. So the
bars go to h gamblers in turn. Each bets again only once its last bet is settled, which makes its
money a supermartingale, and E is the mean of all h: A. Henzi and J. Ziegel, Valid sequential
inference on probability forecast performance, Biometrika 109 (2022); S. Arnold, A. Henzi and J.
Ziegel, Sequentially valid tests for forecast calibration, Annals of Applied Statistics 17 (2023).

That mean alone holds at a time fixed before. Who looks at every bar could stop just before a bet is
lost of which most has been seen, and the mean would promise too much: Y. J. Choe and A. Ramdas,
Combining evidence across filtrations (2024). So a bet that is not settled yet counts as lost in
full, but for the newest, of which nothing has been seen. What E then is at a stopping time is at
most the mean of what the gamblers have one bet later, and that is a stopping time of each: E is at
most 1 in expectation whenever one stops, and ever reaches 1 / alpha with chance alpha at most.

At horizon 1 there is one gambler and nothing is half seen: this is ``Evidence`` itself.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from datamodules.target import NEXT_BAR, Target
from streaming.ticks import NS_PER_S
from trainers.scoring.promotion.differences import Differences
from trainers.scoring.promotion.eprocess import PATIENCE, Evidence

Ints = NDArray[np.int64]


class Lagged:
    """A betting e-process on forecasts whose labels come a horizon later.

    Args:
        target: what is forecast.

    Attributes:
        log_value: the logarithm of E now.
        log_peak: the logarithm of the highest E so far, seen once every horizon.
    """

    def __init__(self, target: Target = NEXT_BAR) -> None:
        self._horizon, self._bar_ns = target.horizon, target.bar_seconds * NS_PER_S
        patience = PATIENCE / target.horizon  # bets of one gambler
        self._gamblers = [Evidence(patience) for _ in range(target.horizon)]
        self.log_value = self.log_peak = 0.0
        self._unseen: int | None = None  # the newest round that was not looked at yet

    @property
    def bars(self) -> int:
        """The number of bars bet on so far."""
        return sum(one.bars for one in self._gamblers)

    @property
    def rate(self) -> float:
        """The expected growth of log E per bar: that of the best size over the bars so far."""
        growth = np.sum([one.growth for one in self._gamblers], axis=0)
        return float(growth.max()) / max(self.bars, 1) / self._horizon

    def reaches(self, alpha: float) -> bool:
        """Return whether E was ever seen at 1 / alpha or above."""
        return self.log_peak >= -math.log(alpha)

    def bet(self, found: Differences) -> None:
        """Bet on more bars; no bit depends on how they are grouped."""
        rounds, whose = np.divmod(found.bar // self._bar_ns, self._horizon)
        offered, to = np.divmod(found.offered_bar // self._bar_ns, self._horizon)
        looks = self._looks(rounds, found.settled // self._bar_ns)
        # What each gambler has, at each look and now: (h, looks + 1).
        money = np.repeat([[one.log_value] for one in self._gamblers], len(looks) + 1, axis=1)
        for i in np.union1d(whose, to).tolist():
            ours, asked = whose == i, to == i
            bets, offers = rounds[ours], offered[asked]
            before = self._gamblers[i].log_value
            path, floors = self._gamblers[i].bet_and_offer(
                found.better[ours],
                found.most[ours],
                found.offered[asked],
                np.searchsorted(bets, offers),
            )
            settled = np.searchsorted(bets, looks, side="right")
            money[i] = np.concatenate([[before], path])[np.append(settled, len(path))]
            if i < self._horizon - 1:  # at a look the last gambler's next bet is the newest
                at, open_then = _places(offers, looks + 1)
                money[i, :-1][open_then] = floors[at]
            if len(offers) and offered_open(found)[asked][-1]:
                money[i, -1] = floors[-1]
        means = np.logaddexp.reduce(money, axis=0) - math.log(self._horizon)
        self.log_value = float(means[-1])
        self.log_peak = max(self.log_peak, float(means[:-1].max(initial=0.0)))

    def _looks(self, rounds: Ints, settled: int) -> Ints:
        """Return the rounds with a bet that are over once bars up to ``settled`` are settled."""
        known = [] if self._unseen is None else [self._unseen]
        candidates = np.union1d(np.array(known, np.int64), rounds)
        over = (candidates + 1) * self._horizon <= settled + 1
        self._unseen = int(candidates[-1]) if len(candidates) and not over[-1] else None
        return candidates[over]


def offered_open(found: Differences) -> NDArray[np.bool]:
    """Return which of the offered bets are not settled yet."""
    return found.offered_bar > found.settled


def _places(values: Ints, wanted: Ints) -> tuple[Ints, NDArray[np.bool]]:
    """Return where the wanted ones that are there stand among sorted values, and which are."""
    at = np.searchsorted(values, wanted)
    there = at < len(values)
    there[there] = values[at[there]] == wanted[there]
    return at[there], there
