"""The paper accounts of a ledger's learners -> typed pandas frames. Pure.

The account is that of ``trainers.scoring.profit.paper``. It is followed piece by piece of the
ledger, so that what is kept is the trades that are still open.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from datamodules.target import NEXT_BAR, Target
from datamodules.transitions import Action
from tickloop.frames import category, stamps, times_of
from trainers.recording.ledger import LedgerContents, Piece
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import IN, NEW_ACCOUNT, Account, Paper, paper_of
from trainers.scoring.scored import scored_of

TRADE = np.dtype(
    [
        ("learner", "<i8"),  # index into the ledger's names
        ("opened", "<i8"),  # ns
        ("closed", "<i8"),  # ns; ``HELD`` while it is held
        ("entry_price", "<f8"),
        ("exit_price", "<f8"),
        ("pnl_bps", "<f8"),
        ("probability", "<f8"),
        ("reason", "<i8"),  # index into ``REASONS``; -1 while it is held
    ]
)
HELD = np.iinfo(np.int64).min  # pandas reads it as no time
REASONS = ["signal", "gap"]

NO_EQUITY = {
    "learner": np.zeros(0, "str"),
    "position": np.zeros(0, np.int8),
    **{name: np.zeros(0) for name in ("net_bps", "equity_bps", "drawdown_bps")},
}


class _Trades:
    """Follows one learner's account over the pieces of a ledger; keeps the trade that is held."""

    def __init__(self, learner: int, fee_bps: float, target: Target) -> None:
        self._learner, self._fee_bps, self._target = learner, fee_bps, target
        self._account: Account = NEW_ACCOUNT
        self._held = np.zeros(0, TRADE)

    def update(self, piece: Piece) -> NDArray[np.void]:
        """Return the trades that were closed in a piece; behind the last piece also one held."""
        outcomes = piece.contents.outcomes
        moves = moves_of(outcomes, self._target).before(piece.bars)
        scored = scored_of(moves, piece.contents.forecasts, self._learner)
        paper = paper_of(scored, self._fee_bps, self._account)
        at = _opened(paper, carried=self._account.position == IN)
        new = np.zeros(len(at), TRADE)
        new["learner"], new["opened"], new["closed"] = self._learner, moves.bar[at], HELD
        new["entry_price"], new["probability"] = outcomes["mid"][at], scored.probability[at]
        new["exit_price"], new["pnl_bps"], new["reason"] = np.nan, np.nan, -1
        rows = np.concatenate([self._held, new])
        at = paper.closed
        closed = rows[: len(at)]
        closed["closed"], closed["exit_price"] = moves.bar[at], outcomes["mid"][at]
        closed["pnl_bps"] = paper.profit_bps
        closed["reason"] = moves.broken[at] & (scored.signal[at] != Action.SELL)
        self._account, self._held = paper.after, rows[len(at) :]
        return rows if piece.last else closed


def _opened(paper: Paper, *, carried: bool) -> NDArray[np.int64]:
    """Return the bar at which each trade was opened: the first one held after the last close.

    Args:
        paper: the account over some bars.
        carried: whether a trade was open before the first.
    """
    held = np.flatnonzero(paper.position)
    starts = paper.closed if carried else np.append(-1, paper.closed)
    at = np.searchsorted(held, starts, side="right")
    return held[at[at < len(held)]]


class Accounts:
    """Follows the accounts of all learners of a market.

    Args:
        fee_bps: as of ``trade_frame``.
        target: what the learners forecast.
    """

    def __init__(self, fee_bps: float, target: Target) -> None:
        self._fee_bps, self._target = fee_bps, target
        self._of: dict[int, _Trades] = {}

    def update(self, piece: Piece) -> pd.DataFrame:
        """Return the trades that were closed in a piece of the ledger, as ``trade_frame`` does."""
        names = piece.contents.names
        found = [np.zeros(0, TRADE)]
        for i in range(len(names)):
            trades = self._of.setdefault(i, _Trades(i, self._fee_bps, self._target))
            found.append(trades.update(piece))
        rows = np.concatenate(found)
        rows = rows[np.argsort(rows["opened"], kind="stable")]
        plain = ("entry_price", "exit_price", "pnl_bps", "probability")
        return pd.DataFrame(
            {
                "learner": category(rows["learner"], names),
                "opened": stamps(rows["opened"]),
                "closed": stamps(rows["closed"]),
                **{name: rows[name] for name in plain},
                "reason": category(rows["reason"], REASONS),
            }
        )


def trade_frame(ledger: LedgerContents, fee_bps: float, target: Target = NEXT_BAR) -> pd.DataFrame:
    """Return the paper trades of every learner, in the order in which they were opened.

    Each buys one unit at the mid, pays fee and half the spread on both sides, and sells it again.

    Args:
        ledger: the market's ledger.
        fee_bps: cost of one change of position besides half the spread, bp of its value.
        target: what the learners forecast.

    Columns:
        learner: whose signals were followed.
        opened, closed: opening time of the bar at whose close it was done; ``closed`` is NaT, and
            the next two and ``reason`` unknown, while the position is held.
        entry_price, exit_price: the mid then, quote currency.
        pnl_bps: profit after both costs, bp of the price.
        probability: the forecast behind the entry; NaN for an agent.
        reason: why it was closed: ``signal``, or ``gap`` (trades are missing after that bar).
    """
    piece = Piece(ledger, len(ledger.outcomes), last=True)
    return Accounts(fee_bps, target).update(piece)


def equity_frame(ledger: LedgerContents, fee_bps: float, target: Target = NEXT_BAR) -> pd.DataFrame:
    """Return the paper accounts of every learner, indexed by the bar's opening time.

    Args:
        ledger: the market's ledger.
        fee_bps: as in ``trade_frame``.
        target: likewise.

    Columns:
        learner: whose signals were followed.
        position: 1 while a unit is held from the bar's close to the next, else 0.
        net_bps: profit of the bar after costs, bp.
        equity_bps: the sum of ``net_bps`` so far.
        drawdown_bps: how far ``equity_bps`` is below its highest value so far, 0 included.
    """
    moves = moves_of(ledger.outcomes, target)
    frames = [pd.DataFrame(NO_EQUITY, index=times_of(moves.bar[:0]))]
    for i, name in enumerate(ledger.names):
        paper = paper_of(scored_of(moves, ledger.forecasts, i), fee_bps)
        equity = paper.net_bps.cumsum()
        peak = np.maximum(np.maximum.accumulate(equity), 0.0) if len(equity) else equity
        frames.append(
            pd.DataFrame(
                {
                    "learner": name,
                    "position": paper.position,
                    "net_bps": paper.net_bps,
                    "equity_bps": equity,
                    "drawdown_bps": peak - equity,
                },
                index=times_of(moves.bar),
            )
        )
    return pd.concat(frames).astype({"learner": pd.CategoricalDtype(ledger.names)})
