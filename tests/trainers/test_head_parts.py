"""A fleet's head while the store does not answer for a moment: it says so once, lacks nothing."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

from streaming.tape import write_segment
from streaming.ticks import make_ticks
from trainers.config import SessionConfig
from trainers.names import Tag
from trainers.recording.files import DECISIONS, FORMAT, RECORD, TAPE
from trainers.recording.travel.parts import BASE, part_name
from trainers.session.fleet.record_copy import RecordCopy
from trainers.session.fleet.shard_table import MOST_MOVES, ShardTable
from trainers.session.fleet.sightings import Look
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.objects import FolderObjects
from trainers.tracking.travel.travelled import prefix_of

MARKETS = ["AAAUSDT", "BBBUSDT"]
SIZES = {"tick_cache": 100, "bar_ring": 600}
LOOKS = [Look("a" * 40, "10.0.0.1", 1, None, 1.0), Look("b" * 40, "10.0.0.2", 2, None, 1.0)]


# ---- the copies of the record


class Store(FolderObjects):
    """Markets of which each log grows by what is shipped."""

    def __init__(self, folder):
        super().__init__(folder)
        self.folder, self.logs = folder, dict.fromkeys(MARKETS, b"")
        for market in MARKETS:
            self.put(f"{prefix_of(market, 1)}/{BASE}", b'{"after":0,"sizes":{}}')

    def ship(self, line):
        for market in MARKETS:
            self.logs[market] += line
            name = part_name(f"{market}{DECISIONS}", 0)
            self.put(f"{prefix_of(market, 1)}/{name}", self.logs[market])

    @contextlib.contextmanager
    def away(self):
        record, aside = self.folder / RECORD, self.folder / "aside"
        record.rename(aside)
        record.write_text("no folder: nothing is read or written here")
        yield
        record.unlink()
        aside.rename(record)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


@pytest.fixture
def copy(store, tmp_path):
    session = tmp_path / "session"
    session.mkdir()
    made = RecordCopy(store, session, SessionConfig(symbols=",".join(MARKETS), **SIZES))
    made.logs = lambda: {name: (session / f"{name}{DECISIONS}").read_bytes() for name in MARKETS}
    yield made
    made.close()


def test_a_store_that_is_away_is_said_once_and_once_that_it_is_back(store, copy):
    store.ship(b'{"do":"one"}\n')
    assert copy.go() == ""
    with store.away():
        assert copy.go().startswith("the copy of the record waits: ")
        assert [copy.go() for _ in range(3)] == ["", "", ""]
    assert copy.go() == "the copy of the record goes on"
    assert copy.go() == ""


def test_what_came_while_the_store_was_away_is_copied_afterwards(store, copy):
    store.ship(b'{"do":"one"}\n')
    copy.go()
    with store.away():
        copy.go()
    store.ship(b'{"do":"two"}\n')
    copy.go()
    assert copy.logs() == dict.fromkeys(MARKETS, b'{"do":"one"}\n{"do":"two"}\n')


def test_copies_are_let_go_of_though_the_store_is_away_at_the_end(store, copy):
    store.ship(b'{"do":"one"}\n')
    copy.go()
    with store.away():
        copy.close()
    assert copy.logs() == store.logs


def test_a_market_whose_rows_are_not_found_at_a_look_holds_up_no_other_and_is_found_later(
    store, copy, tmp_path
):
    """As when whoever has the market has just deleted rows that are on tape now."""
    first, _ = MARKETS
    segment = write_segment(tmp_path / "tape", first, 0, make_ticks(10))
    store.ship(b'{"do":"began","format":%d}\n' % FORMAT)
    log = store.logs[first] + f'{{"do":"segment","name":"{segment.name}"}}\n'.encode()
    store.put(f"{prefix_of(first, 1)}/{part_name(f'{first}{DECISIONS}', 0)}", log)
    assert "the store lacks this segment" in copy.go()
    assert copy.logs() == {**store.logs, first: log}
    store.put(f"{RECORD}/{TAPE}/{segment.name}", segment.read_bytes())
    assert copy.go() == "the copy of the record goes on"


# ---- the table of the shards


@pytest.fixture
def run(client, tmp_path):
    run = start_session(client, SessionConfig(symbols=",".join(MARKETS)), tmp_path)
    for market in MARKETS:
        Epochs(client.tracking_uri, run).take(market, "somebody")
    return run


def told(client, run):
    return json.loads(client.get_run(run).data.tags.get(Tag.FLEET, "null"))


def test_the_table_says_where_each_shard_runs_with_which_epochs(client, run):
    table = ShardTable(client, run, [[name] for name in MARKETS])
    table.tell([LOOKS[0], None])  # of which one has never answered
    (row,) = told(client, run)["shards"]
    assert (row["shard"], row["node"], row["markets"], row["epochs"]) == (
        1, "aaaaaaaa", "AAAUSDT", "1",
    )  # fmt: skip
    table.tell(LOOKS)
    assert [row["host"] for row in told(client, run)["shards"]] == ["10.0.0.1", "10.0.0.2"]


def test_a_table_that_the_store_does_not_take_is_written_at_a_later_look(root, client, run):
    table = ShardTable(client, run, [[name] for name in MARKETS])
    table.note("shard 1 of 2 runs on node aaaaaaaa")
    with contextlib.closing(sqlite3.connect(root / "mlflow.db")) as other:
        # A locked one would be waited for, 20 s.
        other.execute("alter table tags rename to aside")
        table.tell(LOOKS)
        other.execute("alter table aside rename to tags")
    assert told(client, run) is None
    table.tell(LOOKS)
    assert len(told(client, run)["shards"]) == 2
    assert told(client, run)["moves"][0].endswith("UTC  shard 1 of 2 runs on node aaaaaaaa")


def test_the_newest_moves_come_first_and_old_ones_go(client, run):
    table = ShardTable(client, run, [[name] for name in MARKETS])
    for n in range(MOST_MOVES + 2):
        table.note(f"move {n}")
    table.tell(LOOKS)
    moves = [text.rpartition("  ")[2] for text in told(client, run)["moves"]]
    assert moves == [f"move {n}" for n in range(MOST_MOVES + 1, 1, -1)]
