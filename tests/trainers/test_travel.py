"""A market's record travels to the store as it grows; another machine goes on from there."""

from __future__ import annotations

import contextlib
import dataclasses
import threading

import msgspec
import numpy as np
import pytest

from streaming.cache import bar_ring, quote_ring, tick_cache
from tests.trainers.sessions import MARKET, MARKETS, Fleet, Session, record, run, settings
from trainers.recording.checkpoint import load_checkpoint
from trainers.recording.decision_log import read_decisions
from trainers.recording.files import (
    CHECKPOINT,
    DECISIONS,
    FORECASTS,
    MARKET_OUTBOX,
    OUTCOMES,
    TAPE,
    of_market,
)
from trainers.recording.ledger import read_ledger
from trainers.recording.travel.market_files import BARS, QUOTES, ROWS, TICKS, growing_files
from trainers.recording.travel.parts import PART_BYTES, Base, part_name
from trainers.session.processes.shards import shares_of
from trainers.tracking.stores.artifacts import ArtifactStoreError
from trainers.tracking.travel.courier import Courier
from trainers.tracking.travel.epochs import Epochs, ReplacedError
from trainers.tracking.travel.market_mirror import MarketMirror
from trainers.tracking.travel.objects import FolderObjects
from trainers.tracking.travel.takeover import MAKERS, take_over_all
from trainers.tracking.travel.travelled import base_in, prefix_of, travelled

RINGS = (tick_cache, quote_ring, bar_ring)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory):
    """Two machines: the first has had the market for 100 s, and the second for 60 s after it."""
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    first, courier = fleet.take_over("first")
    run(first, courier, 100)
    with contextlib.closing(first):
        tape = first.ingests[MARKET]
        tape.write_tape()
        for number, part in enumerate(sorted((fleet.folder / "first" / TAPE).glob("*.parquet"))):
            fleet.store.put(f"record/{TAPE}/{part.name}", part.read_bytes())
            first.shards[0].markets[MARKET].log.write("segment", name=part.name, sha256=str(number))
        first.run(5)
        courier.go()
        fleet.at_takeover = {
            name: (fleet.folder / "first" / name).read_bytes()
            for name in growing_files(MARKET, first=False)
        }
        fleet.rows_at_takeover = [opened(fleet.folder / "first", MARKET).read() for opened in RINGS]
        first.run(3)  # which have not travelled
        second, after = fleet.take_over("second")
        fleet.taken = {
            name: (fleet.folder / "second" / name).read_bytes() for name in fleet.at_takeover
        }
        fleet.rows_taken = [opened(fleet.folder / "second", MARKET).read() for opened in RINGS]
        first.run(4)
        courier.go()  # a holder that does not know yet that it was replaced
    with contextlib.closing(second):
        second.seconds = 105  # the venue fills in the rest
        second.run(60)
        after.go()
    return fleet


def test_files_are_rebuilt_byte_for_byte(fleet):
    began = fleet.taken[f"{MARKET}{DECISIONS}"].removeprefix(
        fleet.at_takeover[f"{MARKET}{DECISIONS}"]
    )
    assert began.count(b"\n") == 1
    assert b'"began"' in began  # the second machine has taken the market up already
    for kind in (OUTCOMES, FORECASTS):
        assert fleet.taken[f"{MARKET}{kind}"] == fleet.at_takeover[f"{MARKET}{kind}"]


def test_rings_are_rebuilt_row_for_row_from_the_tape_and_from_what_is_not_on_it(fleet):
    for before, after in zip(fleet.rows_at_takeover, fleet.rows_taken, strict=True):
        assert after.first == before.first
        assert len(after.rows) == len(before.rows)
        for name in before.rows.dtype.names:
            assert after.rows[name].tobytes() == before.rows[name].tobytes()
    assert fleet.rows_taken[0].first > 0  # of a cache that has turned over


def test_the_market_learns_on_as_if_it_had_never_moved(fleet, tmp_path):
    with contextlib.closing(Session(tmp_path, fleet.config, shares_of([MARKET], 1))) as never:
        never.run(165)
    assert record(fleet.folder / "second", MARKET) == record(tmp_path, MARKET)
    assert len(read_ledger(fleet.folder / "second", MARKET).outcomes) > 100


