"""The settings of the stream: what the exchange and the feed need to know."""

from __future__ import annotations

import dataclasses
import urllib.parse

from streaming.errors import ConfigError
from streaming.settings import Settings, setting
from streaming.symbols import MAX_SYMBOL_CHARS, is_symbol, upper

SOURCES = "sim, sim:<market>, tape:PATH or binance"


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeedConfig(Settings):
    """What everything that draws numbers needs to know."""

    seed: int = setting(0, "seed of every random generator", low=0, high=2**31 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamConfig(SeedConfig):
    """Where ticks come from and how they are kept."""

    source: str = setting(
        "sim",
        f"where ticks come from: {SOURCES}; after PATH may follow what a file does not say:"
        " ?venue=NAME&columns=id,price,size,-,time,maker&unit=ms&sort=id",
    )
    symbols: str = setting(
        "BTCUSDT", "markets to follow, spelled as their venue or tape does, separated by commas"
    )
    venue_ws: str = setting("", "the venue's websocket address, if not the public one")
    venue_rest: str = setting("", "the venue's REST address, if not the public one")
    channel: str = setting(
        "trade",
        "each trade, or trades aggregated by taker order (cheaper to repair)",
        choices=("trade", "aggTrade"),
    )
    quotes: bool = setting(True, "best bid and ask too, where the source has them")
    speed: float = setting(
        1.0, "market seconds a second, of a simulated market or a tape", low=0.01, high=1000
    )
    tick_cache: int = setting(
        54_000, "ticks kept a symbol: 15 min at 60/s", low=100, high=10_000_000
    )
    bar_ring: int = setting(
        86_400, "1-s bars kept a symbol: 24 h", unit="s", low=600, high=10_000_000
    )
    grace_ms: int = setting(
        0,
        "how far past its end a tick must be to make a bar final; one symbol comes in order",
        unit="ms",
        low=0,
        high=60_000,
    )
    backfill_seconds: int = setting(
        900,
        "history fetched from the venue before the first streamed trade, so that models need not"
        " wait for their windows to fill",
        unit="s",
        low=0,
        high=86_400,
    )
    stale_seconds: float = setting(
        60.0,
        "silence after which REST is asked whether trades are missed; thin markets pause a minute",
        unit="s",
        low=1,
        high=3600,
    )
    segment_seconds: float = setting(
        60.0,
        "how often the tape gets a new Parquet segment; 0 records none",
        unit="s",
        low=0,
        high=3600,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        kind, _, rest = self.source.partition(":")
        if kind not in ("sim", "tape", "binance") or (kind == "tape") != bool(
            rest if kind != "sim" else False
        ):
            raise ConfigError(f"source: got {self.source!r}; allowed: {SOURCES}")
        if not is_text(self.source):
            raise ConfigError(
                f"source: got {self.source!r}; allowed: names of bytes that are UTF-8: rename it"
            )
        for symbol in self._names:
            if not is_symbol(symbol):
                raise ConfigError(
                    f"symbols: got {symbol!r}; allowed: names such as BTCUSDT or XBT/USD, of 1 to"
                    f" {MAX_SYMBOL_CHARS} characters without blanks, separated by commas"
                )
        if len({symbol.casefold() for symbol in self._names}) != len(self._names):
            raise ConfigError(f"symbols: got {self.symbols!r}; allowed: each symbol once")
        for name, schemes in (("venue_ws", ("ws", "wss")), ("venue_rest", ("http", "https"))):
            value = getattr(self, name)
            if value and not _is_address(value, schemes):
                raise ConfigError(f"{name}: got {value!r}; allowed: {schemes[0]}://HOST[:PORT]")

    @property
    def _names(self) -> list[str]:
        return [symbol.strip() for symbol in self.symbols.split(",")]

    @property
    def symbol_list(self) -> list[str]:
        """The symbols, one an element: in upper case, but as they were given for a tape."""
        is_tape = self.source.startswith("tape:")
        return [symbol if is_tape else upper(symbol) for symbol in self._names]

    @property
    def plays_locally(self) -> bool:
        """Whether the built-in exchange is the venue."""
        return self.source.partition(":")[0] in ("sim", "tape")

    @property
    def waits(self) -> bool:
        """Whether the market waits for its trainers: it could be over before they have learned."""
        return self.plays_locally and (self.source.startswith("tape:") or self.speed > 1)


def is_text(value: str) -> bool:
    """Return whether a setting is text: a name on disk may be of any bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_address(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urllib.parse.urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        return False
