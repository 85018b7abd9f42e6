"""Requests to a venue, against a small real HTTP server."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest

from streaming.errors import RepairError, UnknownSymbolError
from streaming.feed.rest import rest_client
from streaming.feed.rest.rest_client import RestClient
from streaming.feed.rest.venue_clock import steady_ns
from streaming.venues import RestRequest
from streaming.venues.binance import Binance
from tests.streaming.rest_server import rest_server

INVALID_SYMBOL = b'{"code":-1121,"msg":"Invalid symbol."}'


@pytest.fixture
def rest():
    with rest_server() as rest:
        yield rest


def get(rest, *, weight=1, patience=5.0):
    """The body of one GET by a client of its own."""
    return asyncio.run(many(rest, 1, weight=weight, patience=patience))[0]


async def many(rest, n, *, weight=1, patience=5.0):
    """The bodies, or errors, of n GETs at once by one client."""
    client = RestClient(rest.venue)
    request = RestRequest(f"{rest.url}/x", weight)
    replies = await asyncio.gather(
        *(client.get(request, patience) for _ in range(n)), return_exceptions=True
    )
    if n == 1 and isinstance(replies[0], BaseException):
        raise replies[0]
    return [reply.body if isinstance(reply, rest_client.TimedReply) else reply for reply in replies]


def test_a_reply_has_its_body_and_its_times(rest):
    async def ask():
        rest.script = [(200, {}, b"hello")]
        return await RestClient(rest.venue).get(RestRequest(f"{rest.url}/x", 1), 1)

    before = steady_ns()
    reply = asyncio.run(ask())
    assert reply.body == b"hello"
    assert before < reply.sent < reply.received < steady_ns()


def test_after_a_429_all_wait_as_asked_and_go_on_one_after_the_other(rest):
    rest.script = [(429, {"Retry-After": "0.3"}, b"")]
    before = time.monotonic()
    replies = asyncio.run(many(rest, 8))
    assert time.monotonic() - before >= 0.3
    assert len(rest.requests) == 9
    assert not any(isinstance(reply, BaseException) for reply in replies)


def test_a_ban_is_waited_out_by_nobody_and_asked_about_by_nobody_else(rest):
    rest.script = [(418, {"Retry-After": "120"}, b"")]
    replies = asyncio.run(many(rest, 8))
    assert all("HTTP 418" in str(reply) for reply in replies)
    assert len(rest.requests) == 1


@pytest.mark.parametrize("header", ["nan", "inf", "-1", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_a_429_that_names_no_seconds_stops_requests_for_a_minute(rest, header):
    rest.script = [(429, {"Retry-After": header}, b"")]
    with pytest.raises(RepairError, match="HTTP 429"):
        get(rest, patience=59)
    assert len(rest.requests) == 1


def test_a_server_error_is_tried_again_a_few_times(rest):
    rest.script = [(503, {"Retry-After": "0"}, b"")] * 5
    with pytest.raises(RepairError, match="HTTP 503"):
        get(rest)
    assert len(rest.requests) == rest_client.TRIES


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_not_tried_again(rest, status):
    rest.script = [(status, {}, b'{"code":-2014,"msg":"API-key format invalid."}')] * 5
    with pytest.raises(RepairError, match=rf"HTTP {status}: API-key format invalid. \(-2014\); --"):
        get(rest)
    assert len(rest.requests) == 1


@pytest.mark.parametrize("status", [403, 451])
def test_a_block_of_the_region_stops_requests_for_minutes(rest, status):
    rest.script = [(status, {}, b"<html>not here</html>")] * 5
    replies = asyncio.run(many(rest, 3, patience=60))
    assert all(f"HTTP {status}" in str(reply) for reply in replies)
    assert len(rest.requests) == 1


def test_a_symbol_that_the_venue_does_not_have_is_an_error_of_its_own(rest):
    rest.script = [(400, {}, INVALID_SYMBOL)]
    with pytest.raises(UnknownSymbolError, match="Invalid symbol"):
        get(rest)


def test_the_weight_of_all_requests_stays_below_the_venues_limit(rest):
    replies = asyncio.run(many(rest, 8, weight=1000, patience=1))
    asked = sum(not isinstance(reply, BaseException) for reply in replies)
    assert (asked, len(rest.requests)) == (4, 4)
    assert any("limit of requests" in str(reply) for reply in replies)


def test_what_others_at_this_address_have_used_up_counts(rest):
    rest.script = [(200, {"X-MBX-USED-WEIGHT-1M": "4790"}, b"")]
    replies = asyncio.run(many(rest, 2, weight=25, patience=1))
    assert [isinstance(reply, RepairError) for reply in replies] == [False, True]


def test_a_reply_without_end_is_not_read_to_the_end(rest, monkeypatch):
    monkeypatch.setattr(rest_client, "MAX_REPLY_BYTES", 1000)
    rest.script = [(200, {}, b"x" * 100_000)]
    assert len(get(rest)) == 1000


def test_a_venue_that_is_not_there_is_a_repair_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    client = RestClient(Binance(("X",)))
    with pytest.raises(RepairError, match=f"127.0.0.1:{port}.*refused"):
        asyncio.run(client.get(RestRequest(f"http://127.0.0.1:{port}/", 1), 1))


def test_who_waits_for_a_venue_that_does_not_answer_need_not_find_that_out_again(monkeypatch):
    monkeypatch.setattr(rest_client, "TIMEOUT_S", 1.0)

    async def ask(url):
        client = RestClient(Binance(("X",)))
        asked = (client.get(RestRequest(url, 1), 0.1) for _ in range(5))
        return await asyncio.gather(*asked, return_exceptions=True)

    with socket.create_server(("127.0.0.1", 0)) as server:
        before = time.monotonic()
        replies = asyncio.run(ask(f"http://127.0.0.1:{server.getsockname()[1]}/"))
        assert time.monotonic() - before < 4
    assert all("timed out" in str(reply) for reply in replies)


@pytest.mark.parametrize(
    "url", ["http://a b/", "http://[::1/", "http://é\x00/", "http://" + "x" * 99]
)
def test_an_address_that_is_none_is_a_repair_error(url, monkeypatch):
    monkeypatch.setattr(rest_client, "proxy_fault", lambda url: "")
    monkeypatch.setattr(rest_client, "on_this_machine", lambda url: True)
    with pytest.raises(RepairError):
        asyncio.run(RestClient(Binance(("X",))).get(RestRequest(url, 1), 1))


def test_no_proxy_is_asked_for_this_machine(rest, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert get(rest)


def test_a_proxy_that_rest_cannot_go_through_is_named(monkeypatch):
    monkeypatch.setenv("https_proxy", "socks5://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    client = RestClient(Binance(("X",)))
    with pytest.raises(RepairError, match=r"https_proxy names the proxy socks5://127.0.0.1:9"):
        asyncio.run(client.get(client._venue.time_request(), 1))
