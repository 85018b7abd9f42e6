"""The settings of the stream: what the exchange and the feed need to know."""

from __future__ import annotations

import dataclasses

from streaming.errors import ConfigError
from streaming.markets import LOCAL, SOURCES, Market, addresses_of, markets_of
from streaming.program.settings import Settings, setting
from streaming.ticks import NS_PER_S
from streaming.venues.registry import VENUES

HOUR_S = 3600


@dataclasses.dataclass(frozen=True, kw_only=True)
class SeedConfig(Settings):
    """What everything that draws numbers needs to know."""

    seed: int = setting(0, "seed of every random generator", low=0, high=2**31 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class BarConfig(SeedConfig):
    """What everything that makes or reads bars needs to know."""

    bar_seconds: int = setting(
        1,
        "length of a bar; what is counted in bars (windows, history, horizon) is so much longer",
        unit="s",
        low=1,
        high=3600,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if HOUR_S % self.bar_seconds:
            raise ConfigError(
                f"bar_seconds: got {self.bar_seconds}; allowed: divisors of an hour, as 1, 5, 15,"
                " 60, 300"
            )

    @property
    def bar_ns(self) -> int:
        """The length of a bar, ns."""
        return self.bar_seconds * NS_PER_S


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamConfig(BarConfig):
    """Where ticks come from and how they are kept."""

    source: str = setting(
        "sim",
        f"where ticks come from: {SOURCES}; after PATH may follow what a file does not say:"
        " ?venue=NAME&columns=id,price,size,-,time,maker&unit=ms&sort=id",
    )
    symbols: str = setting(
        "BTCUSDT",
        "markets to follow, spelled as their venue or tape does, separated by commas; those of"
        " another venue than the source: VENUE:SYMBOL",
    )
    venue_ws: str = setting(
        "",
        "the websocket address of the source's venue, if not the public one; of another venue:"
        " NAME=ADDRESS; separated by commas",
    )
    venue_rest: str = setting(
        "", "the REST address of the source's venue, if not the public one; others as above"
    )
    channel: str = setting(
        "trade",
        "of Binance spot: each trade, or trades aggregated by taker order (cheaper to repair)",
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
        86_400, "bars kept a symbol: 24 h of 1-s bars", unit="bars", low=600, high=10_000_000
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
        is_known = not rest if kind in VENUES else kind in LOCAL and (kind == "sim" or bool(rest))
        if not is_known:
            raise ConfigError(f"source: got {self.source!r}; allowed: {SOURCES}")
        for checked in ("markets", "ws_addresses", "rest_addresses"):
            getattr(self, checked)

    @property
    def markets(self) -> list[Market]:
        """The markets, in the order in which they were named."""
        return markets_of(self.source, self.symbols)

    @property
    def symbol_list(self) -> list[str]:
        """The markets' names."""
        return [market.name for market in self.markets]

    @property
    def ws_addresses(self) -> dict[str, str]:
        """The websocket addresses that are not the public ones, by venue."""
        return addresses_of("venue_ws", self.venue_ws, self._venue, ("ws", "wss"))

    @property
    def rest_addresses(self) -> dict[str, str]:
        """The REST addresses that are not the public ones, by venue."""
        return addresses_of("venue_rest", self.venue_rest, self._venue, ("http", "https"))

    @property
    def _venue(self) -> str:
        return self.source.partition(":")[0]

    @property
    def plays_locally(self) -> bool:
        """Whether the built-in exchange is the venue."""
        return self._venue in LOCAL

    @property
    def waits(self) -> bool:
        """Whether the market waits for its trainers: it could be over before they have learned."""
        return self.plays_locally and (self.source.startswith("tape:") or self.speed > 1)
