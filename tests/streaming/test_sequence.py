from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.feed.market.sequence import RECOUNT_AFTER, Recount, Sequencer
from streaming.ticks import AFTER_GAP, NS_PER_S, VOID, make_ticks
from tests.streaming.samples import run_of_ids, splits


def ids_of(*parts):
    return [int(i) for part in parts for i in part["id"]]


def pick(*ids):
    """Trades by id, in the order given."""
    run = run_of_ids(0, max(ids) + 1)
    return run[list(ids)]


def void(ticks, *ids):
    ticks["flags"][np.isin(ticks["id"], ids)] |= VOID
    return ticks


@given(st.data())
def test_any_order_repetition_and_batching_ends_in_id_order_each_once(data):
    run = run_of_ids(1, data.draw(st.integers(2, 40)))
    n = len(run)
    order = data.draw(st.permutations(range(n)))
    again = data.draw(st.lists(st.integers(0, n - 1), max_size=20))
    at = [data.draw(st.integers(0, n)) for _ in again]
    received = list(order)
    for index, position in zip(again, at, strict=True):
        received.insert(position, index)
    sequencer = Sequencer(last_id=0)
    batches = np.split(run[received], data.draw(splits(len(received))))
    kept = np.concatenate([sequencer.push(batch) for batch in batches])
    assert kept.tolist() == run.tolist()
    assert sequencer.duplicates == len(again)
    assert sequencer.missing is None
    assert sequencer.last_id == n


@given(st.data())
def test_with_holes_each_trade_comes_once_in_order_and_each_hole_is_marked(data):
    """Whatever is lost: some of it is filled, the rest given up."""
    run = run_of_ids(1, data.draw(st.integers(4, 40)))
    lost = data.draw(st.sets(st.integers(2, len(run) - 1), max_size=10))
    still_there = data.draw(st.sets(st.sampled_from(sorted(lost)))) if lost else set()
    broken = data.draw(st.sets(st.integers(2, len(run) - 1), max_size=5)) - lost
    streamed = void(run[~np.isin(run["id"], list(lost))].copy(), *broken)
    sequencer = Sequencer(last_id=0)
    kept = [sequencer.push(b) for b in np.split(streamed, data.draw(splits(len(streamed))))]
    asked = []
    while (missing := sequencer.missing) is not None:
        asked += range(missing[0], missing[1] + 1)
        found = [i for i in still_there if missing[0] <= i <= missing[1]]
        kept.append(sequencer.fill(run[np.isin(run["id"], found)]) if found else make_ticks(0))
        if sequencer.missing == missing:
            kept.append(sequencer.give_up())
    kept = np.concatenate(kept)
    assert ids_of(kept) == [i for i in ids_of(run) if i not in (lost - still_there) | broken]
    assert set(asked) == lost
    gone = lost - still_there
    before = dict(zip(ids_of(kept)[1:], ids_of(kept), strict=False))
    for tick in kept[1:]:
        skipped = set(range(before[int(tick["id"])] + 1, int(tick["id"])))
        assert bool(tick["flags"] & AFTER_GAP) == bool(skipped & gone)


def test_a_jump_holds_back_what_follows_and_reports_the_hole():
    sequencer = Sequencer(last_id=0)
    assert ids_of(sequencer.push(pick(1, 2, 6, 7))) == [1, 2]
    assert sequencer.missing == (3, 5)
    assert ids_of(sequencer.push(pick(8, 12))) == []
    assert sequencer.missing == (3, 5)


def test_filling_a_hole_releases_up_to_the_next_one():
    sequencer = Sequencer(last_id=0)
    sequencer.push(pick(1, 4, 5, 8))
    released = sequencer.fill(pick(2, 3))
    assert ids_of(released) == [2, 3, 4, 5]
    assert not (released["flags"] & AFTER_GAP).any()
    assert sequencer.missing == (6, 7)


