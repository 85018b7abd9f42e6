from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streaming.bars
from streaming.bars import (
    BAR,
    BROKEN,
    MISSING,
    OVERTAKING_NS,
    BarBuilder,
    bars_of,
)
from streaming.carry import MOST_TIMES
from streaming.merged import Merged
from streaming.quotes import LATE as LATE_QUOTE
from streaming.quotes import MARK, QUOTED, make_quotes
from streaming.ticks import AFTER_GAP, LATE, NS_PER_MS, NS_PER_S, make_ticks
from tests.streaming.samples import START, markets, quotes_among, quotes_at, splits, ticks_at

# An hour in the product; shorter here, since the loop below makes each carried bar by hand.
MAX_CARRY_S = 40

GRACES = st.sampled_from([0, 1, 250 * NS_PER_MS, NS_PER_S, 3 * NS_PER_S, 60 * NS_PER_S])


@pytest.fixture(autouse=True, scope="module")
def _short_silences():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming.bars, "MAX_CARRY_S", MAX_CARRY_S)
        yield


def fold(ticks, at, grace_ns=0, quotes=None):
    """Bars of rows folded in batches, final and forming, and the flags of ticks and quotes."""
    ticks, builder = ticks.copy(), BarBuilder(grace_ns)
    quotes = make_quotes(0) if quotes is None else quotes.copy()
    parts = Merged.of(ticks, quotes, 0).split(at)
    final = [builder.update(part.ticks, part.quotes) for part in parts]
    return np.concatenate(final), builder.forming(), ticks["flags"], quotes["flags"]


def one_by_one(ticks, quotes):
    """The rows of both streams in their order, each with whether it is a quote."""
    rows = Merged.of(ticks, quotes, 0)
    each = {True: iter(quotes), False: iter(ticks)}
    return [(next(each[is_quote]), is_quote) for is_quote in rows.is_quote.tolist()]


SUMS = ("volume", "signed_volume", "notional", "gap", "final_seq", "final_quote", "last_sold",
        "last_bought", "ofi", "updates")  # fmt: skip


