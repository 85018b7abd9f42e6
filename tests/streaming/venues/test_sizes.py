"""Sizes that venues count in contracts are in base currency."""

from __future__ import annotations

import json

import pytest

from streaming.venues import Span
from streaming.venues.binance_futures import BinanceCoinM
from streaming.venues.okx import Okx

NOW = 1_704_067_200_000


def frame(**data) -> bytes:
    return json.dumps(data).encode()


@pytest.mark.parametrize(("symbol", "worth"), [("BTCUSD_PERP", 100), ("ETHUSD_PERP", 10)])
def test_contracts_of_coin_m_are_of_100_usd_of_bitcoin_and_of_10_of_others(symbol, worth):
    venue = BinanceCoinM((symbol,))
    trade = {"e": "aggTrade", "E": NOW, "a": 5, "s": symbol, "p": "50000", "q": "2", "f": 1, "l": 1,
             "T": NOW, "m": False}  # fmt: skip
    book = {"e": "bookTicker", "u": 7, "s": symbol, "b": "40000", "B": "3", "a": "50000", "A": "4",
            "T": NOW, "E": NOW}  # fmt: skip
    stream = symbol.lower()
    frames = [
        frame(stream=f"{stream}@aggTrade", data=trade),
        frame(stream=f"{stream}@bookTicker", data=book),
    ]
    decoded = venue.decode(frames, [1, 2], 2**62)
    assert decoded.ticks[symbol]["size"].tolist() == [2 * worth / 50_000]
    (quote,) = decoded.quotes[symbol]
    assert quote["bid_size"] == pytest.approx(3 * worth / 40_000)
    assert quote["ask_size"] == pytest.approx(4 * worth / 50_000)
    ticks, _ = venue.parse_history(symbol, json.dumps([trade]).encode(), 1, 2**62)
    assert ticks["size"].tolist() == [2 * worth / 50_000]
    url = venue.history_request(symbol, Span(5, None, 0), 10).url
    assert url == f"https://dapi.binance.com/dapi/v1/aggTrades?symbol={symbol}&fromId=5&limit=10"


@pytest.mark.parametrize(
    ("kind", "value", "mult", "expected"),
    [("linear", "0.01", "1", 0.05), ("linear", "0.01", "10", 0.5), ("inverse", "100", "1", 0.01)],
)
def test_how_large_a_contract_of_okx_is_rest_says(kind, value, mult, expected):
    symbol = "BTC-USD-SWAP"
    venue = Okx((symbol,))
    assert venue.unsized == {symbol}
    row = {"instId": symbol, "ctVal": value, "ctMult": mult, "ctType": kind}
    venue.take_symbol(symbol, frame(code="0", data=[row]))
    assert venue.unsized == set()
    trade = {"instId": symbol, "tradeId": "1", "px": "50000", "sz": "5", "side": "buy",
             "source": "0", "ts": str(NOW)}  # fmt: skip
    sent = frame(arg={"channel": "trades-all", "instId": symbol}, data=[trade])
    assert venue.decode([sent], [1], 2**62).ticks[symbol]["size"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "row", [{}, {"ctVal": "0"}, {"ctType": "", "ctVal": "1"}, {"ctVal": "nan", "ctType": "linear"}]
)
def test_a_contract_without_a_size_is_none(row):
    venue = Okx(("BTC-USD-SWAP",))
    body = frame(code="0", data=[{"instId": "BTC-USD-SWAP", **row}])
    with pytest.raises(ValueError):  # noqa: PT011  (any text)
        venue.take_symbol("BTC-USD-SWAP", body)
    assert venue.unsized
