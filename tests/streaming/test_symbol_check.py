"""What a live venue is asked before anything starts."""

from __future__ import annotations

import socket
import time

import pytest

from streaming.config import StreamConfig
from streaming.errors import ConfigError
from streaming.feed.rest import symbol_check
from streaming.feed.rest.symbol_check import check_venue
from tests.streaming.rest_server import rest_server

INVALID = (400, {}, b'{"code":-1121,"msg":"Invalid symbol."}')
KNOWN = (200, {}, b'{"symbols":[{"symbol":"BTCUSDT"}]}')


@pytest.fixture
def rest():
    with rest_server() as rest:
        yield rest


def config_for(url, symbols="BTCUSDT", **settings):
    ws = url.replace("http", "ws")
    return StreamConfig(source="binance", symbols=symbols, venue_rest=url, venue_ws=ws, **settings)


def test_symbols_that_the_venue_does_not_have_are_named_in_one_line(rest):
    rest.script = [KNOWN, INVALID, INVALID]
    with pytest.raises(ConfigError, match="symbols: BTCUSD, DOGE is unknown to binance") as error:
        check_venue(config_for(rest.url, "BTCUSDT,BTCUSD,DOGE"))
    assert "\n" not in str(error.value)
    assert rest.paths == [
        f"/api/v3/exchangeInfo?symbol={name}" for name in ("BTCUSDT", "BTCUSD", "DOGE")
    ]


def test_symbols_that_it_has_are_fine(rest):
    rest.script = [KNOWN]
    check_venue(config_for(rest.url))


@pytest.mark.parametrize(
    "answer",
    [(451, {}, b"<html>"), (429, {"Retry-After": "20"}, b""), (200, {}, b"<html>"), (500, {}, b"")],
)
def test_a_venue_that_says_nothing_of_a_symbol_is_no_error(rest, answer):
    rest.script = [answer] * 9
    check_venue(config_for(rest.url, "BTCUSDT,ETHUSDT"))


def test_a_venue_that_does_not_answer_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(symbol_check, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        before = time.monotonic()
        check_venue(config_for(f"http://127.0.0.1:{server.getsockname()[1]}"))
        assert time.monotonic() - before < 8  # a request alone may take 10 s


def test_a_proxy_that_the_stream_cannot_use_is_refused(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(ConfigError, match=r"https_proxy names the proxy .* python-socks"):
        check_venue(StreamConfig(source="binance"))
