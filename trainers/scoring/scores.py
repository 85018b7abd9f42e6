"""Test-then-train scores of one learner: each forecast is made before its label exists.

Pure. ``Scores`` is fed bar by bar: first the label of the waiting forecast, then the next
forecast. Bars that did not move are counted but have no direction to be right about.
"""

from __future__ import annotations

import math

from datamodules.quotes import BP
from datamodules.transitions import BUY, HOLD, SELL
from trainers.learners.learner import Forecast
from trainers.scoring.account import Account

# A forecast of 0 or 1 that is wrong would cost an infinite log-loss.
SURE = 1e-6


class Scores:
    """Running scores over a session.

    Args:
        confidence: probability from which a forecast is a trade signal.
        fee_bps: cost of one trade, bp.
    """

    def __init__(self, *, confidence: float, fee_bps: float) -> None:
        self.confidence = confidence
        self.account = Account(fee_bps)
        self.scored = 0  # forecasts of bars that moved
        self.hits = 0.0
        self.flat = 0  # forecasts of bars that did not
        self.broken = 0  # forecasts whose label a gap took away
        self.log_loss_sum = 0.0
        self._waiting: Forecast | None = None
        self._close: float | None = None  # of the last bar, from the first forecast on

    def label(self, close: float, *, gap: bool) -> None:
        """Score the waiting forecast by the close of the bar it was about.

        The account goes on without forecasts too; over a gap it stays out of the market.
        """
        if self._close is None:
            return
        forecast, before = self._waiting, self._close
        self._waiting, self._close = None, close
        if gap:
            self.account.trade(SELL)
            self.broken += forecast is not None
            return
        self.account.earn(BP * (close / before - 1))
        if forecast is not None and forecast.probability is not None:
            self._score(forecast.probability, close - before)

    def forecast(self, forecast: Forecast | None, close: float) -> None:
        """Write down a forecast made at ``close``, and trade on it."""
        if forecast is None:
            return
        self._waiting, self._close = forecast, close
        self.account.trade(self.action(forecast))

    def action(self, forecast: Forecast) -> int:
        """Return what a forecast says to do: 0 HOLD, 1 BUY, 2 SELL."""
        if forecast.probability is None:
            return forecast.action or HOLD
        if forecast.probability >= self.confidence:
            return BUY
        return SELL if forecast.probability <= 1 - self.confidence else HOLD

    def metrics(self) -> dict[str, float]:
        """Return what is known, by metric name; a score without a single case is left out."""
        account = self.account
        found = {
            "live/scored": float(self.scored),
            "live/flat": float(self.flat),
            "live/trades": float(account.trades),
        }
        if self.scored:
            found["live/accuracy"] = self.hits / self.scored
            found["live/log_loss"] = self.log_loss_sum / self.scored
        if account.bars:
            found["live/pnl_bps"] = account.pnl_bps
            found["live/average_reward"] = account.pnl_bps / account.bars
        if account.win_rate is not None:
            found["live/win_rate"] = account.win_rate
        return found

    def _score(self, probability: float, moved: float) -> None:
        if moved == 0:
            self.flat += 1
            return
        self.scored += 1
        of_truth = probability if moved > 0 else 1 - probability
        # One half says nothing, so it is right half of the time.
        self.hits += 0.5 if probability == 0.5 else of_truth > 0.5
        self.log_loss_sum -= math.log(min(max(of_truth, SURE), 1 - SURE))
