"""The market's clock: how the exchange's time follows from ours; its file outlives the process."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Self

import msgspec

from streaming.errors import ConfigError
from streaming.program.whole_file import write_whole
from streaming.ticks import NS_PER_S

CLOCK = "exchange.json"  # its file in a session's folder

# Where simulated time starts at any speed but 1: long enough ago never to be in the future.
LONG_AGO_NS = 1_704_067_200 * NS_PER_S  # 2024-01-01


@dataclasses.dataclass(frozen=True)
class MarketClock:
    """Market time = ``market_ns`` at our time ``wall_ns``, and ``speed`` ns for each of ours.

    An exchange keeps it in a file: started again, it goes on where the market would be.

    Attributes:
        start_ns: the market's time when it began.
        end_ns: its time when a tape has been played; 0 if the market has no end.
    """

    wall_ns: int
    market_ns: int
    speed: float
    start_ns: int
    end_ns: int = 0

    @property
    def played(self) -> float | None:
        """The share of a tape that has been played, 0 to 1; None if the market has no end."""
        if not self.end_ns:
            return None
        length = self.end_ns - self.start_ns
        return min(1.0, (self.market_ns - self.start_ns) / length) if length else 1.0

    def at(self, wall_ns: int) -> int:
        """Return the market's time at our time ``wall_ns``, both ns since the Unix epoch."""
        return self.market_ns + int((wall_ns - self.wall_ns) * self.speed)

    def moved(self, wall_ns: int, market_ns: int) -> Self:
        """Return the clock of the same market that stands at ``market_ns`` at ``wall_ns``."""
        return dataclasses.replace(self, wall_ns=wall_ns, market_ns=market_ns)

    def save(self, path: Path) -> None:
        """Write the clock, whole or not at all."""
        write_whole(path, msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a clock; None if there is none.

        Raises:
            ConfigError: if the file is damaged.
        """
        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except FileNotFoundError:
            return None
        except ValueError as e:
            raise ConfigError(
                f"{path}: expected the clock of a market, it is damaged ({e}); the market of this"
                " session cannot go on: start another session"
            ) from e

    @classmethod
    def load(cls, path: Path, speed: float) -> Self | None:
        """Read the clock that an earlier process started; None if there was none.

        Raises:
            ConfigError: if it ran at another speed, as its market would jump; or if the file is
                damaged.
        """
        clock = cls.read(path)
        if clock is not None and clock.speed != speed:
            raise ConfigError(
                f"speed: the market of {path.parent} runs at {clock.speed:g}, got {speed:g}; keep"
                " the speed, or start another session"
            )
        return clock


def played_of(folder: Path) -> float | None:
    """Return the share of a session's tape that has been played; None if it plays none."""
    try:
        clock = MarketClock.read(folder / CLOCK)
    except ConfigError:
        return None  # whoever writes it says so
    return clock.played if clock else None
