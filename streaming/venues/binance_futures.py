"""Binance's futures: `aggTrade` and `bookTicker` frames and REST replies.

Formats: developers.binance.com, derivatives. Since 2026 trades and quotes are had on two routes; on
the wrong one, and for some on the old one, a subscription is acknowledged and nothing comes. Single
trades are not documented, and cannot be asked for without a key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from streaming.quotes import Quotes
from streaming.ticks import Ticks
from streaming.venues import Link, RestLimit, RestRequest, Span, Terms
from streaming.venues.binance import TIME_WEIGHT, USED_WEIGHT, Binance

AGG_TRADES_WEIGHT, PRICE_WEIGHT = 20, 1

# What a contract of COIN-M is worth, in USD.
BITCOIN_CONTRACT, OTHER_CONTRACT = 100.0, 10.0


class BinanceUsdM(Binance):
    """Binance USD-M futures: sizes in base currency."""

    name = "binance-usdm"
    ws_public, rest_public = "wss://fstream.binance.com", "https://fapi.binance.com"
    terms = Terms(
        limit=RestLimit(2400, 60.0, USED_WEIGHT),
        connects=(150, 300.0),
        page=1000,
        taker_fee_bps=5.0,
        lifetime_s=24 * 3600.0,
    )
    one_order = False
    api: ClassVar[str] = "/fapi/v1"

    def __init__(self, markets: Iterable[str] | Mapping[str, str], **settings: Any) -> None:
        super().__init__(markets, **{**settings, "channel": "aggTrade"})

    def links(self) -> list[Link]:
        """Return a connection for trades and one for quotes, each with the old route behind it."""
        links = []
        for carries, route, channel in (
            ("trades", "/market/stream", self.channel), ("quotes", "/public/stream", "bookTicker")
        ):  # fmt: skip
            routes = self._route(route, [channel]), self._route("/stream", [channel])
            links.append(Link(carries, routes))
        return links if self.quotes else links[:1]

    def history_request(self, market: str, span: Span, limit: int) -> RestRequest:
        """Return the request for ``limit`` trades from the first of ``span`` on."""
        since = "" if span.first is None else f"&fromId={span.first}"
        query = f"symbol={self._in_query(market)}{since}&limit={limit}"
        return RestRequest(f"{self._rest}{self.api}/aggTrades?{query}", AGG_TRADES_WEIGHT)

    def time_request(self) -> RestRequest:
        """Return the request for the venue's clock."""
        return RestRequest(f"{self._rest}{self.api}/time", TIME_WEIGHT)

    def symbol_request(self, market: str) -> RestRequest:
        """Return the request for a symbol's price: what is known of it, is said of all only."""
        query = f"symbol={self._in_query(market)}"
        return RestRequest(f"{self._rest}{self.api}/ticker/price?{query}", PRICE_WEIGHT)


class BinanceCoinM(BinanceUsdM):
    """Binance COIN-M futures: sizes in contracts of 100 USD of bitcoin, of 10 USD of others."""

    name, example = "binance-coinm", "BTCUSD_PERP"
    ws_public, rest_public = "wss://dstream.binance.com", "https://dapi.binance.com"
    one_order = True
    api = "/dapi/v1"

    def links(self) -> list[Link]:
        """Return the one connection; some say that since 2026 trades come by the new route only."""
        channels = [self.channel, *["bookTicker"] * self.quotes]
        carries = "trades and quotes" if self.quotes else "trades"
        routes = self._route("/stream", channels), self._route("/market/stream", channels)
        return [Link(carries, routes)]

    def _in_base(self, market: str, ticks: Ticks) -> Ticks:
        with np.errstate(divide="ignore", invalid="ignore"):
            ticks["size"] *= self._contract(market) / ticks["price"]
        return ticks

    def _fresh(self, market: str, quotes: Quotes) -> Quotes:
        quotes = super()._fresh(market, quotes)
        with np.errstate(divide="ignore", invalid="ignore"):
            for side in ("bid", "ask"):
                quotes[f"{side}_size"] *= self._contract(market) / quotes[side]
        return quotes

    def _contract(self, market: str) -> float:
        of_bitcoin = self.symbols[market].startswith("BTCUSD")
        return BITCOIN_CONTRACT if of_bitcoin else OTHER_CONTRACT
