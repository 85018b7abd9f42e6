"""Copies of what another machine writes: they follow it, also when yet another goes on from it."""

from __future__ import annotations

import numpy as np
import pytest

from streaming.errors import ConfigError
from streaming.tape import write_segment
from streaming.ticks import make_ticks
from trainers.config.fleet import FleetConfig
from trainers.recording.contents.stream_rows import read_rows
from trainers.recording.files import TAPE
from trainers.recording.travel.parts import BASE, part_name
from trainers.tracking.travel.mirror import Mirror
from trainers.tracking.travel.objects import FolderObjects
from trainers.tracking.travel.travelled import prefix_of, travelled

MARKET, NAME = "BTCUSDT", "BTCUSDT.decisions.jsonl"


class Store(FolderObjects):
    def begin(self, epoch, after, size=None):
        sizes = "" if size is None else f'"{NAME}":{size}'
        base = f'{{"after":{after},"sizes":{{{sizes}}}}}'
        self.put(f"{prefix_of(MARKET, epoch)}/{BASE}", base.encode())

    def ship(self, epoch, offset, data):
        self.put(f"{prefix_of(MARKET, epoch)}/{part_name(NAME, offset)}", data)


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "store")
    store.begin(1, 0)
    return store


@pytest.fixture
def copy(tmp_path, store):
    mirror = Mirror(store, tmp_path, MARKET, [NAME])

    def read():
        mirror.go()
        path = tmp_path / NAME
        return path.read_bytes() if path.exists() else None

    return read


def test_a_copy_grows_with_its_file(store, copy):
    assert copy() is None
    store.ship(1, 0, b"first\n")
    assert copy() == b"first\n"
    store.ship(1, 0, b"first\nsecond\n")
    store.ship(1, 13, b"third\n")
    assert copy() == b"first\nsecond\nthird\n"
    assert copy() == b"first\nsecond\nthird\n"


def test_what_the_next_epoch_has_not_taken_over_is_taken_back(store, copy):
    store.ship(1, 0, b"first\nlost\n")
    assert copy() == b"first\nlost\n"
    store.begin(2, 1, 6)
    assert copy() == b"first\n"
    store.ship(2, 6, b"second\n")
    store.ship(1, 0, b"first\nlost\nlater\n")  # by a holder that does not know yet
    assert copy() == b"first\nsecond\n"


def test_two_epochs_between_two_looks_are_followed_too(store, copy):
    store.ship(1, 0, b"first\nlost\nlost\n")
    copy()
    store.begin(2, 1, 6)
    store.ship(2, 6, b"second\nlost\n")
    store.begin(3, 2, 13)
    store.ship(3, 13, b"third\n")
    assert copy() == b"first\nsecond\nthird\n"


def test_an_epoch_that_has_not_begun_changes_nothing(store, copy):
    store.ship(1, 0, b"first\n")
    store.ship(2, 0, b"of nobody\n")
    assert copy() == b"first\n"
    assert travelled(store, MARKET).newest == 1


def test_a_segment_that_a_replaced_holder_has_left_is_not_read(tmp_path):
    ticks = make_ticks(30)
    ticks["id"] = np.arange(30)
    tape = tmp_path / TAPE
    named = [write_segment(tape, MARKET, first, ticks[first : first + 10]) for first in (0, 10, 20)]
    write_segment(tape, MARKET, 10, ticks[10:17])  # uploaded, and then its writer was lost
    entries = [{"do": "segment", "name": path.name, "sha256": None} for path in named]
    rows = read_rows(tmp_path, MARKET, entries, "ticks")
    assert rows["id"].tolist() == list(range(30))


def test_a_market_that_waits_for_its_trainer_is_refused_before_anything_starts():
    for settings in ({"source": "tape:x.zip"}, {"speed": 2}):
        with pytest.raises(ConfigError, match="a fleet follows markets that do not wait"):
            FleetConfig(**settings)
    assert FleetConfig(source="binance").address == ""