def test_rows_of_a_holder_that_was_replaced_are_in_nobodys_record(fleet, tmp_path):
    found = travelled(fleet.store, MARKET)
    for kind in (OUTCOMES, FORECASTS, DECISIONS):
        name = f"{MARKET}{kind}"
        assert found.read(fleet.store, name) == (fleet.folder / "second" / name).read_bytes()
    log = read_decisions(of_market(fleet.folder / "second", MARKET, DECISIONS))
    assert sum(entry["do"] == "began" for entry in log) == 2
    assert found.newest == 2


class SlowListing(FolderObjects):
    """A store whose listing takes so long that a holder writes within it, a few times."""

    def __init__(self, folder, holder, seconds, times):
        super().__init__(folder)
        self.session, self.courier = holder
        self.seconds, self.left = seconds, times

    def sizes(self, prefix):
        # As a store lists names: bars and log come first.
        before, late = super().sizes(prefix), f"{MARKET}{FORECASTS}"
        if not self.left or not any(late in name for name in before):
            return before
        self.left -= 1
        self.session.run(self.seconds)
        self.courier.go()
        return super().sizes(prefix) | {
            name: size for name, size in before.items() if late not in name
        }


def test_a_takeover_refers_to_nothing_that_it_lacks_though_the_holder_still_writes(tmp_path):
    fleet = Fleet(tmp_path)
    first, courier = fleet.take_over("first")
    with contextlib.closing(first):
        run(first, courier, 40)
        fleet.store = SlowListing(tmp_path / "store", (first, courier), seconds=15, times=3)
        second, _ = fleet.take_over("second")
    with contextlib.closing(second):
        folder = tmp_path / "second"
        newest_bar = bar_ring(folder, MARKET).read().rows["ts_open"][-1]
        outcomes, forecasts = (rows["bar"][-1] for rows in read_ledger(folder, MARKET)[1:])
        assert forecasts <= outcomes <= newest_bar
        bars = [e["to"] for e in read_decisions(of_market(folder, MARKET, DECISIONS)) if "to" in e]
        taken = len(read_ledger(folder, MARKET).outcomes)
        assert load_checkpoint(of_market(folder, MARKET, CHECKPOINT))["state"]["next_bar"] <= taken
        assert taken <= bars[-1]


class Aside(FolderObjects):
    """A store of whose holder the folder is put aside once it has put something."""

    def __init__(self, folder, holder):
        super().__init__(folder)
        self.holder = holder

    def put(self, key, data):
        super().put(key, data)
        if self.holder.exists():
            self.holder.rename(self.holder.with_name("kept"))


def test_a_holder_whose_folder_is_put_aside_brings_no_ledger_without_its_bars(tmp_path):
    """The next shard on a machine does that, and the trainer of a killed actor may still go on."""
    fleet = Fleet(tmp_path)
    first, courier = fleet.take_over("first")
    with contextlib.closing(first):
        run(first, courier, 40)
        first.run(5)
        base = base_in(fleet.store, prefix_of(MARKET, 1))
        folder, aside = tmp_path / "first", Aside(tmp_path / "store", tmp_path / "first")
        late = Courier(aside, prefix_of(MARKET, 1), base, folder, MARKET, first=True)
        late.go()
        with pytest.raises(FileNotFoundError, match="put this folder aside"):
            late.go()
        second, _ = fleet.take_over("second")
    with contextlib.closing(second):
        newest_bar = bar_ring(tmp_path / "second", MARKET).read().rows["ts_open"][-1]
        assert read_ledger(tmp_path / "second", MARKET).outcomes["bar"][-1] <= newest_bar


def test_a_record_that_is_another_at_each_look_is_not_taken(tmp_path):
    fleet = Fleet(tmp_path)
    first, courier = fleet.take_over("first")
    with contextlib.closing(first):
        run(first, courier, 30)
        fleet.store = SlowListing(tmp_path / "store", (first, courier), seconds=1, times=1000)
        with pytest.raises(ArtifactStoreError, match="was another at each of 20 looks"):
            fleet.take_over("second")


