"""The markets that a session follows, and where its venues are, as settings name them. Pure.

    --source binance --symbols BTCUSDT,coinbase:BTC-USD
    --venue_ws ws://127.0.0.1:1,coinbase=ws://127.0.0.1:2

A market's name is its symbol; of several venues it is VENUE:SYMBOL.
"""

from __future__ import annotations

import urllib.parse
from typing import NamedTuple

from streaming.errors import ConfigError
from streaming.symbols import MAX_SYMBOL_CHARS, is_symbol, upper
from streaming.venues.registry import VENUES

LOCAL = ("sim", "tape")  # played by the built-in exchange
SOURCES = f"sim, sim:<market>, tape:PATH or {', '.join([*VENUES][:-1])} or {[*VENUES][-1]}"


class Market(NamedTuple):
    """A market of a session.

    Attributes:
        name: ours.
        venue: whose it is; that of the built-in exchange is ``sim`` or ``tape``.
        symbol: as its venue or tape spells it.
    """

    name: str
    venue: str
    symbol: str


def markets_of(source: str, symbols: str) -> list[Market]:
    """Return the markets that two settings name.

    Raises:
        ConfigError: if they name what can be no market, or one twice.
    """
    venue = source.partition(":")[0]
    names = [text.strip() for text in symbols.split(",")]
    for name in names:
        if not is_symbol(name):
            raise ConfigError(
                f"symbols: got {name!r}; allowed: names such as BTCUSDT or XBT/USD, of 1 to"
                f" {MAX_SYMBOL_CHARS} characters without blanks, separated by commas"
            )
    found = [_parsed(name, venue) for name in names]
    if len({market.venue for market in found}) > 1:
        found = [market._replace(name=f"{market.venue}:{market.symbol}") for market in found]
    if len({market.name.casefold() for market in found}) != len(found):
        raise ConfigError(f"symbols: got {symbols!r}; allowed: each symbol once")
    return found


def _parsed(text: str, venue: str) -> Market:
    prefix, colon, rest = text.partition(":")
    if venue in LOCAL:  # a tape's symbols may have any characters
        if prefix in VENUES and rest:
            raise ConfigError(
                f"symbols: got {text!r}; allowed: markets of source {venue} only; other venues' go"
                " beside those of a live venue"
            )
        symbol = text if venue == "tape" else upper(text)
        return Market(symbol, venue, symbol)
    if colon and not (prefix in VENUES and rest):
        raise ConfigError(
            f"symbols: got {text!r}; allowed: SYMBOL or VENUE:SYMBOL, of {', '.join(VENUES)}"
        )
    venue, symbol = (prefix, rest) if colon else (venue, text)
    symbol = VENUES[venue].spelled(symbol)
    return Market(symbol, venue, symbol)


def addresses_of(name: str, value: str, venue: str, schemes: tuple[str, ...]) -> dict[str, str]:
    """Return the address of each venue for which a setting gives one.

    Args:
        name: the setting's.
        value: an address of the source's venue, NAME=ADDRESS of others, separated by commas.
        venue: the source's.
        schemes: those allowed.

    Raises:
        ConfigError: if an address is none.

    >>> addresses_of("venue_ws", "ws://a:1,okx=ws://b:2", "binance", ("ws", "wss"))
    {'binance': 'ws://a:1', 'okx': 'ws://b:2'}
    """
    found = {}
    for part in value.split(",") if value else ():
        whose, equals, address = part.strip().partition("=")
        if not equals or whose not in VENUES:
            whose, address = venue, part.strip()
        if not _is_address(address, schemes):
            raise ConfigError(
                f"{name}: got {value!r}; allowed: {schemes[0]}://HOST[:PORT], or of several venues"
                f" NAME={schemes[0]}://HOST[:PORT],..."
            )
        found[whose] = address
    return found


def _is_address(value: str, schemes: tuple[str, ...]) -> bool:
    try:
        parts = urllib.parse.urlsplit(value)
        return parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is none, half an IPv6 address
        return False
