"""Credit-based flow control between the trainers of a session and its built-in exchange.

    trainer -> SYMBOL.credit: how often it had nothing left to do, its newest bar -> exchange

A tape and a fast market can outrun the trainer: they would be over before it has learned anything.
So they go on by a second at a time: what makes another bar final waits until the trainer has
forecast on the one before. No forecast is missed then, at any speed.

Something may be lost on the way, and the bar for which the exchange waits never be made. So a
trainer that has nothing left to do, and a second later still has nothing, is not waited for.
Source: H. T. Kung and R. Morris, Credit-Based Flow Control for ATM Networks, IEEE Network, 1995.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from streaming.symbols import file_name

CREDIT = np.dtype(
    [
        ("looks", "<i8"),  # how often the trainer found nothing left to do; ``WAIVED``
        ("bar", "<i8"),  # when the newest bar on which it has forecast opened, ns; 0: none yet
    ]
)
WAIVED = -1  # nobody waits for this market any more
PATIENCE_S = 1.0


def _path(session: Path, symbol: str) -> Path:
    return session / f"{file_name(symbol)}.credit"


class CreditWriter:
    """Grants the credits of one market; only the market's trainer has one.

    Args:
        session: the session's folder.
        symbol: the market.
    """

    def __init__(self, session: Path, symbol: str) -> None:
        path = _path(session, symbol)
        if not path.exists() or path.stat().st_size != CREDIT.itemsize:
            path.write_bytes(bytes(CREDIT.itemsize))
        self._credit = np.memmap(path, CREDIT, "r+")
        self._looks = max(0, int(self._credit["looks"][0]))

    def look(self, newest_bar: int) -> None:
        """Say that everything so far is handled.

        Args:
            newest_bar: when the newest bar on which was forecast opened, ns; 0 if there is none.
        """
        self._looks += 1
        self._credit["bar"][0] = newest_bar
        self._credit["looks"][0] = self._looks

    def waive(self) -> None:
        """Say that the market need not wait for this trainer any more."""
        self._credit["looks"][0] = WAIVED


@dataclasses.dataclass
class _Hold:
    """What a market waits for: its trainer's forecast on ``bar``."""

    bar: int
    looks: int
    looked_at: float | None = None  # when the trainer was first seen to have nothing left to do


class Credits:
    """What the trainers of some markets have granted; read by the exchange.

    Args:
        session: the session's folder.
        symbols: the markets.
        clock: returns seconds of a clock that does not go back.
    """

    def __init__(
        self, session: Path, symbols: Sequence[str], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._files = {symbol: _path(session, symbol) for symbol in symbols}
        self._credits: dict[str, np.memmap[tuple[int], np.dtype[np.void]]] = {}
        self._holds: dict[str, _Hold] = {}
        # The trainers that have not looked since then; credits of before are used up.
        self._absent = {symbol: self._read(symbol)[0] for symbol in symbols}

    def have_begun(self) -> bool:
        """Return whether the trainers of all markets have looked."""
        for symbol, looks in list(self._absent.items()):
            if self._read(symbol)[0] != looks:
                del self._absent[symbol]
        return not self._absent

    def may_pass(self, symbol: str, newest_bar: int) -> bool:
        """Return whether a market may make another bar final.

        Args:
            symbol: the market.
            newest_bar: when its newest final bar opened, ns; 0 if there is none.
        """
        looks, bar = self._read(symbol)
        if bar >= newest_bar or looks == WAIVED or self._is_over(symbol, newest_bar, looks):
            self._holds.pop(symbol, None)
            return True
        return False

    def _is_over(self, symbol: str, newest_bar: int, looks: int) -> bool:
        """Return whether a trainer has nothing to do and has waited long enough in vain."""
        hold = self._holds.get(symbol)
        if hold is None or hold.bar != newest_bar:
            self._holds[symbol] = _Hold(newest_bar, looks)
            return False
        if looks == hold.looks:
            return False
        if hold.looked_at is None:
            hold.looks, hold.looked_at = looks, self._clock()
            return False
        return self._clock() - hold.looked_at >= PATIENCE_S

    def _read(self, symbol: str) -> tuple[int, int]:
        if symbol not in self._credits:
            path = self._files[symbol]
            if not path.exists() or path.stat().st_size != CREDIT.itemsize:
                return 0, 0
            self._credits[symbol] = np.memmap(path, CREDIT, "r")
        credit = self._credits[symbol]
        return int(credit["looks"][0]), int(credit["bar"][0])
