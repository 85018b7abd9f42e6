"""A market's machine sends what is new itself: the copies have it before the store."""

from __future__ import annotations

import contextlib
import json

import pytest

from streaming.cache import bar_ring, quote_ring, tick_cache
from tests.trainers.sessions import MARKET, Fleet, run
from trainers.recording.files import OURS
from trainers.recording.travel.local_record import news_of
from trainers.recording.travel.market_files import growing_files
from trainers.session.fleet.record_copy import RecordCopy

RINGS = (tick_cache, quote_ring, bar_ring)


class Machine:
    """One that has taken the market over."""

    def __init__(self, fleet, name):
        self.folder = fleet.folder / name
        self.session, self.courier = fleet.take_over(name)
        epoch = fleet.epochs.now()[MARKET]
        (self.folder / OURS).write_text(json.dumps({MARKET: epoch}))


@pytest.fixture
def fleet(tmp_path):
    return Fleet(tmp_path)


@pytest.fixture
def first(fleet):
    machine = Machine(fleet, "first")
    with contextlib.closing(machine.session):
        machine.session.run(20)
        machine.courier.go()
        yield machine


@pytest.fixture
def copy(fleet, first, tmp_path):
    """The head's copies, which are as the store has them."""
    folder = tmp_path / "copy"
    folder.mkdir()
    made = RecordCopy(fleet.store, folder, fleet.config)
    made.folder = folder
    assert made.go() == ""
    with contextlib.closing(made):
        yield made


def told(copy, machine):
    return news_of(machine.folder, copy.sizes())


def differing(copy, machine):
    """The names of the files and rings that are not those of the machine."""
    one, other = copy.folder, machine.folder
    here = [name for name in growing_files(MARKET, first=True) if (other / name).exists()]
    files = [name for name in here if (one / name).read_bytes() != (other / name).read_bytes()]
    return files + [kind.__name__ for kind in RINGS if rows(kind, one) != rows(kind, other)]


def rows(opened, folder):
    ring = opened(folder, MARKET)
    found = ring.tail(100).rows
    # Field by field: what lies between them is not the record's.
    return ring.committed, [found[name].tobytes() for name in found.dtype.names]


def test_the_copies_have_what_has_not_travelled_yet(copy, first):
    first.session.run(15)
    first.session.ingests[MARKET].stats["reconnects"] += 1
    assert differing(copy, first)
    assert copy.go(told(copy, first)) == ""
    assert differing(copy, first) == []
    assert tick_cache(copy.folder, MARKET).stats["reconnects"] == 1


def test_the_store_is_not_asked_for_what_was_sent(fleet, copy, first):
    first.session.run(5)
    news = told(copy, first)
    (fleet.folder / "store" / "record").rename(fleet.folder / "aside")
    assert copy.go(news) == ""
    assert differing(copy, first) == []


def test_a_machine_that_sends_nothing_is_followed_by_the_store(copy, first):
    first.session.run(5)
    copy.go(told(copy, first))
    first.session.run(5)
    first.courier.go()
    copy.go()
    assert differing(copy, first) == []


def test_rows_of_a_machine_that_was_replaced_are_taken_back(fleet, copy, first):
    first.session.run(9)  # which never travel
    copy.go(told(copy, first))
    second = Machine(fleet, "second")
    with contextlib.closing(second.session):
        second.session.seconds = 20
        second.session.run(30)
        assert copy.go(told(copy, second)) == ""
        copy.go(told(copy, second))
        assert differing(copy, second) == []
        first.session.run(40)
        copy.go(told(copy, first))  # from whom nobody should hear any more
        assert differing(copy, second) == []


def test_what_neither_of_two_epochs_has_taken_over_is_taken_back(fleet, copy, first):
    """The second epoch of the two has taken over more than the copies have of the first's."""
    first.session.run(9)
    copy.go(told(copy, first))
    second = Machine(fleet, "second")
    with contextlib.closing(second.session):
        second.session.seconds = 20
        second.session.run(30)
        second.courier.go()
    third = Machine(fleet, "third")
    with contextlib.closing(third.session):
        copy.go(told(copy, third))
        copy.go(told(copy, third))
        assert differing(copy, third) == []


def test_copies_that_are_further_behind_than_a_ring_reaches_are_followed_by_the_store(
    fleet, copy, first
):
    run(first.session, first.courier, 100)  # more ticks than the cache has
    news = told(copy, first)
    assert news[MARKET].grown[f"{MARKET}.ticks"].at > copy.sizes()[MARKET][f"{MARKET}.ticks"]
    for _ in range(3):
        copy.go(told(copy, first))
    assert differing(copy, first) == []


def test_a_machine_that_has_no_market_yet_sends_nothing(tmp_path, copy):
    assert news_of(tmp_path / "nowhere", copy.sizes()) == {}