def test_a_partial_fill_leaves_the_rest_of_the_hole():
    sequencer = Sequencer(last_id=0)
    sequencer.push(pick(1, 9))
    assert ids_of(sequencer.fill(pick(2, 3, 7))) == [2, 3]
    assert sequencer.missing == (4, 6)
    assert ids_of(sequencer.fill(pick(4, 6))) == [4]
    assert sequencer.missing == (5, 5)
    assert ids_of(sequencer.give_up()) == [6, 7]
    assert sequencer.missing == (8, 8)


def test_a_fill_takes_nothing_from_outside_the_hole():
    sequencer = Sequencer(last_id=0)
    sequencer.push(pick(1, 4))
    assert ids_of(sequencer.fill(pick(1, 2, 3, 4, 5, 9))) == [2, 3, 4]
    assert sequencer.missing is None
    assert sequencer.duplicates == 0


def test_giving_up_marks_only_the_tick_behind_the_hole():
    sequencer = Sequencer(last_id=0)
    sequencer.push(pick(1, 4, 5))
    released = sequencer.give_up()
    assert ids_of(released) == [4, 5]
    assert (released["flags"] & AFTER_GAP).tolist() == [AFTER_GAP, 0]


def test_without_a_hole_fill_and_give_up_do_nothing():
    sequencer = Sequencer(last_id=0)
    sequencer.push(pick(1, 2))
    assert len(sequencer.fill(pick(2, 3))) == len(sequencer.give_up()) == 0
    assert sequencer.last_id == 2


def test_the_first_trade_ever_starts_the_count():
    sequencer = Sequencer()
    assert sequencer.missing is None
    assert ids_of(sequencer.push(pick(700, 701))) == [700, 701]


def test_trades_wait_for_their_history_and_follow_it():
    sequencer = Sequencer(wait_for_history=True)
    assert ids_of(sequencer.push(pick(10, 11))) == []
    assert sequencer.missing is None
    assert ids_of(sequencer.begin(pick(7, 8, 9, 10))) == [7, 8, 9, 10, 11]


def test_history_that_does_not_reach_the_stream_leaves_a_hole():
    sequencer = Sequencer(wait_for_history=True)
    sequencer.push(pick(10))
    assert ids_of(sequencer.begin(pick(6, 7))) == [6, 7]
    assert sequencer.missing == (8, 9)


def test_without_any_history_the_stream_begins_with_itself():
    sequencer = Sequencer(wait_for_history=True)
    sequencer.push(pick(10, 11))
    assert ids_of(sequencer.begin(make_ticks(0))) == [10, 11]


def test_a_void_trade_is_not_taken_for_a_lost_one_and_not_kept():
    sequencer = Sequencer(last_id=0)
    assert ids_of(sequencer.push(void(pick(1, 2, 3), 2))) == [1, 3]
    assert sequencer.missing is None


def test_a_void_trade_at_the_end_is_remembered_until_the_next_comes():
    sequencer = Sequencer(last_id=0)
    assert ids_of(sequencer.push(void(pick(1, 2), 2))) == [1]
    assert ids_of(sequencer.push(pick(3))) == [3]
    assert sequencer.missing is None


def test_a_void_trade_opens_no_hole():
    sequencer = Sequencer(last_id=0)
    assert ids_of(sequencer.push(void(pick(1, 2, 999), 999))) == [1, 2]
    assert sequencer.missing is None
    assert ids_of(sequencer.push(pick(3))) == [3]


def test_a_void_trade_that_is_fetched_again_fills_its_hole():
    sequencer = Sequencer(last_id=0)
    sequencer.push(pick(1, 4))
    assert ids_of(sequencer.fill(void(pick(2, 3), 3))) == [2, 4]
    assert sequencer.missing is None


def test_a_hole_behind_a_void_trade_is_asked_for_by_itself():
    sequencer = Sequencer(last_id=10)
    sequencer.push(void(pick(13, 15), 13))
    assert sequencer.missing == (11, 12)
    assert ids_of(sequencer.give_up()) == []
    assert sequencer.missing == (14, 14)
    released = sequencer.fill(pick(14))
    assert ids_of(released) == [14, 15]
    assert (released["flags"] & AFTER_GAP).tolist() == [AFTER_GAP, 0]


