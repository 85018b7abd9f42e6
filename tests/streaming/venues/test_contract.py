"""What the feed makes of every venue: each trade once, as it was, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qsl

import pytest

from streaming.events import Code
from streaming.ticks import AFTER_GAP
from tests.streaming.feed_session import until
from tests.streaming.venues.cases import CASES, Case, check, followed, has
from tests.streaming.venues.stand_in import StandIn

venues = pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case.name} {case.symbol}".encode("ascii", "replace").decode()
)


def scenario(test):
    """Run an async test with each venue's stand-in."""

    def run(tmp_path, case):
        async def main():
            async with case.make(case.symbol) as server:
                await test(tmp_path, case, server)
                assert server.complaints == []

        asyncio.run(main())

    run.__name__ = test.__name__
    return venues(run)


async def back(case: Case, server: StandIn, asked: int) -> None:
    """Wait until the feed follows again, and has asked what it has missed where no id tells."""
    await until(lambda: server.followed)
    if not case.venue.terms.proof:
        await until(lambda: len(server.asked) > asked)


@scenario
async def test_2600_trades_with_every_fault_are_kept_once_and_as_they_were(folder, case, server):
    proof = case.venue.terms.proof
    server.happen(case.history)
    async with followed(folder, case, server) as session:
        await back(case, server, 1)  # beside the clock
        await server.trade(600)
        await has(session, case, server)
        if proof:  # lost on the way, without the connection noticing
            server.happen(23)
            await server.trade(100)
            await has(session, case, server)
        server.cut()
        server.happen(40)
        await back(case, server, len(server.asked))
        await server.trade(400)
        await has(session, case, server)
        for frame in ("", "garbage", "{}", "[1]", '{"data":' + "[" * 9000):
            await server.say(frame)
        await server.stream(server.happen(1))
        if case.shutdown:
            await server.say(case.shutdown)
        await server.trade(300)
        await has(session, case, server)
        server.happen(7)
        asked = len(server.asked)
        await server.close(1012)
        await back(case, server, asked)
        await server.trade(2600 - len(server.trades))
        await has(session, case, server)
        check(session, case, server)
        assert session.stat("gaps", case.symbol) == 0
        assert session.stat("rejected_bad_quote", case.symbol) == 0
        assert session.stat("rejected_malformed", case.symbol) <= 5 * 4
        assert session.stat("reconnects", case.symbol) >= 1


@venues
def test_quotes_are_as_they_were_and_each_update_is_one(case):
    async def frames():
        server = case.make(case.symbol)
        venue = case.venue((case.symbol,))
        for market in venue.unsized.copy():
            path, _, query = venue.symbol_request(market).url.partition("/api")[2].partition("?")
            answer = server.get(f"/api{path}", dict(parse_qsl(query)))[1]
            venue.take_symbol(market, json.dumps(answer).encode())
        server.happen(3)
        for _ in range(20):
            await server.quote()
        texts = [server.quote_frame(quote).encode() for quote in server.quotes for _ in range(2)]
        return venue.decode(texts, [*range(len(texts))], 2**62), server.quotes

    decoded, sent = asyncio.run(frames())
    assert decoded.rejected.total() == 0
    rows = decoded.quotes[case.symbol]
    for name in ("bid", "ask", "bid_size", "ask_size"):
        assert rows[name] == pytest.approx([float(getattr(quote, name)) for quote in sent])
    assert (rows["updates"] == 1).all()


@scenario
async def test_what_the_venue_has_not_either_is_a_hole_that_is_named(folder, case, server):
    if not case.venue.terms.proof:
        return  # below
    server.happen(60)
    async with followed(folder, case, server) as session:
        await server.trade(50)
        lost = server.happen(20)
        server.forget(lost[5:15])
        await server.trade(50)
        await has(session, case, server, missing=10)
        missing = [trade.id for trade in lost[5:15]]
        check(session, case, server, missing=missing)
        assert session.stat("gaps", case.symbol) == 1
        (text,) = session.events(Code.GAP)
        assert f"trades {missing[0]} to {missing[-1]} are missing" in text
        rows = session.cache(case.symbol).read().rows
        assert rows["id"][rows["flags"] & AFTER_GAP != 0].tolist() == [missing[-1] + 1]


@scenario
async def test_a_loss_that_no_id_proves_is_suspected_and_said(folder, case, server):
    if case.venue.terms.proof or case.venue.terms.page > 100:
        return
    async with followed(folder, case, server) as session:
        await server.trade(100)
        await has(session, case, server)
        server.cut()
        server.happen(200)  # the venue shows its newest 60
        await back(case, server, len(server.asked))
        await server.trade(50)
        await has(session, case, server, missing=140)
        missing = [*server.trades][100:240]
        check(session, case, server, missing=missing)
        assert session.stat("gaps", case.symbol) == 1
        assert "may be missing" in session.events(Code.GAP)[0]


@scenario
async def test_where_no_id_proves_a_loss_that_is_said(folder, case, server):
    async with followed(folder, case, server, backfill_seconds=0) as session:
        said = session.events(Code.NOT_PROVABLE)
        assert len(said) == (not case.venue.terms.proof)
        assert all("not provable here" in text for text in said)


@scenario
async def test_a_feed_that_is_started_again_goes_on_where_it_was(folder, case, server):
    async with followed(folder, case, server, backfill_seconds=0) as session:
        await server.trade(200)
        await has(session, case, server)
    server.happen(30)
    await until(lambda: not server.topics)
    if server.rest_limit[0] == 1:
        await asyncio.sleep(server.rest_limit[1])  # a process takes a second to start
    asked = len(server.asked)
    async with followed(folder, case, server, backfill_seconds=0) as session:
        await back(case, server, asked + 1)  # beside the clock
        await server.trade(50)
        await has(session, case, server)
        check(session, case, server)
        assert session.stat("gaps", case.symbol) == 0
