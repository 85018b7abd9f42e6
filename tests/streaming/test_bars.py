from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import streaming.bars
from streaming.bars import BAR, BROKEN, MISSING, MOST_TIMES, BarBuilder, bars_of
from streaming.ticks import AFTER_GAP, LATE, NS_PER_MS, NS_PER_S, make_ticks
from tests.streaming.samples import START, markets, splits, ticks_at

# A day in the product; shorter here, since the loop below makes each carried bar by hand.
MAX_CARRY_S = 40

GRACES = st.sampled_from([0, 1, 250 * NS_PER_MS, NS_PER_S, 3 * NS_PER_S, 60 * NS_PER_S])


@pytest.fixture(autouse=True, scope="module")
def _short_silences():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streaming.bars, "MAX_CARRY_S", MAX_CARRY_S)
        yield


def fold(ticks, at, grace_ns=0):
    """Bars of ``ticks`` folded in batches: final ones, forming ones, and the flags set."""
    ticks, builder = ticks.copy(), BarBuilder(grace_ns)
    final = [builder.update(batch) for batch in np.split(ticks, at)]
    return np.concatenate(final), builder.forming(), ticks["flags"]


class OneByOne:
    """The same bars, written as a loop over ticks with plain Python numbers."""

    def __init__(self, grace_ns):
        self.grace, self.newest, self.n = grace_ns, None, 0
        self.open, self.final, self.late = [], [], []
        self.last_close = self.bid = self.ask = 0.0
        self.last_price, self.last_side = None, 0

    def see(self, tick):
        ts, gap = int(tick["ts_event"]), int(tick["flags"]) & AFTER_GAP
        second = ts // NS_PER_S
        if self.newest is None:
            self.newest = ts
            self.open = [self.empty(second, 0)]
        before, self.newest = self.newest, max(self.newest, ts)
        self.n += 1
        if self.newest - before > MAX_CARRY_S * NS_PER_S:
            if gap:
                self.open[-1]["gap"] |= MISSING
            while self.open:
                self.finish()
            self.open = [self.empty(second, 1)]
            before = self.newest
        while self.open[-1]["second"] < self.newest // NS_PER_S:
            self.open.append(self.empty(self.open[-1]["second"] + 1, 0))
        while (self.open[0]["second"] + 1) * NS_PER_S + self.grace <= self.newest:
            self.finish()
        if gap:
            for bar in [*self.open, *self.final]:
                if before // NS_PER_S <= bar["second"] <= self.newest // NS_PER_S:
                    bar["gap"] |= MISSING
        self.late.append(second < self.open[0]["second"])
        if not self.late[-1]:
            self.apply(self.open[second - self.open[0]["second"]], tick)

    def empty(self, second, gap):
        return {"second": second, "prices": [], "volume": 0.0, "signed_volume": 0.0,
                "notional": 0.0, "gap": gap, "final_seq": 0, "bid": 0.0, "ask": 0.0}  # fmt: skip

    def apply(self, bar, tick):
        price, size, side = float(tick["price"]), float(tick["size"]), int(tick["side"])
        if side == 0:  # the tick rule
            last = price if self.last_price is None else self.last_price
            side = 1 if price > last else -1 if price < last else self.last_side
        self.last_price, self.last_side = price, side
        if side:
            bar["bid" if side < 0 else "ask"] = price
        bar["prices"].append(price)
        bar["volume"] += size
        bar["signed_volume"] += size * side
        bar["notional"] += price * size

    def finish(self):
        bar = self.open.pop(0)
        bar["final_seq"] = self.n
        bar["carried"] = self.last_close
        before = self.last_close or bar["prices"][0]
        self.last_close = bar["prices"][-1] if bar["prices"] else self.last_close
        prices = bar["prices"] or [before]
        if max(prices) > MOST_TIMES * before or MOST_TIMES * min(prices) < before:
            bar["gap"] |= BROKEN
            bar["bid"] = bar["ask"] = self.last_close
        for name in ("bid", "ask"):  # where the first bar of all lacks one: its close
            bar[name] = bar[name] or getattr(self, name) or self.last_close
            setattr(self, name, bar[name])
        self.final.append(bar)

    def bars(self):
        rows = np.zeros(len(self.final), BAR)
        for row, bar in zip(rows, self.final, strict=True):
            prices = bar["prices"] or [bar["carried"]]
            row["ts_open"] = bar["second"] * NS_PER_S
            row["open"], row["close"] = prices[0], prices[-1]
            row["high"], row["low"] = max(prices), min(prices)
            row["trades"] = len(bar["prices"])
            for name in ("volume", "signed_volume", "notional", "gap", "final_seq", "bid", "ask"):
                row[name] = bar[name]
        return rows


@given(st.data(), GRACES)
def test_any_batching_gives_the_same_bits(data, grace_ns):
    ticks = data.draw(markets())
    whole = fold(ticks, [], grace_ns)
    parts = fold(ticks, data.draw(splits(len(ticks))), grace_ns)
    single = fold(ticks, range(len(ticks)), grace_ns)
    for part, one, all_at_once in zip(parts, single, whole, strict=True):
        assert part.tobytes() == all_at_once.tobytes()
        assert one.tobytes() == all_at_once.tobytes()


@given(markets(), GRACES)
def test_bars_agree_with_a_plain_loop_to_the_bit(ticks, grace_ns):
    loop = OneByOne(grace_ns)
    for tick in ticks:
        loop.see(tick)
    final, _, flags = fold(ticks, [], grace_ns)
    assert (flags & LATE != 0).tolist() == loop.late
    wanted = loop.bars()
    for name in BAR.names:
        assert final[name].tolist() == wanted[name].tolist(), name


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
    every, _, _ = fold(ticks, [], grace_ns)
    early, _, _ = fold(ticks[:k], [], grace_ns)
    assert early.tobytes() == every[every["final_seq"] <= k].tobytes()


@given(markets(), GRACES)
def test_every_tick_is_counted_in_one_bar_or_marked_late(ticks, grace_ns):
    final, forming, flags = fold(ticks, [], grace_ns)
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
    final, forming, flags = fold(ticks, [])
    assert (flags & LATE).tolist() == [0, 0, 0, LATE, 0]
    on_time = ticks[[0, 1, 2, 4]]
    without, still_forming, _ = fold(on_time, [])
    assert final.tobytes() == without.tobytes()
    assert forming.tobytes() == still_forming.tobytes()


def test_grace_lets_a_slow_tick_into_its_bar():
    ticks = ticks_at(0, 1, 2, 0.5, 2.5, 5)
    ticks["price"] = [10, 11, 12, 999, 13, 14]
    final, _, flags = fold(ticks, [], grace_ns=2 * NS_PER_S)
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
    assert bars["bid"].tolist() == [10, 9, 9, 9]
    assert bars["ask"].tolist() == [12, 12, 12, 13]


def test_before_the_first_trade_of_a_side_its_quote_is_the_first_close():
    ticks = ticks_at(0, 1, 2)
    ticks["side"], ticks["price"] = [1, 1, -1], [10, 11, 9]
    assert bars_of(ticks)["bid"].tolist() == [10, 10, 9]


@pytest.mark.parametrize("at", [[], [3]], ids=["one batch", "two batches"])
def test_a_gap_marks_the_bars_from_the_tick_before_it_to_the_tick_after(at):
    ticks = ticks_at(0, 1, 2, 5, 6, 7)
    ticks["flags"][3] = AFTER_GAP
    final, forming, _ = fold(ticks, at)
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
    final, forming, _ = fold(ticks, at)
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
