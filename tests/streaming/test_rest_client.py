"""REST against a small real HTTP server."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from streaming import rest_client
from streaming.errors import RepairError
from streaming.rest_client import MAX_REPAIR, fetch_before, fetch_range, get, on_this_machine
from streaming.ticks import NS_PER_S, REPAIRED
from streaming.venues.binance import Binance

T0_MS = 1_700_000_000_000


class Rest:
    """Trades 10 a second, ``ids`` of them; ``script`` has what to answer instead, in turn."""

    def __init__(self, server, requests):
        self.server, self.requests = server, requests
        self.ids = range(1, 5001)
        self.script = []
        self.venue = Binance(("X",), rest=f"http://127.0.0.1:{server.server_port}")

    def rows(self, first, limit):
        found = [i for i in self.ids if i >= first][:limit]
        return [
            {"id": i, "price": str(i), "qty": "1", "quoteQty": str(i), "time": T0_MS + 100 * i,
             "isBuyerMaker": i % 2 == 0, "isBestMatch": True}
            for i in found
        ]  # fmt: skip

    def fetch(self, first, last):
        return asyncio.run(fetch_range(self.venue, "X", first, last))


@pytest.fixture
def rest():
    requests = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            query = {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
            requests.append((int(query.get("fromId", -1)), int(query.get("limit", -1))))
            status, headers, body = 200, {}, None
            if rest.script:
                status, headers, body = rest.script.pop(0)
            if body is None:
                body = json.dumps(rest.rows(*requests[-1])).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        rest = Rest(server, requests)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield rest
        server.shutdown()


def test_a_range_is_both_ends_included(rest):
    ticks = rest.fetch(7, 9)
    assert ticks["id"].tolist() == [7, 8, 9]
    assert (ticks["flags"] == REPAIRED).all()
    assert abs(ticks["ts_init"][0] - time.time_ns()) < 60 * NS_PER_S
    assert rest.requests == [(7, 3)]


def test_a_large_range_is_paged(rest):
    assert rest.fetch(5, 2504)["id"].tolist() == list(range(5, 2505))
    assert rest.requests == [(5, 1000), (1005, 1000), (2005, 500)]


def test_what_the_venue_does_not_have_is_left_out(rest):
    rest.ids = [*range(1, 10), 12, 15, *range(100, 200)]
    assert rest.fetch(8, 20)["id"].tolist() == [8, 9, 12, 15]
    assert len(rest.fetch(30, 90)) == 0
    assert len(rest.fetch(500, 600)) == 0


def test_rows_in_any_order_and_below_the_range_are_put_right(rest):
    rest.script = [(200, {}, json.dumps(rest.rows(3, 10)[::-1]).encode())]
    assert rest.fetch(5, 9)["id"].tolist() == [5, 6, 7, 8, 9]


def test_a_hole_too_large_is_not_asked_for(rest):
    with pytest.raises(RepairError, match="50001 trades are missing"):
        rest.fetch(1, MAX_REPAIR + 1)
    assert rest.requests == []


def test_after_a_429_it_waits_as_asked_and_goes_on(rest):
    rest.script = [(429, {"Retry-After": "0.3"}, b"")]
    before = time.monotonic()
    assert len(rest.fetch(1, 3)) == 3
    assert time.monotonic() - before >= 0.3
    assert len(rest.requests) == 2


def test_a_server_error_is_tried_again_a_few_times(rest):
    rest.script = [(503, {"Retry-After": "0"}, b"")] * 5
    with pytest.raises(RepairError, match="HTTP 503"):
        rest.fetch(1, 3)
    assert len(rest.requests) == rest_client.TRIES


@pytest.mark.parametrize(
    ("status", "headers"),
    [(404, {}), (418, {"Retry-After": "0"}), (403, {}), (400, {}), (429, {"Retry-After": "120"}),
     (429, {"Retry-After": "nan"})],
)  # fmt: skip
def test_a_refusal_that_will_not_pass_soon_is_not_tried_again(rest, status, headers):
    rest.script = [(status, headers, b"{}")] * 5
    with pytest.raises(RepairError, match=f"HTTP {status}"):
        rest.fetch(1, 3)
    assert len(rest.requests) == 1


def test_a_retry_time_given_as_a_date_counts_as_a_short_one(rest):
    rest.script = [(429, {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, b"")]
    assert len(rest.fetch(1, 3)) == 3


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"code":-1121,"msg":"Invalid symbol."}', b"[1, 2]", b"[{}]", b"\xff", None],
)
def test_a_reply_that_is_no_list_of_trades_is_a_repair_error(rest, body):
    if body is None:  # cut off
        body = json.dumps(rest.rows(1, 3)).encode()[:-5]
    rest.script = [(200, {}, body)]
    with pytest.raises(RepairError, match="not a list of trades"):
        rest.fetch(1, 3)


def test_a_reply_without_end_is_not_read_to_the_end(rest, monkeypatch):
    monkeypatch.setattr(rest_client, "MAX_REPLY_BYTES", 1000)
    with pytest.raises(RepairError, match="not a list of trades"):
        rest.fetch(1, 500)


def test_a_venue_that_is_not_there_is_a_repair_error():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(RepairError, match=f"127.0.0.1:{port}.*refused"):
        asyncio.run(get(f"http://127.0.0.1:{port}/"))


def test_a_venue_that_does_not_answer_is_a_repair_error(monkeypatch):
    monkeypatch.setattr(rest_client, "TIMEOUT_S", 0.2)
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        pytest.raises(RepairError, match="timed out"),
    ):
        asyncio.run(get(f"http://127.0.0.1:{server.getsockname()[1]}/"))


def test_no_proxy_is_asked_for_this_machine(rest, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert len(rest.fetch(1, 3)) == 3


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:80/x", True),
        ("ws://localhost", True),
        ("http://[::1]:8", True),
        ("https://api.binance.com", False),
        ("http://127.evil.example", False),
    ],
)
def test_this_machine_is_known_by_its_loopback_names(url, here):
    assert on_this_machine(url) is here


def before(rest, first, seconds=10**6, most=10**6):
    since = (T0_MS + 100 * first) * 10**6 - seconds * NS_PER_S
    return asyncio.run(fetch_before(rest.venue, "X", first, since, most))


def test_history_ends_where_the_stream_begins_and_reaches_back_as_far_as_wanted(rest):
    ticks = before(rest, 4001, seconds=150)
    assert ticks["id"].tolist() == list(range(2501, 4001))
    assert rest.requests == [(3001, 1000), (2001, 1000)]


def test_history_has_no_more_trades_than_asked_for(rest):
    assert before(rest, 4001, most=1200)["id"].tolist() == list(range(2801, 4001))


def test_history_ends_with_the_first_trade_the_venue_has(rest):
    rest.ids = range(3500, 5001)
    assert before(rest, 4001)["id"].tolist() == list(range(3500, 4001))
    rest.ids = range(1, 5001)
    assert before(rest, 4001)["id"].tolist() == list(range(1, 4001))
    rest.ids = range(0, 5001)
    assert before(rest, 3)["id"].tolist() == [0, 1, 2]


def test_a_venue_without_history_gives_none(rest):
    rest.ids = range(4001, 5001)
    assert len(before(rest, 4001)) == 0
    assert len(before(rest, 0)) == 0


def test_get_returns_the_body(rest):
    rest.script = [(200, {}, b"hello")]
    url = f"http://127.0.0.1:{rest.server.server_port}/api/v3/time"
    assert asyncio.run(get(url)) == b"hello"
