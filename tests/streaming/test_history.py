"""Trades that a venue still has, against a small real HTTP server."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import pytest

from streaming.errors import RepairError, UnknownSymbolError
from streaming.feed.rest.history import MAX_REPAIR, TradeHistory
from streaming.feed.rest.rest_client import RestClient
from streaming.ticks import NS_PER_S, REPAIRED, VOID
from tests.streaming.rest_server import T0_MS, rest_server


@pytest.fixture
def rest():
    with rest_server() as rest:
        yield rest


def history_of(rest):
    rest.rejected = Counter()

    def count(n, rejected):
        rest.rejected += rejected

    return TradeHistory(rest.venue, RestClient(rest.venue), lambda: 2**62, count)


def between(rest, first, last):
    return asyncio.run(history_of(rest).between("X", first, last, 0))


def before(rest, first, seconds=10**6, most=10**6):
    since = (T0_MS + 100 * first) * 10**6 - seconds * NS_PER_S
    return asyncio.run(history_of(rest).before("X", first, since, most))


def test_a_range_is_both_ends_included(rest):
    ticks = between(rest, 7, 9).ticks
    assert ticks["id"].tolist() == [7, 8, 9]
    assert (ticks["flags"] == REPAIRED).all()
    assert abs(ticks["ts_init"][0] - time.time_ns()) < 60 * NS_PER_S
    assert rest.requests == [(7, 3)]


def test_a_large_range_is_paged(rest):
    assert between(rest, 5, 2504).ticks["id"].tolist() == list(range(5, 2505))
    assert rest.requests == [(1505, 1000), (505, 1000), (5, 500)]


def test_what_the_venue_does_not_have_is_left_out(rest):
    rest.ids = [*range(1, 10), 12, 15, *range(100, 200)]
    assert between(rest, 8, 20).ticks["id"].tolist() == [8, 9, 12, 15]
    assert len(between(rest, 30, 90).ticks) == 0
    assert len(between(rest, 500, 600).ticks) == 0


def test_rows_in_any_order_and_below_the_range_are_put_right(rest):
    rest.script = [(200, {}, json.dumps(rest.rows(3, 10)[::-1]).encode())]
    assert between(rest, 5, 9).ticks["id"].tolist() == [5, 6, 7, 8, 9]


def test_a_hole_too_large_is_not_asked_for(rest):
    assert "50001 trades are missing" in between(rest, 1, MAX_REPAIR + 1).short
    assert rest.requests == []


def test_pages_that_have_come_are_kept_when_a_later_one_does_not(rest):
    rest.script = [(200, {}, None), (401, {}, b"{}")]
    found = between(rest, 1, 3000)
    assert found.ticks["id"].tolist() == list(range(2001, 3001))
    assert "HTTP 401" in found.short
    rest.script = [(200, {}, None), (418, {"Retry-After": "100"}, b"")]
    found = before(rest, 4001)
    assert found.ticks["id"].tolist() == list(range(3001, 4001))
    assert "HTTP 418" in found.short


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"code":-1121,"msg":"Invalid symbol."}', b"[1, 2]", b"[{}]", b"\xff", None],
)
def test_a_reply_that_is_no_list_of_trades_is_the_reason_that_there_are_none(rest, body):
    if body is None:  # cut off
        body = json.dumps(rest.rows(1, 3)).encode()[:-5]
    rest.script = [(200, {}, body)] * 2
    for found in (between(rest, 1, 3), before(rest, 4)):
        assert len(found.ticks) == 0
        assert "not a list of trades" in found.short


def test_a_bad_row_costs_itself_and_not_the_page(rest):
    rows = rest.rows(1, 6)
    rows[1]["price"] = None
    rows[2] = {"id": 3}
    rows[3]["qty"] = "much"
    rows[4] = "nothing"
    rest.script = [(200, {}, json.dumps(rows).encode())]
    ticks = between(rest, 1, 6).ticks
    assert ticks["id"].tolist() == [1, 2, 3, 4, 6]
    assert (ticks["flags"] & VOID != 0).tolist() == [False, True, True, True, False]
    assert rest.rejected == Counter({("X", "bad_price"): 3, ("X", "malformed"): 1})


def test_history_ends_where_the_stream_begins_and_reaches_back_as_far_as_wanted(rest):
    found = before(rest, 4001, seconds=150)
    assert found.ticks["id"].tolist() == list(range(2501, 4001))
    assert found.short == ""
    assert rest.requests == [(3001, 1000), (2001, 1000)]


def test_bad_rows_do_not_end_the_history(rest):
    rows = rest.rows(3001, 1000)
    rows[500]["price"] = None
    rest.script = [(200, {}, json.dumps(rows).encode())]
    found = before(rest, 4001, seconds=150)
    assert found.ticks["id"].tolist() == list(range(2501, 4001))
    assert found.ticks["id"][found.ticks["flags"] & VOID != 0].tolist() == [3501]


def test_history_has_no_more_trades_than_asked_for_and_says_so(rest):
    found = before(rest, 4001, most=1200)
    assert found.ticks["id"].tolist() == list(range(2801, 4001))
    assert found.short == "the tick cache holds no more"
    assert len(before(rest, 4001, most=0).ticks) == 0


def test_history_ends_with_the_first_trade_the_venue_has_and_says_so(rest):
    rest.ids = range(3500, 5001)
    found = before(rest, 4001)
    assert found.ticks["id"].tolist() == list(range(3500, 4001))
    assert found.short == "the venue has no more"
    rest.ids = range(1, 5001)
    assert before(rest, 4001).ticks["id"].tolist() == list(range(1, 4001))
    rest.ids = range(0, 5001)
    assert before(rest, 3).ticks["id"].tolist() == [0, 1, 2]


def test_a_venue_without_history_gives_none(rest):
    rest.ids = range(4001, 5001)
    assert len(before(rest, 4001).ticks) == 0
    assert len(before(rest, 0).ticks) == 0


def test_the_newest_trade_is_told(rest):
    assert asyncio.run(history_of(rest).newest("X"))["id"].tolist() == [5000]
    rest.ids = range(0)
    assert len(asyncio.run(history_of(rest).newest("X"))) == 0


def test_the_newest_trade_of_an_unknown_symbol_is_an_error(rest):
    rest.script = [(400, {}, b'{"code":-1121,"msg":"Invalid symbol."}'), (404, {}, b"")]
    with pytest.raises(UnknownSymbolError):
        asyncio.run(history_of(rest).newest("X"))
    with pytest.raises(RepairError):
        asyncio.run(history_of(rest).newest("X"))
