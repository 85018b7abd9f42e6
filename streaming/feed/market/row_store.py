"""One stream of a market, ticks or quotes: the newest rows in a ring, all of them on tape.

    rows -> RowStore ─┬─ SYMBOL.ticks, SYMBOL.quotes    what others read
                      └─ tape/SYMBOL-*.parquet          for good

The ring is the tape's buffer. Its one rule: no row is overwritten before it is on tape.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streaming.errors import RingError
from streaming.events import Code
from streaming.rings.ring import RingWriter
from streaming.tape import TapeWriter

Say = Callable[[Code, str, str], None]  # code, text, what it is about


class RowStore:
    """Owner of a ring and of its tape; goes on where a killed process left them.

    Args:
        ring: the ring.
        tape: writes its tape; None if there is none: old rows are overwritten and gone.
        symbol: the market, for what is said.
        say: reports an event.

    Attributes:
        ring: the ring.
    """

    def __init__(self, ring: RingWriter, tape: TapeWriter | None, symbol: str, say: Say) -> None:
        self.ring, self._tape = ring, tape
        self._symbol, self._say = symbol, say
        self._failure = ""  # why the last segment could not be written

    @property
    def pending(self) -> int:
        """Rows that are not on tape yet; 0 if there is none."""
        return self._tape.pending if self._tape is not None else 0

    def make_room(self, n: int) -> None:
        """Write the tape if ``n`` more rows would overwrite what is not on it.

        Args:
            n: how many rows, the ring's capacity at most.

        Raises:
            RingError: if the tape cannot be written: what is in the ring is kept.
        """
        if self.pending + n > self.ring.capacity and not self.write_tape():
            raise RingError(
                f"{self.ring.path}: {self.pending} rows are not on tape and the ring is full"
                f" ({self._failure}); make room on the disk"
            )

    def append(self, rows: NDArray[np.void]) -> None:
        """Take rows that ``make_room`` has made room for."""
        self.ring.append(rows)
        # A burst must not run ahead of its tape; after a failure, only what is due tries again.
        if self.pending > self.ring.capacity // 2 and not self._failure:
            self.write_tape()

    def write_tape(self) -> bool:
        """Write what is not on tape as a segment; return whether all is on it now.

        A failure is reported once, and the rows stay in the ring for the next attempt.
        """
        if self._tape is None:
            return True
        try:
            self._tape.write_pending()
        except OSError as e:
            if not self._failure:
                text = f"{self._symbol}: the tape cannot be written ({e}); it is tried again"
                self._say(Code.TAPE_FAILED, text, self._symbol)
            self._failure = str(e)
            return False
        if self._failure:
            self._failure = ""
            text = f"{self._symbol}: the tape is written again, nothing is lost"
            self._say(Code.TAPE_BACK, text, self._symbol)
        return True

    def close(self) -> None:
        """Let go of the ring; what is not on tape stays in it for the next process."""
        self.write_tape()
        self.ring.close()
