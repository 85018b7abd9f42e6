"""Quotes that come twice, and the place of quotes among trades."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.quotes import RECEIVED, make_quotes
from streaming.ticks import make_ticks
from streaming.venues.gathering import Updates, order_by_time


def quotes_of(ids, times=None):
    """Quotes with these update ids; each is another book."""
    quotes = make_quotes(len(ids))
    quotes["id"] = ids
    quotes["ts_event"] = ids if times is None else times
    quotes["bid"] = np.arange(len(ids))
    return quotes


@given(st.lists(st.integers(2, 50), max_size=30), st.data())
def test_of_two_connections_each_update_is_taken_once_and_none_goes_back(rises, data):
    ids = np.cumsum([100, *rises]).tolist()
    begun = data.draw(st.integers(0, len(ids)))
    both = sorted([*ids, *ids[begun:]], key=lambda id: (id, data.draw(st.integers(0, 1))))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(both)), max_size=4)))
    updates = Updates()
    parts = [part for part in np.split(quotes_of(both), cuts) if len(part)]
    taken = [id for part in parts for id in updates.fresh("X", part)["id"].tolist()]
    assert taken == ids


def test_a_venue_that_counts_its_updates_anew_is_followed():
    updates = Updates()
    assert updates.fresh("X", quotes_of([71, 72, 1, 2]))["id"].tolist() == [71, 72, 1, 2]
    assert updates.fresh("X", quotes_of([2, 3]))["id"].tolist() == [3]
    assert updates.fresh("X", quotes_of([5_000_000, 7]))["id"].tolist() == [5_000_000, 7]
    assert updates.fresh("X", quotes_of([7, 8]))["id"].tolist() == [8]
    assert updates.fresh("Y", quotes_of([3]))["id"].tolist() == [3]


def test_a_lower_id_of_a_later_second_is_of_a_new_count_and_one_of_the_same_time_is_not():
    updates = Updates()
    second = 10**9
    assert len(updates.fresh("X", quotes_of([900, 901], times=[5 * second, 5 * second + 1]))) == 2
    late = quotes_of([400, 899], times=[5 * second + 1, 5 * second + 7])  # of another connection
    assert len(updates.fresh("X", late)) == 0
    anew = quotes_of([400, 401, 400], times=[9 * second, 9 * second + 1, 9 * second + 2])
    assert updates.fresh("X", anew)["id"].tolist() == [400, 401]
    received = quotes_of([300], times=[99 * second])  # our time of receipt says nothing
    received["flags"] = RECEIVED
    assert len(updates.fresh("X", received)) == 0


def test_without_ids_what_is_older_or_the_same_is_dropped_and_what_is_of_one_time_is_kept():
    updates = Updates()
    quotes = quotes_of([0] * 5, times=[10, 20, 20, 10, 30])
    taken = updates.fresh("X", quotes)
    assert taken["bid"].tolist() == [0, 1, 2, 4]
    again = quotes[-1:].copy()
    assert len(updates.fresh("X", again)) == 0


def test_where_two_connections_have_no_order_a_quote_follows_the_trades_of_its_time():
    ticks, quotes = make_ticks(4), make_quotes(4)
    ticks["ts_event"] = [10, 20, 20, 30]
    quotes["ts_event"] = [5, 10, 20, 31]
    order_by_time(quotes, ticks)
    assert quotes["after"].tolist() == [0, 1, 3, 4]


def test_of_a_quote_with_an_older_time_than_the_one_before_the_order_received_counts():
    ticks, quotes = make_ticks(2), make_quotes(4)
    ticks["ts_event"] = [10, 20]
    quotes["ts_event"] = [10, 1, 20, 19]
    order_by_time(quotes, ticks)
    assert quotes["after"].tolist() == [1, 1, 2, 2]
