"""When things happen: what a lane cannot know by itself, decided live or read from a journal.

    LiveSchedule      looks at the stream and the clock, and journals what it decided
    RecordedSchedule  does what a journal says, in its order; then stops, or goes on live

All nondeterminism of a session is here: when bars were taken, whether their forecasts were in
time, where a cycle cut, how long things took. The rest follows.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from trainers.drivers.streams import Stats
from trainers.recording.decision_log import Entry, Journal
from trainers.scoring.ledger import MISSED, Forecasts

if TYPE_CHECKING:
    from trainers.engine.market_trainer import Lane

IDLE = ""  # the place between two cycles; the others are called after the learner just trained


class RecordEndsError(Exception):
    """A record ends in the middle of a cycle: what was whole has been replayed."""


class Cut(NamedTuple):
    """The beginning of a cycle.

    Attributes:
        cycle: its number, from 1.
        ticks: how many it may see.
        now: event time of the newest of them, ns.
        oldest: the first tick that the cache still held.
        oldest_ts: its event time, ns.
        wall_ms: our clock, Unix epoch: the time of the cycle's metrics.
        stats: what the feed had counted.
    """

    cycle: int
    ticks: int
    now: int
    oldest: int
    oldest_ts: int
    wall_ms: int
    stats: Stats


class Taking(NamedTuple):
    """Bars to be taken.

    Attributes:
        to: up to this bar, excluded.
        asked: whether the newest is forecast in time; None if only the clock can tell.
        known: it is in the journal already.
    """

    to: int
    asked: bool | None
    known: bool


class End(NamedTuple):
    """The end of a cycle.

    Attributes:
        seconds: that each learner's training took, by name.
        overran: the next cycle was due before this one ended.
    """

    seconds: dict[str, float]
    overran: bool


Hashes = Mapping[str, Any]
# Told of each cycle's end: symbol, cycle, recorded and present hashes.
Compare = Callable[[str, int, Hashes, Hashes], None]


class Schedule(Protocol):
    """What a lane asks."""

    def taking(self, lane: Lane, known: int, place: str) -> Taking | None:
        """Return which bars to take at a place, ``known`` ticks being seen; None for none."""

    def took(self, lane: Lane, taking: Taking, place: str) -> None:
        """Be told that bars were taken and are in the ledger; ``asked`` is decided."""

    def latency_us(self, lane: Lane, known_at: int) -> NDArray[np.int64] | int:
        """Return how long the forecasts of the newest bar took since ``known_at``, ns."""

    def end(self, lane: Lane, cycle: int, measured: End, hashes: Hashes) -> End:
        """End a cycle; return what to take as measured."""


class LiveSchedule:
    """Decides by what is there now.

    Args:
        journal: where decisions are written.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def taking(self, lane: Lane, known: int, place: str) -> Taking | None:
        if lane.ledger.last_bar > lane.newest_bar:
            return _left_behind(lane)
        new = lane.stream.bars(lane.next_bar)
        n = int(np.count_nonzero(new.rows["final_seq"] <= known))
        return Taking(new.first + n, None, known=False) if n else None

    def cut(self, lane: Lane, ticks: int, now: int) -> Cut:
        """Begin a cycle; it is journaled before anything is done about it."""
        oldest = lane.stream.oldest_tick
        first = lane.stream.ticks(oldest, ticks)
        cut = Cut(
            lane.cycle + 1,
            ticks,
            now,
            first.first,
            int(first.rows["ts_event"][0]) if len(first.rows) else now,
            time.time_ns() // 1_000_000,
            lane.stream.stats(),
        )
        self._journal.write("cut", symbol=lane.symbol, **cut._asdict())
        return cut

    def took(self, lane: Lane, taking: Taking, place: str) -> None:
        if not taking.known:
            self._journal.write(
                "bars", symbol=lane.symbol, to=taking.to, asked=taking.asked, after=place
            )

    def latency_us(self, lane: Lane, known_at: int) -> NDArray[np.int64] | int:
        return (time.time_ns() - known_at) // 1000

    def end(self, lane: Lane, cycle: int, measured: End, hashes: Hashes) -> End:
        self._journal.write(
            "end", symbol=lane.symbol, cycle=cycle, **measured._asdict(), hashes=hashes
        )
        return measured


