"""Numbers for trades whose ids prove nothing: each trade one number, in the venue's order."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.ticks import Ticks
from streaming.venues.counting import Count
from tests.streaming.samples import run_of_ids

KEYS = run_of_ids(0, 400)["id"] * 7919 % 100_003 + 1  # in no order


def keyed(first: int, stop: int) -> Ticks:
    """Trades ``first`` to ``stop - 1`` of a market, with the venue's keys as ids."""
    ticks = run_of_ids(first, stop)
    ticks["id"] = KEYS[first:stop]
    return ticks


def places(ticks: Ticks) -> list[int]:
    """Which trades of the market they are."""
    return np.searchsorted(run_of_ids(0, 400)["ts_event"], ticks["ts_event"]).tolist()


def test_streamed_trades_are_numbered_from_1_on_and_a_known_one_keeps_its_number():
    count = Count()
    assert count.streamed(keyed(0, 3))["id"].tolist() == [1, 2, 3]
    assert count.streamed(keyed(1, 5))["id"].tolist() == [2, 3, 4, 5]


@given(
    cut=st.integers(1, 100),
    missed=st.integers(0, 80),
    streamed=st.integers(1, 80),
    page=st.integers(1, 200),
    ahead=st.integers(0, 80),
)
def test_after_a_cut_what_rest_shows_from_before_the_stream_goes_first(
    cut, missed, streamed, page, ahead
):
    count = Count()
    count.streamed(keyed(0, cut))
    count.hold()
    begin, end = cut + missed, cut + missed + streamed
    assert len(count.streamed(keyed(begin, end))) == 0
    for newest in (begin, end + ahead):  # REST is asked twice, and may be ahead of the socket
        assert len(count.shown(keyed(max(0, newest - page), newest))) == 0
    ticks = count.release()
    shown = range(max(0, begin - page), begin)
    assert places(ticks) == [*shown, *range(begin, end)]
    known = [place for place in shown if place < cut]
    assert ticks["id"][: len(known)].tolist() == [place + 1 for place in known]
    first = cut + 1 if known else cut + 2  # a number is left out where a loss is possible
    assert ticks["id"][len(known) :].tolist() == [*range(first, first + len(ticks) - len(known))]
    after = count.streamed(keyed(end, end + ahead))
    assert (np.diff(np.append(ticks["id"], after["id"])) >= 1).all()
    assert len(np.unique(np.append(ticks["id"], after["id"]))) == len(ticks) + len(after)


def test_a_process_that_goes_on_knows_trades_by_what_they_are():
    kept = run_of_ids(1, 101)  # numbered by the process before it
    count = Count()
    count.resume(kept)
    count.hold()
    count.streamed(keyed(130, 140))
    count.shown(keyed(80, 135))
    ticks = count.release()
    assert ticks["id"].tolist() == [*range(80, 101), *range(101, 140)]
    assert places(ticks) == [*range(80, 140)]


def test_equal_trades_of_one_time_are_counted_each():
    twins = keyed(0, 4)
    twins[1:4] = twins[0]
    twins["id"] = [5, 6, 7, 8]
    kept = twins[:3].copy()
    kept["id"] = [1, 2, 3]
    count = Count()
    count.resume(kept)
    assert count.shown(twins)["id"].tolist() == [1, 2, 3, 4]


def test_without_an_answer_of_rest_a_loss_is_suspected():
    count = Count()
    count.streamed(keyed(0, 10))
    count.hold()
    count.streamed(keyed(12, 15))
    assert count.release()["id"].tolist() == [12, 13, 14]
