"""A paper account that is out of or in the market by one unit. Pure."""

from __future__ import annotations

from datamodules.transitions import BUY, SELL


class Account:
    """Positions, costs and closed trades.

    Args:
        fee_bps: cost of one change of position, bp of its value.

    >>> account = Account(fee_bps=1.0)
    >>> account.trade(BUY); account.earn(5.0); account.trade(SELL); account.earn(9.0)
    >>> account.pnl_bps, account.trades, account.win_rate
    (3.0, 1, 1.0)
    """

    def __init__(self, fee_bps: float) -> None:
        self.fee_bps = fee_bps
        self.position = 0
        self.bars = 0
        self.pnl_bps = 0.0  # net of costs, open position included
        self.gross_bps = 0.0
        self.trades = 0  # closed, in and out again
        self.wins = 0  # of them, those with a profit after both costs
        self._open_pnl = 0.0  # of the open trade, its entry paid

    @property
    def win_rate(self) -> float | None:
        """Wins over closed trades; None while there is none."""
        return self.wins / self.trades if self.trades else None

    def trade(self, action: int) -> None:
        """Change the position: BUY goes in, SELL goes out, what does not apply holds."""
        if action == BUY and self.position == 0:
            self._open_pnl = 0.0
            self._pay()
            self.position = 1
        elif action == SELL and self.position == 1:
            self._pay()
            self.position = 0
            self.trades += 1
            self.wins += self._open_pnl > 0

    def earn(self, ret_bps: float) -> None:
        """Go on by a bar that returned ``ret_bps``."""
        self.bars += 1
        self.gross_bps += self.position * ret_bps
        self.pnl_bps += self.position * ret_bps
        self._open_pnl += self.position * ret_bps

    def _pay(self) -> None:
        self.pnl_bps -= self.fee_bps
        self._open_pnl -= self.fee_bps