def _left_behind(lane: Lane) -> Taking | None:
    """Take what a killed trainer wrote into the ledger and had not journaled yet.

    Its rows tell which versions were at work; None as long as those here are others.
    """
    rows = lane.ledger.rows_of(lane.ledger.last_bar)
    if len(rows) and rows["version"].tolist() != [seat.version for seat in lane.seats]:
        return None
    new = lane.stream.bars(lane.next_bar)
    n = int(np.searchsorted(new.rows["ts_open"], lane.ledger.last_bar, side="right"))
    asked = bool(len(rows)) and bool((rows["status"] != MISSED).any())
    return Taking(new.first + n, asked, known=False)


class RecordedSchedule:
    """Does what the entries of a journal say.

    Args:
        entries: oldest first.
        latencies: of recorded forecasts, by symbol and bar; none while going on live.
        compare: told of each cycle's end: symbol, cycle, recorded and present hashes.
        then: what decides when the entries are used up; None stops there.
    """

    def __init__(
        self,
        entries: Iterable[Entry],
        *,
        latencies: Mapping[str, Latencies] | None = None,
        compare: Compare,
        then: LiveSchedule | None = None,
    ) -> None:
        self.left = deque(entries)
        self._latencies, self._compare, self._then = latencies or {}, compare, then

    def taking(self, lane: Lane, known: int, place: str) -> Taking | None:
        if self.more():
            entry = self.left[0]
            if entry["do"] != "bars" or entry["after"] != place or entry["symbol"] != lane.symbol:
                return None  # nothing was taken here
            self.left.popleft()
            return Taking(entry["to"], entry["asked"], known=True)
        return self._live().taking(lane, known, place)

    def took(self, lane: Lane, taking: Taking, place: str) -> None:
        if not taking.known:
            self._live().took(lane, taking, place)

    def latency_us(self, lane: Lane, known_at: int) -> NDArray[np.int64] | int:
        if lane.symbol in self._latencies:
            return self._latencies[lane.symbol].of(lane.newest_bar)
        return 0 if self._then is None else self._then.latency_us(lane, known_at)

    def end(self, lane: Lane, cycle: int, measured: End, hashes: Hashes) -> End:
        if not self.more():
            return self._live().end(lane, cycle, measured, hashes)
        entry = self.left.popleft()
        self._compare(lane.symbol, cycle, entry["hashes"], hashes)
        return End(entry["seconds"], entry["overran"])

    def more(self) -> bool:
        """Go on to the next decision; tell whether there is one."""
        while self.left and self.left[0]["do"] not in DECISIONS:
            self.left.popleft()
        return bool(self.left)

    def _live(self) -> LiveSchedule:
        if self._then is None:
            raise RecordEndsError
        return self._then


DECISIONS = ("bars", "cut", "end", "control", "champion")


class Latencies:
    """How long recorded forecasts took.

    Args:
        forecasts: ``(N,)`` of dtype ``FORECAST``, of one symbol, bars rising.
    """

    def __init__(self, forecasts: Forecasts) -> None:
        self._bars, self._latency = forecasts["bar"], forecasts["latency_us"]

    def of(self, bar: int) -> NDArray[np.int64]:
        """Return them for the rows of a bar, in the order of the ledger's learners."""
        first, stop = np.searchsorted(self._bars, [bar, bar + 1])
        found: NDArray[np.int64] = self._latency[first:stop]
        return found


def drive(
    schedule: RecordedSchedule,
    lanes: Mapping[str, Lane],
    *,
    control: Callable[[Entry], None],
    champion: Callable[[Entry], None],
    cycled: Callable[[Lane], None],
) -> None:
    """Do all that the entries say.

    Args:
        schedule: of the lanes.
        lanes: by symbol.
        control: carries out an operator's wish.
        champion: has another version forecast.
        cycled: told of each lane that has ended a cycle.

    Raises:
        RecordEndsError: if they end within a cycle and nothing goes on.
    """
    while schedule.more():
        entry = schedule.left[0]
        if entry["do"] == "bars":
            lanes[entry["symbol"]].take_bars(0)
            continue
        schedule.left.popleft()
        if entry["do"] == "control":
            control(entry)
        elif entry["do"] == "champion":
            champion(entry)
        elif entry["do"] == "cut":
            lane = lanes[entry["symbol"]]
            lane.run_cycle(Cut(*(entry[name] for name in Cut._fields)))
            cycled(lane)