class OneByOne:
    """The same bars, written as a loop over rows with plain Python numbers."""

    def __init__(self, grace_ns):
        self.grace, self.newest, self.n, self.m = grace_ns, None, 0, 0
        self.newest_tick = None
        self.open, self.final, self.late, self.late_quotes = [], [], [], []
        self.last_close = self.last_sold = self.last_bought = 0.0
        self.last_price, self.last_side = None, 0
        self.quote = None

    def see(self, row, is_quote):
        if is_quote and self.newest is None:
            self.m += 1
            self.late_quotes.append(False)
            self.quote = self.quote if row["flags"] & MARK else row
            return
        ts, gap = int(row["ts_event"]), not is_quote and int(row["flags"]) & AFTER_GAP
        second = ts // NS_PER_S
        if self.newest is None:
            self.newest = self.newest_tick = ts
            self.open = [self.empty(second, 0)]
        overtakes = is_quote and not row["flags"] & MARK
        before, self.newest = self.newest, max(self.newest, ts - OVERTAKING_NS * overtakes)
        self.n, self.m = self.n + (not is_quote), self.m + is_quote
        if self.newest - before > MAX_CARRY_S * NS_PER_S:
            if gap:
                self.open[-1]["gap"] |= MISSING
            while self.open:
                self.finish()
            self.open, self.quote = [self.empty(self.newest // NS_PER_S, 1)], None
            self.newest_tick = self.newest
        while self.open[-1]["second"] < max(self.newest // NS_PER_S, second):
            self.open.append(self.empty(self.open[-1]["second"] + 1, 0))
        if not is_quote:
            before, self.newest_tick = self.newest_tick, max(self.newest_tick, ts)
            if gap:
                self.mark_gap(before // NS_PER_S, self.newest_tick // NS_PER_S)
        while (self.open[0]["second"] + 1) * NS_PER_S + self.grace <= self.newest:
            self.finish()
        late = second < self.open[0]["second"]
        (self.late_quotes if is_quote else self.late).append(late)
        bar = None if late else self.open[second - self.open[0]["second"]]
        if bar is None:
            return
        if not is_quote:
            self.apply(bar, row)
        elif not row["flags"] & MARK:
            bar["quote"] = row
            bar["ofi"] += float(row["ofi"])
            bar["updates"] += int(row["updates"])

    def mark_gap(self, since, here):
        """Of the bars that are not final yet; the first of them if all in question are."""
        first = self.open[0]["second"]
        for bar in self.open:
            if max(since, first) <= bar["second"] <= max(here, first):
                bar["gap"] |= MISSING

    def empty(self, second, gap):
        return {"second": second, "prices": [], "volume": 0.0, "signed_volume": 0.0,
                "notional": 0.0, "gap": gap, "last_sold": 0.0, "last_bought": 0.0,
                "quote": None, "ofi": 0.0, "updates": 0}  # fmt: skip

    def apply(self, bar, tick):
        price, size, side = float(tick["price"]), float(tick["size"]), int(tick["side"])
        if side == 0:  # the tick rule
            last = price if self.last_price is None else self.last_price
            side = 1 if price > last else -1 if price < last else self.last_side
        self.last_price, self.last_side = price, side
        if side:
            bar["last_sold" if side < 0 else "last_bought"] = price
        bar["prices"].append(price)
        bar["volume"] += size
        bar["signed_volume"] += size * side
        bar["notional"] += price * size

    def finish(self):
        bar = self.open.pop(0)
        bar["final_seq"], bar["final_quote"] = self.n, self.m
        bar["carried"] = self.last_close
        before = self.last_close or bar["prices"][0]
        self.last_close = bar["prices"][-1] if bar["prices"] else self.last_close
        prices = bar["prices"] or [before]
        if max(prices) > MOST_TIMES * before or MOST_TIMES * min(prices) < before:
            bar["gap"] |= BROKEN
            bar["last_sold"] = bar["last_bought"] = self.last_close
        for name in ("last_sold", "last_bought"):  # where the first bar of all lacks one: its close
            bar[name] = bar[name] or getattr(self, name) or self.last_close
            setattr(self, name, bar[name])
        self.quote = bar["quote"] = self.quote if bar["quote"] is None else bar["quote"]
        self.final.append(bar)

    def bars(self):
        rows = np.zeros(len(self.final), BAR)
        for row, bar in zip(rows, self.final, strict=True):
            prices = bar["prices"] or [bar["carried"]]
            row["ts_open"] = bar["second"] * NS_PER_S
            row["open"], row["close"] = prices[0], prices[-1]
            row["high"], row["low"] = max(prices), min(prices)
            row["trades"] = len(bar["prices"])
            for name in SUMS:
                row[name] = bar[name]
            row["bid"], row["ask"] = bar["last_sold"], bar["last_bought"]
            if bar["quote"] is not None:
                row["quoted"] = 1
                for name in QUOTED:
                    row[name] = bar["quote"][name]
        return rows


@given(st.data(), GRACES)
def test_any_batching_gives_the_same_bits(data, grace_ns):
    ticks = data.draw(markets())
    quotes = data.draw(quotes_among(ticks))
    n = len(ticks) + len(quotes)
    whole = fold(ticks, [], grace_ns, quotes)
    parts = fold(ticks, data.draw(splits(n)), grace_ns, quotes)
    single = fold(ticks, range(n), grace_ns, quotes)
    for part, one, all_at_once in zip(parts, single, whole, strict=True):
        assert part.tobytes() == all_at_once.tobytes()
        assert one.tobytes() == all_at_once.tobytes()


@given(st.data(), GRACES)
def test_bars_agree_with_a_plain_loop_to_the_bit(data, grace_ns):
    ticks = data.draw(markets())
    quotes = data.draw(quotes_among(ticks))
    loop = OneByOne(grace_ns)
    for row, is_quote in one_by_one(ticks, quotes):
        loop.see(row, is_quote)
    final, _, flags, quote_flags = fold(ticks, [], grace_ns, quotes)
    assert (flags & LATE != 0).tolist() == loop.late
    late_quotes = np.array(loop.late_quotes, bool) & (quotes["flags"] & MARK == 0)
    assert (quote_flags & LATE_QUOTE != 0).tolist() == late_quotes.tolist()
    wanted = loop.bars()
    for name in BAR.names:
        assert final[name].tolist() == wanted[name].tolist(), name


@given(st.data(), GRACES)
def test_folding_marked_rows_again_gives_the_same_bars(data, grace_ns):
    ticks = data.draw(markets())
    quotes = data.draw(quotes_among(ticks))
    final, forming, flags, quote_flags = fold(ticks, [], grace_ns, quotes)
    ticks["flags"], quotes["flags"] = flags, quote_flags
    again = fold(ticks, [], grace_ns, quotes)
    assert (again[0].tobytes(), again[1].tobytes()) == (final.tobytes(), forming.tobytes())


@given(markets(long_silences=False, disorder=False))
def test_bars_agree_with_pandas_resampling(ticks):
    frame = pd.DataFrame(
        {"price": ticks["price"], "size": ticks["size"]},
        index=pd.to_datetime(ticks["ts_event"], unit="ns"),
    )
    wanted = frame["price"].resample("1s").ohlc()
    wanted["close"] = wanted["close"].ffill()
    for name in ("open", "high", "low"):
        wanted[name] = wanted[name].fillna(wanted["close"])
    volume = frame["size"].resample("1s").sum()
    bars = bars_of(ticks)
    assert bars["ts_open"].tolist() == wanted.index.as_unit("ns").astype("int64").tolist()
    for name in ("open", "high", "low", "close"):
        assert bars[name].tolist() == wanted[name].tolist(), name
    np.testing.assert_allclose(bars["volume"], volume, rtol=1e-12)


@given(markets(), GRACES, st.data())
def test_after_k_ticks_exactly_the_bars_with_final_seq_up_to_k_are_final(ticks, grace_ns, data):
    k = data.draw(st.integers(0, len(ticks)))
    every, *_ = fold(ticks, [], grace_ns)
    early, *_ = fold(ticks[:k], [], grace_ns)
    assert early.tobytes() == every[every["final_seq"] <= k].tobytes()


@given(markets(), GRACES)
def test_every_tick_is_counted_in_one_bar_or_marked_late(ticks, grace_ns):
    final, forming, flags, _ = fold(ticks, [], grace_ns)
    late = flags & LATE != 0
    bars = np.concatenate([final, forming])
    assert bars["trades"].sum() == len(ticks) - late.sum()
    np.testing.assert_allclose(bars["volume"].sum(), ticks["size"][~late].sum(), rtol=1e-9)
    assert (np.diff(bars["ts_open"]) > 0).all()
    assert (bars["low"] <= np.minimum(bars["open"], bars["close"])).all()
    assert (bars["high"] >= np.maximum(bars["open"], bars["close"])).all()


def test_final_seq_counts_from_the_seq_of_the_first_tick():
    bars = BarBuilder(seq=1000).update(ticks_at(0, 0.5, 1.2))
    assert bars["final_seq"].tolist() == [1003]


def test_a_bar_is_half_open():
    bars = bars_of(ticks_at(4.999, 5.0, 5.999, 6.0))
    assert ((bars["ts_open"] - START) // NS_PER_S).tolist() == [4, 5, 6]
    assert bars["trades"].tolist() == [1, 2, 1]


def test_a_tick_exactly_grace_past_the_end_makes_the_bar_final():
    builder = BarBuilder(grace_ns=500 * NS_PER_MS)
    assert len(builder.update(ticks_at(0.1, 1.499))) == 0
    assert len(builder.update(ticks_at(1.5))) == 1


def test_a_late_tick_is_marked_and_changes_no_bar():
    ticks = ticks_at(0, 1, 2, 0.5, 2.5)
    ticks["price"] = [10, 11, 12, 999, 13]
    final, forming, flags, _ = fold(ticks, [])
    assert (flags & LATE).tolist() == [0, 0, 0, LATE, 0]
    on_time = ticks[[0, 1, 2, 4]]
    without, still_forming, *_ = fold(on_time, [])
    assert final.tobytes() == without.tobytes()
    assert forming.tobytes() == still_forming.tobytes()


def test_grace_lets_a_slow_tick_into_its_bar():
    ticks = ticks_at(0, 1, 2, 0.5, 2.5, 5)
    ticks["price"] = [10, 11, 12, 999, 13, 14]
    final, _, flags, _ = fold(ticks, [], grace_ns=2 * NS_PER_S)
    assert not (flags & LATE).any()
    assert (final["high"][0], final["close"][0]) == (999, 999)


def test_empty_seconds_carry_the_last_close_without_volume():
    ticks = ticks_at(0, 3)
    ticks["price"] = [10, 20]
    bars = bars_of(ticks)
    assert bars["trades"].tolist() == [1, 0, 0, 1]
    for name in ("open", "high", "low", "close"):
        assert bars[name].tolist() == [10, 10, 10, 20]
    assert bars["volume"].tolist() == [1, 0, 0, 1]
    assert not bars["gap"].any()


def test_signed_volume_and_notional_follow_the_taker():
    ticks = ticks_at(0, 0.1, 0.2)
    ticks["side"], ticks["size"], ticks["price"] = [1, -1, -1], [3, 1, 7], [10, 20, 30]
    bar = bars_of(ticks)[0]
    assert (bar["volume"], bar["signed_volume"], bar["notional"]) == (11, -5, 260)


def test_where_the_side_is_unknown_the_tick_rule_tells_it():
    ticks = ticks_at(0, 0.1, 0.2, 0.3, 0.4)
    ticks["side"], ticks["size"] = 0, [1, 2, 4, 8, 16]
    ticks["price"] = [10, 11, 11, 9, 9]
    assert bars_of(ticks)["signed_volume"][0] == 2 + 4 - 8 - 16


def test_bid_and_ask_are_the_last_prices_of_takers_selling_and_buying():
    ticks = ticks_at(0, 0.1, 0.2, 1.5, 3.1)
    ticks["side"], ticks["price"] = [-1, 1, 1, -1, 1], [10, 11, 12, 9, 13]
    bars = bars_of(ticks)
    for name in ("bid", "last_sold"):
        assert bars[name].tolist() == [10, 9, 9, 9]
    for name in ("ask", "last_bought"):
        assert bars[name].tolist() == [12, 12, 12, 13]
    assert not bars["quoted"].any()


def test_a_mark_makes_an_empty_second_final_and_says_nothing_else():
    ticks = ticks_at(0.2, 0.7)
    builder = BarBuilder()
    assert len(builder.update(ticks)) == 0
    [bar] = builder.update(make_ticks(0), quotes_at(1.0, after=2, flags=MARK))
    assert (bar["trades"], bar["final_seq"], bar["final_quote"], bar["quoted"]) == (2, 2, 1, 0)
    [empty] = builder.update(make_ticks(0), quotes_at(2.0, after=2, flags=MARK))
    assert (empty["close"], empty["volume"], empty["final_quote"]) == (ticks["price"][-1], 0, 2)


def test_after_a_mark_a_trade_of_that_second_is_late():
    builder = BarBuilder()
    builder.update(ticks_at(0.2), quotes_at(1.0, after=1, flags=MARK))
    late = ticks_at(0.9)
    assert len(builder.update(late)) == 0
    assert late["flags"].tolist() == [LATE]


def test_a_bar_has_the_last_quote_of_its_second_and_the_sums_of_all():
    quotes = quotes_at(0.3, 0.6, 1.5, after=1)
    quotes["bid"], quotes["ask"] = [9, 10, 11], [11, 12, 13]
    quotes["bid_size"], quotes["ask_size"] = [1, 2, 3], [4, 5, 6]
    quotes["ofi"], quotes["updates"] = [0.5, -2.0, 7.0], [3, 4, 1]
    ticks = ticks_at(0.1, 3.2)
    quotes["after"] = 1
    bars = bars_of(ticks, quotes)
    assert bars["bid"].tolist() == [10, 11, 11, 11]
    assert bars["ask_size"].tolist() == [5, 6, 6, 6]
    assert bars["ofi"].tolist() == [-1.5, 7, 0, 0]
    assert bars["updates"].tolist() == [7, 1, 0, 0]
    assert bars["quoted"].all()


def test_a_quote_makes_a_bar_final_only_once_no_trade_of_it_can_be_on_its_way():
    builder = BarBuilder()
    early = quotes_at(1.1, after=1)
    assert len(builder.update(ticks_at(0.2), early)) == 0
    overtaken = ticks_at(0.9, price=7)
    assert len(builder.update(overtaken)) == 0
    [bar] = builder.update(make_ticks(0), quotes_at(2.0, after=2))
    assert (bar["close"], bar["final_quote"], bar["quoted"]) == (7, 2, 0)


def test_a_quote_before_the_first_trade_opens_no_bar_but_is_known_in_the_first():
    quotes = quotes_at(-2.0, after=0)
    quotes["bid"], quotes["ask"] = 9, 11
    bars = bars_of(ticks_at(0.5, 1.5), quotes)
    assert bars[["bid", "ask", "quoted", "updates"]].tolist() == [(9, 11, 1, 0)] * 2


def test_before_the_first_trade_of_a_side_its_quote_is_the_first_close():
    ticks = ticks_at(0, 1, 2)
    ticks["side"], ticks["price"] = [1, 1, -1], [10, 11, 9]
    assert bars_of(ticks)["bid"].tolist() == [10, 10, 9]


@pytest.mark.parametrize("at", [[], [3]], ids=["one batch", "two batches"])
def test_a_gap_marks_the_bars_from_the_tick_before_it_to_the_tick_after(at):
    ticks = ticks_at(0, 1, 2, 5, 6, 7)
    ticks["flags"][3] = AFTER_GAP
    final, forming, *_ = fold(ticks, at)
    assert np.concatenate([final, forming])["gap"].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]


def test_a_gap_within_a_second_marks_that_bar_alone():
    ticks = ticks_at(0, 1, 1.5, 2)
    ticks["flags"][2] = AFTER_GAP
    assert bars_of(ticks)["gap"].tolist() == [0, 1, 0]


def test_a_silence_as_long_as_can_be_carried_is_filled():
    bars = bars_of(ticks_at(0, MAX_CARRY_S))
    assert len(bars) == MAX_CARRY_S + 1
    assert not bars["gap"].any()


@pytest.mark.parametrize("at", [[], [2]], ids=["one batch", "two batches"])
def test_a_longer_silence_breaks_the_series_instead_of_carrying(at):
    ticks = ticks_at(0, 1, MAX_CARRY_S + 1.001, MAX_CARRY_S + 2.5)
    final, forming, *_ = fold(ticks, at)
    bars = np.concatenate([final, forming])
    seconds = ((bars["ts_open"] - START) // NS_PER_S).tolist()
    assert seconds == [0, 1, MAX_CARRY_S + 1, MAX_CARRY_S + 2]
    assert bars["gap"].tolist() == [0, 0, 1, 0]
    assert final["final_seq"].tolist() == [2, 3, 4]


def test_trades_lost_in_a_long_silence_mark_the_bar_before_it_too():
    ticks = ticks_at(0, 1, MAX_CARRY_S + 2)
    ticks["flags"][2] = AFTER_GAP
    assert bars_of(ticks)["gap"].tolist() == [0, 1, 1]


def test_no_ticks_make_no_bars():
    assert len(bars_of(make_ticks(0))) == 0
    assert len(BarBuilder().forming()) == 0
