"""Time marks of the exchange, and the bars that they make final."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.bars import MAX_CARRY_S, BarBuilder
from streaming.exchange.pacing.final_bars import FinalBars
from streaming.exchange.pacing.playback import Playback
from streaming.exchange.pacing.time_marks import with_marks
from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.protocol.quotes import BOOK, is_mark
from streaming.exchange.protocol.trades import with_aggregates
from streaming.ticks import LATE, NS_PER_MS, NS_PER_S, Ticks, make_ticks
from tests.streaming.samples import START, markets, splits, ticks_at

FAR = START + 10**8 * NS_PER_S
relaxed = settings(deadline=None)


def marked(ticks: Ticks, *, grace_ns: int = 0, until: int = 0, since: int = 0) -> Chunk:
    chunk = Chunk(with_aggregates(ticks, np.maximum.accumulate(ticks["ts_event"])))
    times = chunk.times(FAR)
    return with_marks(chunk, times, grace_ns, since=since, until=until or int(times.max()))


def order(chunk: Chunk) -> list[tuple[str, float]]:
    """What is sent: ``("trade" or "mark", seconds since START)``."""
    kinds = chunk.merged(
        np.full(len(chunk.trades), "trade"),
        np.where(is_mark(chunk.books), "mark ", "quote"),
    )
    times = chunk.merged(chunk.trades["ts_event"], chunk.books["ts_event"])
    seconds = ((times - START) / NS_PER_S).tolist()
    return list(zip([kind.strip() for kind in kinds.tolist()], seconds, strict=True))


def as_ticks(chunk: Chunk) -> Ticks:
    """All rows as ticks, so that bars are made of marks too."""
    rows = make_ticks(len(chunk))
    for name in ("price", "size"):
        rows[name] = chunk.merged(chunk.trades[name], np.ones(len(chunk.books)))
    rows["ts_event"] = chunk.merged(chunk.trades["ts_event"], chunk.books["ts_event"])
    return rows


def test_each_second_that_ends_between_two_trades_has_its_mark() -> None:
    chunk = marked(ticks_at(0.4, 0.9, 3.2))
    assert order(chunk) == [
        ("trade", 0.4), ("trade", 0.9), ("mark", 1), ("mark", 2), ("mark", 3), ("trade", 3.2),
    ]  # fmt: skip
    due = [(at - START) // NS_PER_MS for at in chunk.due.tolist()]
    assert due == [400, 900, 1000, 2000, 3000, 3200]


def test_a_mark_is_not_due_after_the_row_behind_it() -> None:
    ticks = ticks_at(0.5, 3.5)
    chunk = Chunk(with_aggregates(ticks, START + np.array([500, 700]) * NS_PER_MS))
    chunk = with_marks(chunk, chunk.times(FAR), 0, until=int(ticks["ts_event"][-1]))
    assert [(at - START) // NS_PER_MS for at in chunk.due.tolist()] == [500, 700, 700, 700, 700]


def test_marks_stand_a_grace_behind_the_seconds() -> None:
    chunk = marked(ticks_at(0.5, 2.6), grace_ns=300 * NS_PER_MS)
    assert order(chunk)[1:-1] == [("mark", 1.3), ("mark", 2.3)]


def test_marks_go_on_behind_the_last_trade_and_before_the_first_of_a_later_chunk() -> None:
    chunk = marked(ticks_at(0.5), until=START + 3 * NS_PER_S)
    assert order(chunk)[1:] == [("mark", 1), ("mark", 2), ("mark", 3)]
    chunk = marked(ticks_at(3.5), since=START + NS_PER_S, until=START + 4 * NS_PER_S)
    assert order(chunk) == [("mark", 2), ("mark", 3), ("trade", 3.5), ("mark", 4)]


def test_a_closed_market_has_no_marks() -> None:
    assert len(order(marked(ticks_at(0.5, MAX_CARRY_S + 0.6)))) == 2
    assert len(order(marked(ticks_at(0.5, MAX_CARRY_S + 0.5)))) == 2 + MAX_CARRY_S


def test_rows_that_no_bar_sees_do_not_stop_the_marks() -> None:
    ticks = ticks_at(0.5, 9.0, 0.7, 500.0, 2.5)
    ticks["price"][1] = -1  # void
    marks = [at for kind, at in order(marked(ticks)) if kind == "mark"]
    assert marks == [1, 2]  # 0.7 is late for its bar in any case; 500 is ahead of any clock
    ticks["ts_event"][4] = START + 600 * NS_PER_S
    assert len(order(marked(ticks))) == 5 + 600


def test_a_row_that_is_late_in_any_case_does_not_hold_the_marks_up() -> None:
    ticks = ticks_at(5.0, 3.0, 8.0)
    due = START + np.array([0, 100_000, 101_000]) * NS_PER_MS
    chunk = Chunk(with_aggregates(ticks, due))
    chunk = with_marks(chunk, chunk.times(FAR), 0, until=int(ticks["ts_event"][-1]))
    assert order(chunk)[1:4] == [("mark", 6), ("mark", 7), ("mark", 8)]
    assert ((chunk.due[1:4] - START) // NS_PER_S).tolist() == [1, 2, 3]


def test_a_mark_that_says_no_more_than_the_row_sent_with_it_is_left_out() -> None:
    chunk = marked(ticks_at(0.5, 2.5))
    assert order(chunk.part(0, 4)) == [("trade", 0.5), ("mark", 1), ("trade", 2.5)]
    assert order(chunk.part(0, 3))[1:] == [("mark", 1), ("mark", 2)]


def test_times_and_dues_keep_their_nanoseconds() -> None:
    ticks = ticks_at(0.5, 1.5)
    ticks["ts_event"] += [1, 3]
    assert (np.diff(marked(ticks).due) == [NS_PER_S // 2 - 1, NS_PER_S // 2 + 3]).all()


def test_a_quote_tells_no_time_but_is_not_made_late() -> None:
    ticks = ticks_at(0.5, 4.5)
    books = np.zeros(1, BOOK)
    books["ts_event"] = books["due"] = START + 2500 * NS_PER_MS
    books["bid"], books["ask"], books["after"] = 1, 2, 1
    chunk = Chunk(with_aggregates(ticks, ticks["ts_event"]), books)
    times = chunk.times(FAR)
    chunk = with_marks(chunk, times, 0, until=int(times[-1]))
    assert order(chunk) == [
        ("trade", 0.5), ("mark", 1), ("mark", 2), ("quote", 2.5), ("mark", 3), ("mark", 4),
        ("trade", 4.5),
    ]  # fmt: skip
    assert ("mark", 2) in order(chunk.part(0, 4))  # the quote does not show the same
    due = ((chunk.due - START) // NS_PER_MS).tolist()
    assert due == [500, 1000, 2000, 2500, 3000, 4000, 4500]


@relaxed
@given(markets(), st.integers(0, 2500))
def test_marks_make_no_row_late_and_leave_no_second_out(ticks: Ticks, grace_ms: int) -> None:
    grace_ns = grace_ms * NS_PER_MS
    ticks["flags"] = 0
    alone, with_time = ticks.copy(), as_ticks(chunk := marked(ticks, grace_ns=grace_ns))
    BarBuilder(grace_ns).update(alone)
    BarBuilder(grace_ns).update(with_time)
    late = (with_time["flags"] & LATE)[chunk.trade_at]
    visible = chunk.times(FAR)[chunk.trade_at] > 0
    assert (late[visible] == (alone["flags"] & LATE)[visible]).all()
    times = chunk.times(FAR)
    if grace_ms == 0:
        newest = np.maximum.accumulate(times)
        steps = np.diff(newest // NS_PER_S)
        assert ((steps <= 1) | (np.diff(newest) > MAX_CARRY_S * NS_PER_S)).all()
    marks = is_mark(chunk.books)
    for at, place in zip(chunk.books["ts_event"][marks], chunk.book_at[marks], strict=True):
        later = times[place + 1 :]
        punctual = later[(later > 0) & (later >= times[: place + 1].max() // NS_PER_S * NS_PER_S)]
        assert grace_ms or (punctual >= at).all()


@relaxed
@given(markets(), st.sampled_from([0, 1500]), st.data())
def test_the_exchange_knows_which_bars_are_final(ticks: Ticks, grace_ms: int, data) -> None:
    ticks["flags"] = 0
    cuts = data.draw(splits(len(ticks)))
    known, builder = FinalBars(grace_ms * NS_PER_MS), BarBuilder(grace_ms * NS_PER_MS)
    newest = 0
    for part in np.split(ticks, cuts):
        step = known.next_step(part["ts_event"])
        known.add(part["ts_event"])
        final = builder.update(part)
        newest = int(final["ts_open"][-1]) if len(final) else newest
        assert known.newest_bar == newest
        if len(final):
            assert step < len(part)


@relaxed
@given(markets(disorder=False), st.lists(st.integers(0, 60_000), max_size=6))
def test_what_is_handed_out_does_not_depend_on_when_it_is_asked_for(ticks, pauses) -> None:
    chunk = marked(ticks, until=int(ticks["ts_event"].max()) + 3 * NS_PER_S)
    playback, trades, finals = Playback(iter([(chunk, chunk.times(FAR))])), [], FinalBars(0)
    for now in [*(START + np.cumsum(pauses) * NS_PER_MS).tolist(), FAR]:
        while playback.due(now):
            part = playback.advance(now, limit=3)
            trades += part.trades["id"].tolist()
            finals.add(part.times(FAR))
    assert trades == ticks["id"].tolist()
    assert playback.ended
    assert finals.newest_time == playback.bars.newest_time
    assert finals.newest_bar == playback.bars.newest_bar
