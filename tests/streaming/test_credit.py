"""Credits: a market that has outrun its trainers waits for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streaming.config import StreamConfig
from streaming.credit import FOR_EVER, Credits, CreditWriter
from streaming.exchange.simulator import MarketSimulator
from streaming.tape import write_segment
from streaming.ticks import NS_PER_MS, NS_PER_S, make_ticks

START = 1_700_000_000 * NS_PER_S
SYMBOLS = ["AAAUSDT", "BBBUSDT"]


class World:
    """A tape of 100 trades, one each 100 ms of market time, at speed 10, and a clock by hand."""

    def __init__(self, folder: Path, source: str = "tape") -> None:
        self.folder, self.now = folder, START
        ticks = make_ticks(100)
        ticks["id"] = np.arange(100)
        ticks["ts_event"] = START + np.arange(100) * 100 * NS_PER_MS
        ticks["price"], ticks["size"] = 100.0, 1.0
        for symbol in SYMBOLS:
            write_segment(folder / "tape", symbol, 0, ticks)
        where = f"tape:{folder / 'tape'}" if source == "tape" else "sim"
        self.config = StreamConfig(source=where, symbols=",".join(SYMBOLS), speed=10.0)
        self.trainers = {symbol: CreditWriter(folder, symbol) for symbol in SYMBOLS}
        self.exchange()

    def exchange(self) -> None:
        """Start the exchange, or start it again."""
        credits = Credits(self.folder, SYMBOLS, 2 * NS_PER_S)
        self.simulator = MarketSimulator(self.config, self.folder, lambda: self.now, credits)
        self.simulator.start()

    def grant(self, *symbols: str) -> None:
        for symbol in symbols:
            self.trainers[symbol].grant()

    def after(self, seconds: float) -> list[int]:
        """Let time pass; return how many trades of each symbol come meanwhile."""
        came = dict.fromkeys(SYMBOLS, 0)
        for _ in range(round(seconds * 100)):
            self.now += 10 * NS_PER_MS
            for symbol, trades in self.simulator.advance():
                came[symbol] += len(trades)
        return list(came.values())


def test_a_market_starts_with_its_trainers_and_is_at_most_one_credit_ahead(tmp_path: Path) -> None:
    world = World(tmp_path)
    assert world.after(3.0) == [1, 1]  # what is due at the start itself
    world.grant("AAAUSDT")
    assert world.after(3.0) == [0, 0]  # the other has not begun
    world.grant("BBBUSDT")
    assert world.after(3.0) == [20, 20]  # 2 s of market, then it waits
    world.grant(*SYMBOLS)
    assert world.after(0.1) == [10, 10]  # at its speed: it does not make up for the wait
    world.grant(*SYMBOLS)
    assert world.after(3.0) == [20, 20]


def test_a_trainer_that_has_left_is_not_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.grant(*SYMBOLS)
    world.trainers["AAAUSDT"].waive()
    assert world.after(0.3) == [21, 21]
    world.trainers["BBBUSDT"].waive()
    assert sum(world.after(3.0)) == 2 * 79


def test_an_exchange_that_was_killed_goes_on_where_it_was_and_waits_again(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.grant(*SYMBOLS)
    world.after(0.1)
    world.now += 60 * NS_PER_S
    world.exchange()
    had = len(world.simulator.replayers["AAAUSDT"].history.trades)
    assert 11 <= had <= 11 + 100  # within what it may have played since it last saved its time
    assert world.after(3.0) == [0, 0]  # credits of before are used up
    world.trainers = {symbol: CreditWriter(tmp_path, symbol) for symbol in SYMBOLS}
    world.grant(*SYMBOLS)
    assert world.after(0.1) == [min(10, 100 - had)] * 2


def test_a_simulated_market_is_the_same_one_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, "sim")
    world.grant(*SYMBOLS)
    world.after(0.2)
    before = world.simulator.replayers["AAAUSDT"].history.trades
    world.exchange()
    again = world.simulator.replayers["AAAUSDT"].history.trades
    assert len(again) >= len(before)
    assert (again[: len(before)] == before).all()


@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), max_size=30))
def test_the_limit_is_never_more_than_a_credit_past_the_time_of_the_newest_grant(
    tmp_path_factory: Any, steps: list[tuple[int, bool]]
) -> None:
    folder = tmp_path_factory.mktemp("credit")
    writer, credits = CreditWriter(folder, "A"), Credits(folder, ["A"], 5)
    now = granted_at = 0
    granted = False
    for passed, grant in steps:
        if grant:
            writer.grant()
            granted, granted_at = True, now
        limit = credits.limit(now)
        assert limit == (granted_at + 5 if granted else now)
        now = min(now + passed, limit)
    writer.waive()
    assert credits.limit(now) == FOR_EVER
