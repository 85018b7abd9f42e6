"""Credits: a market that has outrun its trainers waits for them, a bar at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streaming.bars import MAX_CARRY_S, BarBuilder
from streaming.config import StreamConfig
from streaming.exchange.protocol.chunk import Chunk
from streaming.exchange.simulator import MarketSimulator
from streaming.market_clock import CLOCK, played_of
from streaming.rings.credit import PATIENCE_S, Credits, CreditWriter
from streaming.tape import write_segment
from streaming.ticks import NS_PER_MS, NS_PER_S, Ticks, make_ticks

START = 1_700_000_000 * NS_PER_S
SYMBOLS = ["AAAUSDT", "BBBUSDT"]
LATER = START + 10**8 * NS_PER_S  # when the tapes are played


def tape_of(times_ms: list[int]) -> Ticks:
    ticks = make_ticks(len(times_ms))
    ticks["id"] = np.arange(len(times_ms))
    ticks["ts_event"] = START + np.array(times_ms) * NS_PER_MS
    ticks["price"], ticks["size"] = 100.0, 1.0
    return ticks


class Trainer:
    """Makes bars of what the exchange sends, as a feed does, and forecasts on them when it looks.

    Attributes:
        final: the bars that became final since it last looked.
        forecast: how many bars it has seen.
    """

    def __init__(self, folder: Path, symbol: str, grace_ns: int = 0) -> None:
        self._writer, self._builder = CreditWriter(folder, symbol), BarBuilder(grace_ns)
        self.final: list[int] = []
        self.forecast = self._newest = 0

    def receive(self, chunk: Chunk) -> None:
        rows = make_ticks(len(chunk))
        rows["ts_event"] = chunk.times(LATER)
        rows["price"] = rows["size"] = 1.0
        bars = self._builder.update(rows[rows["ts_event"] > 0])
        self.final += bars["ts_open"].tolist()

    def look(self) -> None:
        self.forecast += len(self.final)
        self._newest = self.final[-1] if self.final else self._newest
        self.final = []
        self._writer.look(self._newest)

    def waive(self) -> None:
        self._writer.waive()


class World:
    """An exchange, its trainers, and a clock by hand."""

    def __init__(self, folder: Path, tapes: dict[str, Ticks], **config: object) -> None:
        self.folder, self.now = folder, LATER
        self.sent = dict.fromkeys(tapes, 0)  # trades
        for symbol, ticks in tapes.items():
            write_segment(folder / "tape", symbol, 0, ticks)
        given = {"source": f"tape:{folder / 'tape'}", "speed": 10.0, **config}
        self.config = StreamConfig(symbols=",".join(tapes), **given)
        grace_ns = self.config.grace_ms * NS_PER_MS
        self.trainers = {symbol: Trainer(folder, symbol, grace_ns) for symbol in tapes}
        self.exchange()

    def exchange(self) -> None:
        """Start the exchange, or start it again."""
        credits = Credits(self.folder, self.config.symbol_list, lambda: self.now / NS_PER_S)
        self.simulator = MarketSimulator(self.config, self.folder, lambda: self.now, credits)
        self.simulator.start()

    def look(self, *symbols: str) -> None:
        for symbol in symbols or self.trainers:
            self.trainers[symbol].look()

    def after(self, seconds: float, step_ms: int = 10) -> list[int]:
        """Let time pass; return how many trades of each symbol come meanwhile."""
        before = list(self.sent.values())
        for _ in range(round(seconds * 1000 / step_ms)):
            self.now += step_ms * NS_PER_MS
            for symbol, chunk in self.simulator.advance():
                self.sent[symbol] += len(chunk.trades)
                self.trainers[symbol].receive(chunk)
        return [now - then for now, then in zip(self.sent.values(), before, strict=True)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Two markets of 100 trades, one each 100 ms of market time, at speed 10."""
    return World(tmp_path, {symbol: tape_of(list(range(50, 10_050, 100))) for symbol in SYMBOLS})


def test_a_market_starts_with_all_of_its_trainers(world: World) -> None:
    assert world.after(3.0) == [0, 0]
    world.look("AAAUSDT")
    assert world.after(3.0) == [0, 0]
    world.look("BBBUSDT")
    assert world.after(0.04) == [5, 5]


def test_what_makes_another_bar_final_waits_for_the_forecast_on_the_one_before(
    world: World,
) -> None:
    world.look()
    assert world.after(0.9) == [20, 20]  # the first bar is final, the second all there
    world.look("AAAUSDT")
    assert sum(world.after(0.5)) <= 1  # all markets have one clock
    world.look("BBBUSDT")
    assert sum(world.after(0.05)) <= 10  # at its speed: it does not make up for the wait
    assert [trainer.forecast for trainer in world.trainers.values()] == [1, 1]


