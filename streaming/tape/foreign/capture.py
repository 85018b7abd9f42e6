"""What a venue has sent, as it was received: lines of ``RECEIVED_NS {"stream":...}``.

The messages are Binance's, of its combined streams: trades, and quotes between them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from streaming.errors import TapeError
from streaming.quotes import NO_QUOTES
from streaming.tape.foreign.placing import with_venue_times
from streaming.tape.foreign.remarks import TRIFLE, dropped_of, remarks, share
from streaming.tape.recording import Recording, spelled
from streaming.tape.tables.containers import Member
from streaming.tape.tables.times import AHEAD_NS
from streaming.venues.binance import Binance

FIRST = re.compile(rb"\s*\d{16,19} +\{")
LINE = re.compile(rb"(\d{16,19}) +(\{.*\})\s*")
SYMBOL = re.compile(rb'"s" ?: ?"((?:[^"\\]|\\.)+)"')


def is_capture(member: Member) -> bool:
    """Return whether a file is one of received messages."""
    return FIRST.match(member.content) is not None


class CaptureTape:
    """A tape of received messages.

    Args:
        member: the file.
        quotes: whether its quotes are wanted.

    Attributes:
        symbols: those on it, in order of appearance.

    Raises:
        TapeError: if a line is none, or there is no trade.
    """

    def __init__(self, member: Member, *, quotes: bool = True) -> None:
        self._where, self._wanted = member.where, quotes
        self._latest_ns = time.time_ns() + AHEAD_NS
        stamps: list[int] = []
        frames: list[bytes] = []
        rows: list[int] = []
        for row, line in enumerate(member.content.splitlines(), 1):
            if match := LINE.fullmatch(line):
                stamps.append(int(match[1]))
                frames.append(match[2])
                rows.append(row)
            elif line.strip():
                raise self._wrong(row, line)
        names = {match[1] for match in map(SYMBOL.search, frames) if match}
        symbols = [name.decode(errors="replace") for name in names]
        aggregated = not any(b'@trade"' in frame for frame in frames)
        venue = Binance(symbols, channel="aggTrade" if aggregated else "trade")
        self._decoded = venue.decode(frames, stamps, self._latest_ns)
        if self._decoded.rejected["", "malformed"]:
            for row, frame in zip(rows, frames, strict=True):
                if venue.decode([frame], [0], 0).rejected["", "malformed"]:
                    raise self._wrong(row, frame)
        self._frames = len(frames)
        self.symbols: Sequence[str] = list(self._decoded.ticks)

    def _wrong(self, row: int, line: bytes) -> TapeError:
        return TapeError(
            f"{self._where}: row {row}: expected the time of receipt in ns and a message of a"
            f" combined stream of Binance; got {line[:60].decode(errors='replace')!r}"
        )

    def read(self, symbol: str) -> Recording:
        """Return a symbol's trades and quotes in the order received.

        Raises:
            TapeError: if it has no trades.
        """
        name = spelled(self._where, symbol, self.symbols)
        ticks, quotes = self._decoded.ticks[name], NO_QUOTES
        if self._wanted and name in self._decoded.quotes:
            quotes = with_venue_times(self._decoded.quotes[name].copy(), ticks)
        said = [f"the tape spells it {name}"] if name != symbol else []
        foreign = self._decoded.rejected["", "not_trade"]
        if foreign > TRIFLE * self._frames:
            said.append(f"{share(foreign, self._frames)} of the messages are dropped: not_trade")
        said += remarks(ticks, dropped_of(ticks, self._latest_ns, 0), counts=True)
        return Recording(ticks, name, tuple(said), quotes)
