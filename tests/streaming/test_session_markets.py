"""Which markets of which venues a session follows."""

from __future__ import annotations

import pytest

from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.markets import Market
from streaming.venues.chosen import venues_of
from streaming.venues.registry import TAKER_FEES_BPS, VENUES


def config_of(source, symbols, **settings):
    return StreamConfig(source=source, symbols=symbols, **settings)


@pytest.mark.parametrize(
    ("source", "symbols", "names"),
    [
        ("binance", "btcusdt,ETHUSDT", ["BTCUSDT", "ETHUSDT"]),
        ("binance", "BTCUSDT,coinbase:btc-usd", ["binance:BTCUSDT", "coinbase:BTC-USD"]),
        ("coinbase", "coinbase:BTC-USD", ["BTC-USD"]),
        ("coinbase", "kraken:BTC/USD", ["BTC/USD"]),
        ("kraken", "btc/usd,TSLAx/USD", ["BTC/USD", "TSLAx/USD"]),
        ("binance", "币安人生usdt", ["币安人生USDT"]),
        ("sim", "btcusdt", ["BTCUSDT"]),
        ("tape:x.csv", "coin:btc", ["coin:btc"]),
    ],
)
def test_a_market_is_named_by_its_symbol_and_by_its_venue_where_there_are_several(
    source, symbols, names
):
    assert config_of(source, symbols).symbol_list == names


@pytest.mark.parametrize(
    ("source", "symbols", "allowed"),
    [
        ("binance", "BTCUSDT,nyse:IBM", "SYMBOL or VENUE:SYMBOL, of binance, binance-usdm"),
        ("binance", "BTCUSDT,binance:BTCUSDT", "each symbol once"),
        ("binance", "coinbase:", "SYMBOL or VENUE:SYMBOL"),
        ("sim", "BTCUSDT,coinbase:BTC-USD", "markets of source sim only"),
    ],
)
def test_what_can_be_no_market_is_refused_in_one_line(source, symbols, allowed):
    with pytest.raises(ConfigError) as refusal:
        config_of(source, symbols)
    assert str(refusal.value).startswith("symbols: got ")
    assert allowed in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_each_venue_has_its_own_address():
    config = config_of(
        "binance", "BTCUSDT,okx:BTC-USDT,kraken:BTC/USD", venue_ws="ws://a:1,okx=ws://b:2",
        venue_rest="kraken=http://c:3",
    )  # fmt: skip
    binance, okx, kraken = venues_of(config)
    assert binance.links()[0].routes[0].url.startswith("ws://a:1/stream?streams=btcusdt@trade")
    assert okx.links()[0].routes[0].url == "ws://b:2/ws/v5/business"
    assert kraken.links()[0].routes[0].url == "wss://ws.kraken.com/v2"
    assert kraken.time_request().url == "http://c:3/0/public/Time"
    assert okx.symbols == {"okx:BTC-USDT": "BTC-USDT"}
    assert config.markets[0] == Market("binance:BTCUSDT", "binance", "BTCUSDT")


@pytest.mark.parametrize("value", ["coinbase=http://x", "coinbase=", "ws://a,ws:", "okx=ws://"])
def test_an_address_that_is_none_is_refused_in_one_line(value):
    with pytest.raises(ConfigError, match=r"venue_ws: got .*allowed: ws://HOST\[:PORT\]"):
        config_of("binance", "BTCUSDT", venue_ws=value)


def test_every_venue_states_its_terms():
    for name, venue in VENUES.items():
        assert venue.name == name
        assert venue.terms.limit.weight > 0
        assert 0 < venue.terms.taker_fee_bps <= 100
        assert TAKER_FEES_BPS[name] == venue.terms.taker_fee_bps
        assert venue.spelled(venue.example) == venue.example


@pytest.mark.parametrize("name", VENUES)
def test_quotes_can_be_left_out(name):
    both = VENUES[name](["BTC-USDT"]).links()
    trades = VENUES[name](["BTC-USDT"], quotes=False).links()
    assert len(trades) == 1
    assert "quotes" not in trades[0].carries
    assert "quotes" in "".join(link.carries for link in both)


def test_fifty_symbols_of_bybit_are_asked_for_ten_topics_at_a_time():
    (link,) = VENUES["bybit"]([f"S{n}USDT" for n in range(50)]).links()
    hello = link.routes[0].hello
    assert len(hello) == 10
    assert all(text.count("USDT") == 10 and len(text) < 21_000 for text in hello)