def test_a_trainer_that_has_left_is_not_waited_for(world: World) -> None:
    world.look()
    world.trainers["AAAUSDT"].waive()
    assert world.after(0.9)[1] == 20
    world.trainers["BBBUSDT"].waive()
    world.after(3.0)
    assert list(world.sent.values()) == [100, 100]


def test_a_trainer_that_waits_in_vain_is_not_waited_for(world: World) -> None:
    world.look()
    for trainer in world.trainers.values():
        trainer.receive = lambda chunk: None  # all of it is lost on the way
    assert world.after(0.9) == [20, 20]
    world.look()  # it has nothing to do; maybe not yet
    assert world.after(PATIENCE_S - 0.1) == [0, 0]
    world.look()
    assert world.after(0.05) == [0, 0]
    assert world.after(0.3) == [10, 10]
    assert world.after(3.0) == [0, 0]  # the next bar has a hold of its own


def test_an_exchange_that_was_killed_sends_again_what_it_may_have_sent_and_waits(
    world: World,
) -> None:
    world.look()
    world.after(0.9)
    world.now += 60 * NS_PER_S
    world.exchange()
    had = len(world.simulator.playbacks["AAAUSDT"].history.trades)
    assert had <= 20
    assert world.after(3.0) == [0, 0]  # credits of before are used up
    world.look()
    assert world.after(0.4) == [min(40, 30 - had)] * 2


def test_a_simulated_market_is_the_same_one_after_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, {"AAAUSDT": tape_of([0])}, source="sim")
    world.look()
    world.after(0.2)
    before = world.simulator.playbacks["AAAUSDT"].history.trades
    world.exchange()
    again = world.simulator.playbacks["AAAUSDT"].history.trades
    shared = min(len(before), len(again))
    assert shared > 500
    assert (again[:shared] == before[:shared]).all()


STEPS = st.one_of(
    st.integers(0, 900),
    st.sampled_from([0, 999, 1000, 1001, 2500, 7000, MAX_CARRY_S * 1000 + 60_000, 10**9]),
)


@st.composite
def tapes(draw: st.DrawFn, *, falling: bool) -> Ticks:
    """Times with silences, closed markets, void rows and, maybe, times that fall."""
    steps = draw(st.lists(STEPS, min_size=1, max_size=15))
    back = [draw(st.sampled_from([0, 0, 0, 700, 30_000])) * falling for _ in steps]
    ticks = tape_of((np.cumsum(steps) - np.array(back)).tolist())
    for i in draw(st.lists(st.integers(0, len(steps) - 1), max_size=5)):
        ticks[draw(st.sampled_from(["price", "size", "ts_event"]))][i] = 0
    return ticks


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_no_forecast_is_missed_and_nothing_is_held_for_ever(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    grace_ms = data.draw(st.sampled_from([0, 0, 1500]))
    lossy = data.draw(st.booleans())
    markets = st.lists(tapes(falling=not grace_ms), min_size=1, max_size=1 if lossy else 3)
    drawn = data.draw(markets)
    every = [data.draw(st.integers(1, 4)) for _ in drawn]
    world = World(
        tmp_path_factory.mktemp("credit"),
        {f"M{i}USDT": ticks for i, ticks in enumerate(drawn)},
        speed=1000.0,
        grace_ms=grace_ms,
    )
    trainers = list(world.trainers.values())
    if lossy:
        for trainer in trainers:
            trainer.receive = lambda chunk: None
    step = 0
    while not world.simulator.ended:
        world.after(0.25, step_ms=250)
        for trainer, n in zip(trainers, every, strict=True):
            opened = np.array(trainer.final)
            breaks = np.diff(opened) > MAX_CARRY_S * NS_PER_S
            assert len(opened) - np.count_nonzero(breaks) <= 1 + 2 * (grace_ms > 0)
            if step % n == 0:
                trainer.look()
        step += 1
        assert step < 5000
    assert list(world.sent.values()) == [len(ticks) for ticks in drawn]


def test_its_clock_tells_how_much_of_a_tape_was_played(world: World) -> None:
    assert played_of(world.folder) == 0.0
    for _ in range(5):
        world.look()
        world.after(0.1)
    world.after(1.0)  # it is saved once a second
    half = played_of(world.folder)
    assert half is not None
    assert 0.2 < half < 0.8
    for trainer in world.trainers.values():
        trainer.waive()
    world.after(3.0)
    assert played_of(world.folder) == 1.0


def test_what_is_no_tape_has_no_share_that_was_played(tmp_path: Path) -> None:
    assert played_of(tmp_path) is None
    MarketSimulator(StreamConfig(), tmp_path, lambda: LATER)
    assert played_of(tmp_path) is None
    (tmp_path / CLOCK).write_text("{")
    assert played_of(tmp_path) is None
