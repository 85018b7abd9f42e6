"""What comes of reading one symbol on a tape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from streaming.errors import TapeError
from streaming.quotes import NO_QUOTES, Quotes
from streaming.symbols import same_but_for_case
from streaming.ticks import Ticks


class Recording(NamedTuple):
    """One symbol's trades and quotes on a tape.

    Attributes:
        ticks: ``(n,)`` of dtype ``TICK`` in the order in which they are played; ``ts_init`` is the
            recorder's receive time, 0 if it is not known, ``ts_event`` 0 where it is impossible;
            ids are 0, 1, 2, ... if those of the tape cannot be used.
        symbol: as the tape spells it.
        remarks: what a person should know of them, a sentence each.
        quotes: ``(m,)`` of dtype ``QUOTE`` in order; ``after`` counts the ticks before each.
    """

    ticks: Ticks
    symbol: str
    remarks: tuple[str, ...] = ()
    quotes: Quotes = NO_QUOTES


class Tape(Protocol):
    """A tape that was opened.

    Attributes:
        symbols: those on it, in order of appearance.
    """

    symbols: Sequence[str]

    def read(self, symbol: str) -> Recording:
        """Return a symbol's trades, and its quotes if there are any.

        Raises:
            TapeError: if there are no trades, or a value is not understood.
        """


def spelled(where: object, symbol: str, there: Sequence[str]) -> str:
    """Return a symbol as a tape spells it.

    Raises:
        TapeError: if it is not on the tape, or two symbols differ from it in case only.
    """
    alike = same_but_for_case(symbol, there)
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise TapeError(f"{where}: {symbol} can be {' or '.join(alike)}: spell it as the tape does")
    names = ", ".join(there[:20]) + (f" and {len(there) - 20} more" if len(there) > 20 else "")
    raise TapeError(f"{where}: {symbol} is not on this tape; it has: {names or 'none'}")