def test_of_repeated_trades_the_one_received_first_is_kept():
    first, second = pick(1, 2), pick(2, 3)
    second["price"] = 999
    sequencer = Sequencer(last_id=0)
    kept = np.concatenate([sequencer.push(first), sequencer.push(second)])
    assert kept["price"].tolist() == [*first["price"].tolist(), 999]
    assert sequencer.duplicates == 1


def test_replayed_trades_are_dropped_however_many():
    sequencer = Sequencer(last_id=0)
    sequencer.push(run_of_ids(1, 101))
    for _ in range(3):
        assert len(sequencer.push(run_of_ids(1, 101))) == 0
    for tick in np.split(run_of_ids(1, 101), 100):
        assert len(sequencer.push(tick)) == 0
    assert (sequencer.take_recounts(), sequencer.duplicates) == ([], 400)
    assert ids_of(sequencer.push(pick(101))) == [101]


def test_replayed_trades_are_dropped_also_by_a_process_that_has_just_started():
    sequencer = Sequencer(100, newest_ts=int(run_of_ids(100, 101)["ts_event"][0]))
    assert len(sequencer.push(run_of_ids(1, 101))) == 0
    assert sequencer.take_recounts() == []


def recounted(first, stop):
    """Trades of a venue that has started to count again: low ids, later times."""
    ticks = run_of_ids(first, stop)
    ticks["ts_event"] += 10_000 * NS_PER_S
    return ticks


def test_a_venue_that_counts_again_is_followed_from_the_first_trade_seen():
    sequencer = Sequencer(last_id=0)
    sequencer.push(run_of_ids(1, 1001))
    kept = [sequencer.push(tick) for tick in np.split(recounted(1, 41), 40)]
    assert len(np.concatenate(kept[: RECOUNT_AFTER - 1])) == 0
    kept = np.concatenate(kept)
    assert ids_of(kept) == list(range(1, 41))
    assert (kept["flags"] & AFTER_GAP).tolist() == [AFTER_GAP] + 39 * [0]
    assert sequencer.take_recounts() == [Recount(last_id=1000, first_id=1, dropped=0)]
    assert sequencer.take_recounts() == []
    assert sequencer.duplicates == 0


def test_a_recount_reports_how_many_trades_held_behind_a_hole_it_drops():
    sequencer = Sequencer(last_id=0)
    sequencer.push(run_of_ids(1, 101))
    sequencer.push(run_of_ids(111, 118))
    assert ids_of(sequencer.push(recounted(1, 41))) == list(range(1, 41))
    assert sequencer.missing is None
    assert sequencer.take_recounts() == [Recount(last_id=100, first_id=1, dropped=7)]


def test_a_few_low_ids_between_new_ones_are_no_new_count():
    sequencer = Sequencer(last_id=0)
    sequencer.push(run_of_ids(1, 1001))
    for i in range(3 * RECOUNT_AFTER):
        assert len(sequencer.push(recounted(i + 1, i + 2))) == 0
        assert len(sequencer.push(run_of_ids(1001 + i, 1002 + i))) == 1
    assert sequencer.take_recounts() == []


def test_what_the_sequencer_is_given_stays_as_it_was():
    ticks = void(pick(1, 4, 5, 9), 5)
    before = ticks.tolist()
    sequencer = Sequencer(last_id=0)
    sequencer.push(ticks)
    while sequencer.missing:
        sequencer.give_up()
    assert ticks.tolist() == before


def test_any_number_of_void_trades_in_the_history_leaves_no_hole():
    sequencer = Sequencer(wait_for_history=True)
    sequencer.push(pick(5001))
    history = run_of_ids(1, 5001)
    kept = sequencer.begin(void(history, *range(2, 5001, 2)))
    assert ids_of(kept) == list(range(1, 5002, 2))
    assert sequencer.missing is None