def test_a_holder_that_was_replaced_finds_out(fleet):
    fleet.epochs.check({MARKET: 2})
    with pytest.raises(ReplacedError, match="epoch 1, the store has 2"):
        fleet.epochs.check({MARKET: 1})


def test_rows_that_are_on_tape_are_deleted_from_the_store(tmp_path):
    fleet = Fleet(tmp_path)
    session, courier = fleet.take_over("first")
    with contextlib.closing(session):
        for _ in range(9):
            for _ in range(100):
                session.push()
            courier.go()
            session.ingests[MARKET].write_tape()
            newest = max((tmp_path / "first" / TAPE).glob("*.parquet"))
            session.shards[0].markets[MARKET].log.write("segment", name=newest.name, sha256="")
        courier.go()
        spans = travelled(fleet.store, MARKET).parts[f"{MARKET}.ticks"][1]
        assert len(spans) > 1  # whoever was replaced deletes nothing: it looks between the two
        courier.forget_what_is_on_tape()
        spans = travelled(fleet.store, MARKET).parts[f"{MARKET}.ticks"][1]
    assert len(spans) == 1
    assert spans[0].start > 0


@pytest.mark.parametrize("kept", [180, 4000], ids=["more than a ring has", "less than a ring has"])
def test_a_copy_that_was_long_away_goes_on_behind_rows_that_are_only_on_tape(tmp_path, kept):
    fleet = Fleet(tmp_path)
    fleet.config = dataclasses.replace(fleet.config, tick_cache=kept)
    session, courier = fleet.take_over("first")
    copy = tmp_path / "copy"
    copy.mkdir()
    mirror = MarketMirror(fleet.store, copy, MARKET, fleet.config, first=True)
    with contextlib.closing(session):
        session.push()
        courier.go()
        mirror.go()
        for _ in range(18):
            for _ in range(50):
                session.push()
            courier.go()
            session.ingests[MARKET].write_tape()
            for part in sorted((tmp_path / "first" / TAPE).glob("*.parquet")):
                if not fleet.store.get(f"record/{TAPE}/{part.name}"):
                    fleet.store.put(f"record/{TAPE}/{part.name}", part.read_bytes())
                    session.shards[0].markets[MARKET].log.write(
                        "segment", name=part.name, sha256=""
                    )
        courier.go()
        courier.forget_what_is_on_tape()
        for _ in range(2):
            session.push()
            courier.go()
            mirror.go()
            theirs, ours = tick_cache(tmp_path / "first", MARKET), tick_cache(copy, MARKET)
            assert ours.committed == theirs.committed
            for name in ROWS[TICKS].names:  # not the bytes between its fields
                assert (ours.read().rows[name] == theirs.read().rows[name]).all()
    mirror.close()


@pytest.mark.parametrize("at", range(len(RINGS)), ids=["ticks", "quotes", "bars"])
def test_rows_of_several_parts_arrive_byte_for_byte(tmp_path, at):
    """Most parts end within a row."""
    store, total = FolderObjects(tmp_path / "store"), 2000
    with contextlib.ExitStack() as stack:
        kinds = list(zip((TICKS, QUOTES, BARS), RINGS, strict=True))
        rings = [
            stack.enter_context(contextlib.closing(MAKERS[kind](tmp_path, MARKET, total)))
            for kind, _ in kinds
        ]
        courier = Courier(store, prefix_of(MARKET, 1), Base(0, {}), tmp_path, MARKET, first=False)
        rows = np.zeros(total, ROWS[kinds[at][0]])
        rows[rows.dtype.names[0]] = np.arange(1, total + 1)
        for chunk in np.array_split(rows, 9):
            rings[at].append(chunk)
            courier.go()
    store.put(f"{prefix_of(MARKET, 1)}/base.json", msgspec.json.encode(Base(0, {})))
    name = f"{MARKET}{kinds[at][0]}"
    assert rows.nbytes > PART_BYTES
    assert travelled(store, MARKET).read(store, name) == rows.tobytes()


