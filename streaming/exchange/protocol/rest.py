"""The REST side: a path and its query -> status and JSON, from what has happened so far. Pure.

Error codes are Binance's, see errors.md of its spot API documentation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np

from streaming.exchange.protocol.errors import RequestError
from streaming.exchange.protocol.quotes import Books
from streaming.exchange.protocol.rest_rows import agg_rows, book_row, trade_rows
from streaming.exchange.protocol.trades import History, Trades
from streaming.symbols import same_but_for_case
from streaming.ticks import FOR_EVER, NS_PER_MS

MAX_LIMIT = 1000
QUOTES = ("FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "EUR", "BTC", "ETH", "BNB")


class Rest:
    """Answer GET requests.

    Args:
        histories: the trades of each symbol so far.
        market_ns: returns the market's time, ns.
        book: returns the newest quote of a symbol, ``(1,)``, or ``(0,)``.
    """

    def __init__(
        self,
        histories: Mapping[str, History],
        market_ns: Callable[[], int],
        book: Callable[[str], Books],
    ) -> None:
        self._histories, self._market_ns, self._book = histories, market_ns, book
        self._paths: dict[str, Callable[[Mapping[str, str], int], Any]] = {
            "ping": lambda query, unit_ns: {},
            "time": lambda query, unit_ns: {"serverTime": self._market_ns() // unit_ns},
            "exchangeInfo": self._exchange_info,
            "trades": self._recent_trades,
            "historicalTrades": self._historical_trades,
            "aggTrades": self._agg_trades,
            "ticker/bookTicker": self._book_ticker,
        }

    def get(self, path: str, query: Mapping[str, str], unit_ns: int) -> tuple[int, bytes]:
        """Return status and JSON body of a request; times are in units of ``unit_ns``."""
        try:
            answer = self._paths.get(path.removeprefix("/api/v3/"))
            if answer is None or not path.startswith("/api/v3/"):
                raise RequestError(-1000, f"Unknown path {path}.", 404)
            return 200, msgspec.json.encode(answer(query, unit_ns))
        except RequestError as e:
            return e.status, msgspec.json.encode(e.reply)

    def _trades(self, query: Mapping[str, str]) -> Trades:
        if not query.get("symbol"):
            raise RequestError(
                -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed."
            )
        return self._histories[self._spelled(query["symbol"])].trades

    def _spelled(self, symbol: str) -> str:
        """Return a symbol as the market spells it; its case does not matter, as in streams."""
        alike = same_but_for_case(symbol, self._histories)
        if not alike:
            raise RequestError(-1121, "Invalid symbol.")
        return alike[0]

    def _recent_trades(self, query: Mapping[str, str], unit_ns: int) -> Any:
        trades, limit = self._trades(query), _limit(query)
        return trade_rows(trades[-limit:], unit_ns)

    def _historical_trades(self, query: Mapping[str, str], unit_ns: int) -> Any:
        if "fromId" not in query:
            return self._recent_trades(query, unit_ns)
        trades, limit = self._trades(query), _limit(query)
        # A recorded tape may repeat ids, so this looks at all of them.
        found = np.flatnonzero(trades["id"] >= _number(query, "fromId"))[:limit]
        return trade_rows(trades[found], unit_ns)

    def _agg_trades(self, query: Mapping[str, str], unit_ns: int) -> Any:
        timed = "startTime" in query or "endTime" in query
        if "fromId" in query and timed:
            raise RequestError(-1128, "Combination of optional parameters invalid.")
        trades, limit = self._trades(query), _limit(query)
        trades = trades[trades["closes"]]
        ms = trades["ts_event"] // NS_PER_MS
        wanted = (trades["agg_id"] >= _number(query, "fromId", 0)) & (
            (ms >= _number(query, "startTime", 0)) & (ms <= _number(query, "endTime", FOR_EVER))
        )
        found = np.flatnonzero(wanted)
        oldest_first = "fromId" in query or "startTime" in query
        return agg_rows(trades[found[:limit] if oldest_first else found[-limit:]], unit_ns)

    def _book_ticker(self, query: Mapping[str, str], unit_ns: int) -> Any:
        if "symbol" not in query:
            return [book_row(symbol, self._book(symbol)) for symbol in self._histories]
        symbol = self._spelled(query["symbol"])
        return book_row(symbol, self._book(symbol))

    def _exchange_info(self, query: Mapping[str, str], unit_ns: int) -> Any:
        symbols = list(self._histories)
        if "symbol" in query:
            symbols = [self._spelled(query["symbol"])]
        return {
            "timezone": "UTC",
            "serverTime": self._market_ns() // unit_ns,
            "rateLimits": [],
            "exchangeFilters": [],
            "symbols": [_symbol_info(symbol) for symbol in symbols],
        }


def _symbol_info(symbol: str) -> dict[str, Any]:
    quote = next((quote for quote in QUOTES if symbol.endswith(quote) and symbol != quote), "")
    return {
        "symbol": symbol,
        "status": "TRADING",
        "baseAsset": symbol.removesuffix(quote).rstrip("-_"),
        "quoteAsset": quote,
        "isSpotTradingAllowed": True,
        "orderTypes": [],
        "filters": [],
        "permissions": ["SPOT"],
    }


def _limit(query: Mapping[str, str]) -> int:
    return min(max(_number(query, "limit", 500), 1), MAX_LIMIT)


def _number(query: Mapping[str, str], name: str, default: int | None = None) -> int:
    text = query.get(name, default)
    try:
        number = int(str(text))
    except ValueError:
        number = -1
    if not 0 <= number < 2**63:
        raise RequestError(
            -1100,
            f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.",
        )
    return number
