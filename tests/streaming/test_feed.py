"""The whole feed against an independent server on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import streaming.feed.__main__
import streaming.feed.connection.open_socket
import streaming.feed.market.ingest
from streaming.cache import bar_ring
from streaming.events import Code
from streaming.rings.counters import REJECTED, ConnectionState
from streaming.tape import SegmentKind, read_tape
from streaming.ticks import AFTER_GAP, REPAIRED
from tests.streaming.feed_session import Session, config_for, running, scenario, until
from tests.streaming.venue_server import VenueServer

PROJECT = Path(__file__).parents[2]


@scenario
async def test_every_trade_is_kept_exactly_once(folder, venue):
    async with running(folder, venue) as session:
        for _ in range(10):
            await venue.trade("BTCUSDT", 300)
        await session.has(3000)
        session.check()
        assert session.events(Code.CONNECTED) == [
            f"connected to {venue.ws}/stream?streams=btcusdt@trade"
        ]
        assert session.stat("messages") == 3000
        assert session.stat("state") == ConnectionState.CONNECTED
        names = ["duplicates", "gaps", "missing", "repaired", "reconnects", "late"]
        assert {name: session.stat(name) for name in names} == dict.fromkeys(names, 0)
        assert sum(session.stat(f"rejected_{reason}") for reason in REJECTED) == 0
        assert abs(session.stat("last_message_ns") - time.time_ns()) < 30 * 10**9


@scenario
async def test_after_a_restart_of_the_venue_it_reconnects_and_fetches_what_it_missed(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 50)
        await session.has(50)
        await venue.close_all(1012)
        venue.happen("BTCUSDT", 30)
        await session.followed(2)
        await venue.trade("BTCUSDT", 20)
        await session.has(100)
        session.check()
        assert session.stat("repaired") == 30
        assert session.stat("reconnects") == 1
        assert any("connection lost: restart" in text for text in session.events(Code.DISCONNECTED))
        rows = session.cache().read().rows
        assert np.flatnonzero(rows["flags"] & REPAIRED).tolist() == list(range(50, 80))


@scenario
async def test_a_connection_cut_without_a_word_is_replaced(folder, venue):
    async with running(folder, venue) as session:
        for round_ in range(3):
            await venue.trade("BTCUSDT", 40)
            await session.has(40 + 50 * round_)
            venue.abort_all()
            venue.happen("BTCUSDT", 10)
            await session.followed(round_ + 2)
        await venue.trade("BTCUSDT", 1)
        await session.has(151)
        session.check()
        assert session.stat("reconnects") == 3


@scenario
async def test_trades_in_flight_when_the_connection_ends_are_kept(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 500)
        await venue.close_all(1012)
        await session.has(500)
        session.check()


@scenario
async def test_an_open_but_silent_connection_is_dropped(folder, venue):
    async with running(folder, venue, stale_seconds=1) as session:
        await venue.trade("BTCUSDT", 5)
        await session.has(5)
        venue.happen("BTCUSDT", 5)
        await session.followed(2)
        await venue.trade("BTCUSDT", 5)
        await session.has(15)
        session.check()
        assert any("silent for 1 s" in text for text in session.events(Code.STALE))


@scenario
async def test_a_venue_that_announces_its_shutdown_is_left_at_once(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 5)
        await venue.send_frame('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')
        await session.followed(2)
        await venue.trade("BTCUSDT", 5)
        await session.has(10)
        session.check()
        await until(lambda: len(session.events(Code.CHANGED)) == 1)
        assert "announced a shutdown" in session.events(Code.CHANGED)[0]
        assert session.stat("reconnects") == 0


@scenario
async def test_a_jump_in_ids_is_filled_by_rest_in_order(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 10)
        venue.happen("BTCUSDT", 2300)  # three pages
        await venue.trade("BTCUSDT", 10)
        await session.has(2320)
        session.check()
        assert session.events(Code.REPAIRED) == ["BTCUSDT: 2300 missed trades fetched"]
        assert session.stat("repaired") == 2300
        assert (session.stat("gaps"), session.stat("missing")) == (0, 0)
        pages = [path for path in venue.requests if "historicalTrades" in path]
        assert len(pages) == 3


@scenario
async def test_what_the_venue_does_not_have_is_a_marked_and_counted_gap(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 100)
        venue.happen("BTCUSDT", 60)
        venue.forget("BTCUSDT", range(111, 141))
        await venue.trade("BTCUSDT", 100)
        await session.has(230)
        session.check(missing=range(111, 141))
        rows = session.cache().read().rows
        assert rows["id"][rows["flags"] & AFTER_GAP != 0].tolist() == [141]
        assert (session.stat("gaps"), session.stat("missing")) == (1, 30)
        assert session.stat("repaired") == 30
        assert bar_ring(folder, "BTCUSDT").read().rows["gap"].sum() >= 1
        assert any(
            "gap, trades 111 to 140 are missing" in text for text in session.events(Code.GAP)
        )


@scenario
async def test_without_rest_a_hole_becomes_a_gap_and_the_stream_goes_on(folder, venue):
    venue.rest_status = 418
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 10)
        venue.happen("BTCUSDT", 5)
        await venue.trade("BTCUSDT", 10)
        await session.has(20)
        session.check(missing=range(11, 16))
        assert (session.stat("gaps"), session.stat("missing")) == (1, 5)


@scenario
async def test_while_rest_is_slow_nothing_of_the_stream_is_lost(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 10)
        await session.has(10)
        venue.rest_open.clear()
        for _ in range(4):
            venue.happen("BTCUSDT", 5)
            await venue.trade("BTCUSDT", 200)
        await until(lambda: session.stat("messages") == 810)
        assert len(session.ids()) == 10
        venue.rest_open.set()
        await session.has(830)
        session.check()
        assert session.stat("repaired") == 20


@scenario
async def test_history_from_before_the_first_trade_is_fetched(folder, venue):
    venue.happen("BTCUSDT", 1500)  # 37 ms apart
    async with running(folder, venue, backfill_seconds=37) as session:
        await venue.trade("BTCUSDT", 10)
        await session.has(1010)
        session.check()
        assert session.ids()[0] == 501
        assert session.events(Code.HISTORY) == ["BTCUSDT: 1000 trades of history fetched"]
        assert session.stat("backfilled") == 1000
        assert (session.stat("gaps"), session.stat("repaired")) == (0, 0)


@scenario
async def test_without_history_the_stream_begins_with_its_first_trade(folder, venue):
    venue.happen("BTCUSDT", 1500)
    venue.rest_status = 404
    async with running(folder, venue, backfill_seconds=37) as session:
        await venue.trade("BTCUSDT", 10)
        await session.has(10)
        session.check()
        assert any("no history from the venue" in text for text in session.events(Code.NO_HISTORY))


@scenario
async def test_trades_sent_again_after_a_reconnect_are_dropped_and_counted(folder, venue):
    venue.replay_on_connect = 60
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 100)
        await session.has(100)
        await venue.close_all(1012)
        await session.followed(2)
        await venue.trade("BTCUSDT", 1)
        await session.has(101)
        session.check()
        assert session.stat("duplicates") == 60


@scenario
async def test_a_feed_started_again_goes_on_where_the_last_one_ended(folder, venue):
    venue.replay_on_connect = 60
    async with running(folder, venue, backfill_seconds=900) as session:
        await venue.trade("BTCUSDT", 100)
        await session.has(100)
    venue.happen("BTCUSDT", 200)
    async with running(folder, venue, backfill_seconds=900) as session:
        await venue.trade("BTCUSDT", 100)
        await session.has(400)
        session.check()
        assert session.stat("repaired") == 140


@scenario
async def test_a_venue_that_counts_again_is_followed_and_what_that_drops_is_reported(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 100)
        await session.has(100)
        venue.rest_open.clear()  # what follows the hole is held back until REST answers
        venue.happen("BTCUSDT", 5)
        await venue.trade("BTCUSDT", 7)
        await until(lambda: session.stat("messages") == 107)
        venue.next_id["BTCUSDT"] = 1
        await venue.trade("BTCUSDT", 30)
        await session.has(130)
        assert session.ids() == [*range(1, 101), *range(1, 31)]
        (text,) = session.events(Code.RECOUNTED)
        assert "from 1 on, after 100; 7 trades behind a hole are dropped" in text


@scenario
async def test_garbage_is_dropped_and_counted_by_reason(folder, venue):
    def trade(**changed):
        good = {"e": "trade", "E": 1, "s": "BTCUSDT", "t": 6, "p": "1", "q": "1",
                "T": int(time.time() * 1000), "m": True, **changed}  # fmt: skip
        return str(good).replace("'", '"').replace("True", "true")

    def book(u, **wrong):
        good = {"u": u, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"} | wrong
        return json.dumps({"stream": "btcusdt@bookTicker", "data": good})

    garbage = {
        "malformed": ["ping", "", "[1]", '{"data":' + "[" * 50_000, b"\xff\xfe", trade(p="x")],
        "not_trade": ['{"code":2,"msg":"no"}', '{"e":"kline"}'],
        "foreign_symbol": [trade(s="DOGEUSDT")],
        "oversized": ["x" * 100_000],
        "bad_price": [trade(p="0.0"), trade(p="nan"), trade(p="-1")],
        "bad_size": [trade(q="0"), trade(q="inf")],
        "bad_time": [trade(T=1), trade(T=int(time.time() * 1000) + 120_000)],
        "not_market": [trade(X="INSURANCE_FUND"), trade(X="NA", p="0", q="0")],
    }
    garbage["bad_quote"] = [
        book(1, b="2", a="1"),
        book(2, B="-1"),
        book(3, b="0"),
        book(4, a="inf"),
    ]
    assert set(garbage) == set(REJECTED)
    async with running(folder, venue) as session:
        for frames in garbage.values():
            for frame in frames:
                await venue.trade("BTCUSDT", 5)
                await venue.send_frame(frame)
        await venue.trade("BTCUSDT", 5)
        await session.has(venue.next_id["BTCUSDT"] - 1)
        session.check()
        counted = {reason: session.stat(f"rejected_{reason}") for reason in REJECTED}
        assert counted == {reason: len(frames) for reason, frames in garbage.items()}
        assert len(session.events(Code.REJECTED)) == len(REJECTED)
        assert (session.stat("gaps"), session.stat("reconnects")) == (0, 0)


@scenario
async def test_a_bad_trade_amid_good_ones_is_neither_kept_nor_asked_for_nor_a_gap(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 5)
        (bad,) = venue.happen("BTCUSDT", 1)
        bad["p"] = "0.00000000"
        await venue.send("BTCUSDT", bad)
        await venue.trade("BTCUSDT", 5)
        await session.has(10)
        session.check(missing=[6])
        assert session.stat("rejected_bad_price") == 1
        assert (session.stat("gaps"), session.stat("repaired")) == (0, 0)
        assert not [path for path in venue.requests if "historicalTrades" in path]


@scenario
async def test_a_frame_beyond_the_largest_size_costs_the_connection_but_no_trade(folder, venue):
    async with running(folder, venue) as session:
        await venue.trade("BTCUSDT", 5)
        await session.has(5)
        with contextlib.suppress(Exception):  # whatever the server thinks of it
            await venue.send_frame(
                "x" * (streaming.feed.connection.open_socket.MAX_MESSAGE_BYTES + 1)
            )
        venue.happen("BTCUSDT", 5)
        await session.followed(2)
        await venue.trade("BTCUSDT", 5)
        await session.has(15)
        session.check()
        assert session.stat("rejected_oversized") == 1
        assert session.stat("reconnects") == 1


@scenario
async def test_a_refusal_with_429_is_waited_out_as_asked(folder, venue):
    venue.refusals = [(429, {"Retry-After": "1"})]
    started = time.monotonic()
    async with running(folder, venue) as session:
        await session.followed()
        assert time.monotonic() - started >= 1.0
        await venue.trade("BTCUSDT", 5)
        await session.has(5)
        assert any("HTTP 429" in text for text in session.events(Code.DISCONNECTED))


@scenario
async def test_a_venue_that_is_not_ready_yet_is_tried_again(folder, venue):
    venue.refusals = [(503, {}), (500, {})]
    async with running(folder, venue) as session:
        await session.followed()
        await venue.trade("BTCUSDT", 5)
        await session.has(5)
        texts = "".join(session.events(Code.DISCONNECTED))
        assert "no connection: HTTP 503" in texts
        assert "no connection: HTTP 500" in texts
        assert session.stat("reconnects") == 0


@scenario
async def test_a_feed_tries_again_when_there_is_no_server_at_all(folder, venue):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(venue, "ws", "ws://127.0.0.1:9")
        patch.setattr(Session, "followed", lambda self, n: asyncio.sleep(0))
        async with running(folder, venue) as session:
            await until(
                lambda: "".join(session.events(Code.DISCONNECTED)).count("no connection") >= 2
            )
            assert session.stat("state") == ConnectionState.CONNECTING
            assert session.stat("reconnects") == 0


def test_aggregated_trades_are_followed_and_repaired_by_their_own_ids(tmp_path):
    async def main():
        async with VenueServer(["BTCUSDT"], channel="aggTrade", first_id=7000) as venue:
            venue.happen("BTCUSDT", 100)
            async with running(tmp_path, venue, backfill_seconds=900) as session:
                await venue.trade("BTCUSDT", 10)
                await session.has(110)
                venue.happen("BTCUSDT", 10)
                await venue.trade("BTCUSDT", 10)
                await session.has(130)
                session.check()
                assert session.ids()[0] == 7000
                assert (session.stat("backfilled"), session.stat("repaired")) == (100, 10)

    asyncio.run(main())


def test_two_symbols_are_kept_and_repaired_each_by_itself(tmp_path):
    async def main():
        venue = VenueServer(["BTCUSDT", "ETHUSDT"])
        async with venue, running(tmp_path, venue) as session:
            for symbol, n in [("BTCUSDT", 30), ("ETHUSDT", 20)] * 5:
                await venue.trade(symbol, n)
            venue.happen("ETHUSDT", 40)
            venue.forget("ETHUSDT", range(121, 126))
            await venue.trade("BTCUSDT", 5)
            await venue.trade("ETHUSDT", 5)
            await session.has(155)
            await session.has(140, "ETHUSDT")
            session.check()
            session.check("ETHUSDT", missing=range(121, 126))
            assert session.stat("gaps") == 0
            assert session.stat("gaps", "ETHUSDT") == 1

    asyncio.run(main())


@contextlib.asynccontextmanager
async def process(folder: Path, venue: VenueServer, **settings):
    """The feed as a process of its own; killed at the end if it still runs."""
    config_for(venue, **settings).save(folder / "config.json")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streaming.feed", str(folder),
        cwd=PROJECT, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.wait()


@scenario
async def test_sigterm_ends_the_process_within_two_seconds_whatever_it_waits_for(folder, venue):
    async with process(folder, venue) as child:
        session = Session(folder, venue, None)
        await session.followed()
        await venue.trade("BTCUSDT", 100)
        await session.has(100)
        venue.rest_open.clear()  # a repair is under way that gets no answer
        asked = len(venue.requests)
        venue.happen("BTCUSDT", 5)
        await venue.trade("BTCUSDT", 5)
        await until(lambda: len(venue.requests) > asked)
        child.send_signal(signal.SIGTERM)
        started = time.monotonic()
        _, err = await asyncio.wait_for(child.communicate(), 15)
        assert time.monotonic() - started < 8  # the request may take 10 s
        assert (child.returncode, err) == (0, b"")
        assert session.ids() == list(range(1, 101))


@scenario
async def test_a_killed_process_is_followed_by_one_that_loses_nothing(folder, venue):
    session = Session(folder, venue, None)
    for n in range(2):
        async with process(folder, venue) as child:
            await session.followed(n + 1)
            await venue.trade("BTCUSDT", 200)
            await session.has(200 + 250 * n)
            child.kill()
            await child.wait()
        venue.happen("BTCUSDT", 50)
    async with process(folder, venue):
        await session.followed(3)
        await venue.trade("BTCUSDT", 1)
        await session.has(501)
        session.check()


@scenario
async def test_a_second_process_on_the_same_session_is_refused_with_one_line(folder, venue):
    async with running(folder, venue), process(folder, venue) as child:
        _, err = await asyncio.wait_for(child.communicate(), 15)
    assert child.returncode != 0
    assert b"another process writes this ring" in err
    assert err.count(b"\n") == 1


@pytest.mark.parametrize("settings", ['{"speed": 0}', '{"channel": "depth"}'])
def test_a_wrong_setting_ends_the_process_with_code_2_and_one_line(
    tmp_path, settings, capsys, monkeypatch
):
    (tmp_path / "config.json").write_text(settings)
    monkeypatch.setattr(streaming.feed.__main__, "end_with_parent", lambda: None)
    monkeypatch.setattr(sys, "argv", ["feed", str(tmp_path)])
    with pytest.raises(SystemExit) as end:
        streaming.feed.__main__.main()
    err = capsys.readouterr().err
    assert end.value.code == 2
    assert "allowed: " in err
    assert err.count("\n") == 1
    assert os.listdir(tmp_path) == ["config.json"]


@scenario
async def test_the_tape_has_what_the_cache_has(folder, venue):
    async with running(folder, venue, segment_seconds=0.2, tick_cache=1000) as session:
        kept = []
        for _ in range(3):
            await venue.trade("BTCUSDT", 300)
            await session.has(len(kept) + 300)
            kept += session.cache().read(len(kept)).rows.tolist()
        await until(lambda: len(list(folder.glob("tape/*.parquet"))) > 0)
        await venue.trade("BTCUSDT", 400)
        await session.has(1300)
        kept += session.cache().read(900).rows.tolist()
    assert read_tape(folder / "tape", "BTCUSDT").tolist() == kept
    assert len(kept) == 1300


@scenario
async def test_no_row_is_written_to_two_segments_and_the_end_writes_the_rest(folder, venue):
    spans = []

    class Spans:
        """A tape writer that only remembers what it was to write."""

        pending = 0

        def __init__(self, ring, folder, symbol, kind):
            self.ring, self.next_seq, self.kind = ring, 0, kind

        def write_pending(self):
            first, self.next_seq = self.next_seq, self.ring.committed
            if self.kind == SegmentKind.TICKS:
                spans.append((first, self.next_seq))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming.feed.market.ingest, "TapeWriter", Spans)
        async with running(folder, venue, segment_seconds=0.01) as session:
            await venue.trade("BTCUSDT", 10)
            await session.has(10)
            await until(lambda: len(spans) > 0)
            await venue.trade("BTCUSDT", 10)
            await session.has(20)
    assert len(spans) >= 2
    assert all(stop == first for (_, stop), (first, _) in pairwise(spans))
    assert spans[-1][1] == 20
