"""The exchange's REST side, as a function of what has happened."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from streaming.exchange.protocol.quotes import BOOK, NO_BOOKS
from streaming.exchange.protocol.rest import Rest
from streaming.exchange.protocol.trades import History, with_aggregates
from streaming.ticks import NS_PER_MS, NS_PER_US, make_ticks

MS = 1_700_000_000_000


def history(n: int) -> History:
    """Trades 1 to n, two a ms of one side and price: aggregate i has trades 2i - 1 and 2i."""
    ticks = make_ticks(n)
    ticks["id"] = np.arange(1, n + 1)
    ticks["ts_event"] = (MS + np.arange(n) // 2) * NS_PER_MS
    ticks["price"], ticks["size"], ticks["side"] = 2.5, 0.1, 1
    kept = History()
    kept.append(with_aggregates(ticks, ticks["ts_event"]))
    return kept


def book() -> np.ndarray:
    quote = np.zeros(1, BOOK)
    quote["bid"], quote["bid_size"], quote["ask"], quote["ask_size"] = 2.4, 7, 2.5, 1e-7
    return quote


def ask(path: str, unit_ns: int = NS_PER_MS, n: int = 2000, **query: object) -> tuple[int, Any]:
    books = {"BTCUSDT": book(), "EMPTYUSD": NO_BOOKS}
    histories = {"BTCUSDT": history(n), "EMPTYUSD": History()}
    rest = Rest(histories, lambda: (MS + 5) * NS_PER_MS, books.__getitem__)
    texts = {name: str(value) for name, value in query.items()}
    status, body = rest.get(f"/api/v3/{path}", texts, unit_ns)
    return status, msgspec.json.decode(body)


def ids(path: str, **query: object) -> list[int]:
    status, rows = ask(path, symbol="BTCUSDT", **query)
    assert status == 200
    return [row["a" if path == "aggTrades" else "id"] for row in rows]


def test_ping_and_time_answer_as_the_venue_does() -> None:
    assert ask("ping") == (200, {})
    assert ask("time") == (200, {"serverTime": MS + 5})
    assert ask("time", NS_PER_US) == (200, {"serverTime": (MS + 5) * 1000})


@pytest.mark.parametrize("path", ["trades", "historicalTrades"])
def test_the_newest_trades_come_oldest_first_500_unless_asked(path) -> None:
    assert ids(path) == list(range(1501, 2001))
    assert ids(path, limit=2) == [1999, 2000]
    assert ids(path, limit=5000) == list(range(1001, 2001))


def test_historical_trades_start_at_the_id_asked_for() -> None:
    assert ids("historicalTrades", fromId=7, limit=3) == [7, 8, 9]
    assert ids("historicalTrades", fromId=1999) == [1999, 2000]
    assert ids("historicalTrades", fromId=2001) == []


def test_a_trade_row_has_binance_s_fields() -> None:
    assert ask("trades", symbol="BTCUSDT", limit=1)[1] == [
        {
            "id": 2000,
            "price": "2.5",
            "qty": "0.1",
            "quoteQty": "0.25",
            "time": MS + 999,
            "isBuyerMaker": False,
            "isBestMatch": True,
        }
    ]


def test_an_aggregate_row_has_binance_s_fields() -> None:
    row = {"a": 1000, "p": "2.5", "q": "0.2", "f": 1999, "l": 2000, "T": MS + 999}
    assert ask("aggTrades", symbol="BTCUSDT", limit=1)[1] == [{**row, "m": False, "M": True}]


def test_aggregates_are_found_by_id_and_by_time_ends_included() -> None:
    assert ids("aggTrades", fromId=7, limit=3) == [7, 8, 9]
    assert ids("aggTrades", startTime=MS + 3, endTime=MS + 5) == [4, 5, 6]
    assert ids("aggTrades", startTime=MS + 3, limit=2) == [4, 5]
    assert ids("aggTrades", endTime=MS + 5, limit=2) == [5, 6]
    assert ids("aggTrades", limit=2) == [999, 1000]


def test_an_aggregate_whose_last_trade_has_not_happened_is_not_served() -> None:
    half = history(4)
    cut = History()
    cut.append(half.trades[:3])
    rest = Rest({"BTCUSDT": cut}, int, lambda symbol: NO_BOOKS)
    _, body = rest.get("/api/v3/aggTrades", {"symbol": "BTCUSDT"}, 1)
    assert [row["a"] for row in msgspec.json.decode(body)] == [1]


def test_a_market_without_trades_has_empty_lists() -> None:
    for path in ("trades", "historicalTrades", "aggTrades"):
        assert ask(path, symbol="EMPTYUSD") == (200, [])


def test_exchange_info_tells_base_and_quote() -> None:
    symbol = ask("exchangeInfo", symbol="BTCUSDT")[1]["symbols"][0]
    assert (symbol["baseAsset"], symbol["quoteAsset"]) == ("BTC", "USDT")
    assert len(ask("exchangeInfo")[1]["symbols"]) == 2


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("trades", {}, -1102),
        ("trades", {"symbol": "DOGEUSDT"}, -1121),
        ("exchangeInfo", {"symbol": "DOGEUSDT"}, -1121),
        ("trades", {"symbol": "BTCUSDT", "limit": "ten"}, -1100),
        ("historicalTrades", {"symbol": "BTCUSDT", "fromId": "-1"}, -1100),
        ("aggTrades", {"symbol": "BTCUSDT", "fromId": "1", "startTime": "1"}, -1128),
    ],
)
def test_wrong_requests_get_binance_s_error_codes(path, query, code) -> None:
    status, body = ask(path, **query)
    assert (status, body["code"]) == (400, code)


def test_an_invalid_symbol_is_said_in_binance_s_words() -> None:
    assert ask("trades", symbol="X")[1] == {"code": -1121, "msg": "Invalid symbol."}


def test_an_unknown_path_is_not_found() -> None:
    assert ask("klines", symbol="BTCUSDT")[0] == 404


def test_the_newest_quote_has_binance_s_fields_and_zeros_stand_for_none() -> None:
    here = {"symbol": "BTCUSDT", "bidPrice": "2.4", "bidQty": "7.0", "askPrice": "2.5",
            "askQty": "0.0000001"}  # fmt: skip
    assert ask("ticker/bookTicker", symbol="btcusdt") == (200, here)
    status, rows = ask("ticker/bookTicker")
    assert (status, rows[0], rows[1]["bidPrice"]) == (200, here, "0.0")
    assert ask("ticker/bookTicker", symbol="NONE")[0] == 400
