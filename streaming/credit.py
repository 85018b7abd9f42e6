"""Credit-based flow control between the trainers of a session and its built-in exchange.

    trainer, whenever it has nothing left to do -> SYMBOL.credit -> exchange

A tape and a fast market can outrun the trainer: they would be over before it has learned anything.
So a trainer that has handled all that there is grants a credit, and a market goes on for a
limited time from its newest credit. A trainer that trains, has not started yet, or was killed
grants none.
Source: H. T. Kung and R. Morris, Credit-Based Flow Control for ATM Networks, IEEE Network, 1995.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from streaming.symbols import file_name

GRANTED = np.dtype("<i8")
WAIVED = -1  # nobody waits for this market any more
FOR_EVER = 1 << 62


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
        if not path.exists():
            path.write_bytes(bytes(GRANTED.itemsize))
        self._granted = np.memmap(path, GRANTED, "r+")
        self._n = max(0, int(self._granted[0]))

    def grant(self) -> None:
        """Say that everything so far is handled."""
        self._n += 1
        self._granted[0] = self._n

    def waive(self) -> None:
        """Say that the market need not wait for this trainer any more."""
        self._granted[0] = WAIVED


class Credits:
    """How far a market may go on; read by the exchange.

    Args:
        session: the session's folder.
        symbols: the markets; all must have granted.
        ahead_ns: how much market time a credit is good for.
    """

    def __init__(self, session: Path, symbols: Sequence[str], ahead_ns: int) -> None:
        self._ahead_ns = ahead_ns
        self._files = {symbol: _path(session, symbol) for symbol in symbols}
        self._granted: dict[str, np.memmap[tuple[int], np.dtype[np.int64]]] = {}
        self._last: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        for symbol in symbols:
            self._last[symbol] = self._read(symbol)  # earlier credits are used up

    def limit(self, now: int) -> int:
        """Return how far the markets may go on, given how far they are; ns of market time."""
        for symbol in self._files:
            granted = self._read(symbol)
            if granted != self._last[symbol]:
                self._last[symbol] = granted
                self._limits[symbol] = FOR_EVER if granted == WAIVED else now + self._ahead_ns
        return min(self._limits.get(symbol, now) for symbol in self._files)

    def _read(self, symbol: str) -> int:
        if symbol not in self._granted:
            path = self._files[symbol]
            if not path.exists() or path.stat().st_size < GRANTED.itemsize:
                return 0
            self._granted[symbol] = np.memmap(path, GRANTED, "r")
        return int(self._granted[symbol][0])