class Slow(FolderObjects):
    """A store that answers a request for some objects only while another is under way."""

    def __init__(self, folder, word):
        super().__init__(folder)
        self._word, self._two = word, threading.Barrier(2)

    def get(self, key):
        if self._word in key:
            self._two.wait(60)
        return super().get(key)

    def sizes(self, prefix):
        if self._word in prefix:
            self._two.wait(60)
        return super().sizes(prefix)


def test_parts_of_a_file_are_not_asked_for_one_after_the_other(tmp_path):
    store, name = Slow(tmp_path, ".part-"), f"{MARKET}{TICKS}"
    store.put(f"{prefix_of(MARKET, 1)}/base.json", msgspec.json.encode(Base(0, {})))
    for at in range(4):
        store.put(f"{prefix_of(MARKET, 1)}/{part_name(name, 3 * at)}", bytes(3 * [at]))
    assert travelled(store, MARKET).read(store, name) == bytes([0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3])


def test_markets_of_a_shard_are_not_taken_over_one_after_the_other(tmp_path):
    store, markets = Slow(tmp_path / "store", "record/epochs/"), MARKETS[:2]
    config = settings(symbols=",".join(markets), learners="cnn")
    epochs = Epochs(f"sqlite:///{tmp_path}/store.db", "session")
    ours = take_over_all(epochs, store, markets, tmp_path, config, "us")
    assert ours == epochs.now() == dict.fromkeys(markets, 1)


def test_a_quote_waits_for_the_ticks_that_came_before_it(tmp_path):
    """The feed writes on while the rings are read: a later quote may have come, not its ticks."""
    store = FolderObjects(tmp_path / "store")
    with contextlib.ExitStack() as stack:
        ticks, quotes, _ = (
            stack.enter_context(contextlib.closing(MAKERS[kind](tmp_path, MARKET, 100)))
            for kind in (TICKS, QUOTES, BARS)
        )
        courier = Courier(store, prefix_of(MARKET, 1), Base(0, {}), tmp_path, MARKET, first=False)
        store.put(f"{prefix_of(MARKET, 1)}/base.json", msgspec.json.encode(Base(0, {})))
        rows = np.zeros(4, ROWS[QUOTES])
        rows["after"] = [10, 10, 12, 12]
        ticks.append(np.zeros(10, ROWS[TICKS]))
        quotes.append(rows)
        for more in (0, 2):
            ticks.append(np.zeros(more, ROWS[TICKS]))
            courier.go()
            arrived = travelled(store, MARKET).read(store, f"{MARKET}{QUOTES}")
            assert arrived == rows[: 2 + more].tobytes()


def test_a_checkpoint_travels_once_what_came_before_it_is_in_mlflow(tmp_path):
    fleet = Fleet(tmp_path)
    session, courier = fleet.take_over("first")
    checkpoint = of_market(tmp_path / "first", MARKET, CHECKPOINT)
    outbox = of_market(tmp_path / "first", MARKET, MARKET_OUTBOX)
    with contextlib.closing(session):
        session.run(70)
        assert checkpoint.exists()
        outbox.write_bytes(b"a batch that MLflow has not taken\n")
        courier.go()
        assert checkpoint.name not in fleet.store.sizes(prefix_of(MARKET, 1))
        outbox.write_bytes(b"")
        courier.go()
        assert fleet.store.sizes(prefix_of(MARKET, 1))[checkpoint.name] > 0


def test_a_courier_that_was_started_again_goes_on_where_it_was(tmp_path):
    fleet = Fleet(tmp_path)
    session, courier = fleet.take_over("first")
    with contextlib.closing(session):
        session.run(50)
        courier.go()
        session.run(20)
        again = Courier(fleet.store, prefix_of(MARKET, 1), Base(0, {}), tmp_path / "first", MARKET,
                        first=True)  # fmt: skip
        again.go()
    found = travelled(fleet.store, MARKET)
    for name in growing_files(MARKET, first=False):
        assert found.read(fleet.store, name) == (tmp_path / "first" / name).read_bytes()
