"""Drives an engine over recorded bars on a virtual clock. Pure.

    bars, batch by batch -> Backtest -> decisions, and the engine's commands

Nothing takes time on that clock, so every forecast is in time. The order is that of a session whose
market waits for its trainer: when a bar closes the next one is forecast from what was learned
before; then a cycle begins if one is due. Between two cycles all forecasts are made in one go. How
the bars are batched changes nothing. Source of test-then-train: J. Gama, R. Sebastião and P.
Rodrigues, On evaluating stream learning algorithms, Machine Learning 90 (2013).
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from datamodules.digest import digest
from streaming.bars import BAR, Bars
from streaming.rings.counters import STATS
from streaming.ticks import FOR_EVER, NS_PER_MS
from trainers.engine.commands import CandidateWanted, Command, RollbackWanted
from trainers.engine.drivers.champions import OwnChampions
from trainers.engine.drivers.recorded import BETWEEN
from trainers.engine.drivers.streams import Stream, digests
from trainers.engine.events import (
    STREAMS,
    BarsTaken,
    CycleBegun,
    CycleEnded,
    LearnerTurn,
    Watermark,
)
from trainers.engine.market_trainer import MarketTrainer

ALL: Watermark = dict.fromkeys(STREAMS, FOR_EVER)
NOTHING_COUNTED = dict.fromkeys(STATS.names or (), 0.0)


class Decision(NamedTuple):
    """A decision for the market's log, yielded before the engine handles it.

    Attributes:
        do: its kind, as in ``trainers.recording.decision_log``.
        fields: what it says.
    """

    do: str
    fields: Mapping[str, Any]


class Backtest:
    """A driver that decides from the bars alone.

    Args:
        trainer: the market's engine, which has handled no event yet.
        stream: the rows that the bars were made of, for their hashes; None hashes their numbers.
        kept: the number of newest rows of each stream that a cycle has in its cache.
        stats: returns the counters of the market's stream.
        min_ticks: the number of ticks that are known when the first cycle begins, at least.
        min_bars: the same of bars.
    """

    def __init__(
        self,
        trainer: MarketTrainer,
        stream: Stream | None = None,
        *,
        kept: Watermark = ALL,
        stats: Callable[[], Mapping[str, float]] = lambda: NOTHING_COUNTED,
        min_ticks: int = 0,
        min_bars: int = 0,
    ) -> None:
        self._trainer, self._stream, self._kept, self._stats = trainer, stream, kept, stats
        self._min_ticks, self._min_bars = min_ticks, min_bars
        self._champions = OwnChampions(trainer)
        self._arrivals = collections.deque(self._champions.first())

    @property
    def done(self) -> bool:
        """Whether the cycles that were asked for are done."""
        return 0 < self._trainer.config.cycles <= self._trainer.cycle

    def take(self, bars: Bars) -> Iterator[Decision | Command]:
        """Take further bars; yield decisions and the engine's commands.

        Args:
            bars: ``(T,)`` of dtype ``BAR``, which follow those before.
        """
        yield from self._install()
        while len(bars) and not self.done:
            due = self._due(bars)
            n = int(np.argmax(due)) + 1 if due.any() else len(bars)
            yield from self._forecast(bars[:n])
            if due.any():
                yield from self._cycle()
                yield from self._install()
            bars = bars[n:]

    def end(self) -> Iterator[Decision | Command]:
        """End the stream: what came after the last cycle needs one more."""
        newest = self._trainer.bars[-1:]
        ready = len(newest) and self._is_ready(newest, self._trainer.next_bar)[0]
        if ready and not self.done and self._seen != self._trainer.cycles.seen:
            yield from self._cycle()

    def _due(self, bars: Bars) -> np.ndarray:
        """Return at which of ``bars``, which come next, a cycle would begin, ``(T,)``."""
        trainer = self._trainer
        now = bars["ts_open"] + trainer.config.bar_ns
        wanted = trainer.wanted or now >= trainer.cycles.next_due
        due: np.ndarray = self._is_ready(bars, trainer.next_bar + 1) & wanted
        return due

    def _is_ready(self, bars: Bars, number: int) -> np.ndarray:
        """Return at which of ``bars`` enough is known for a cycle; the first is bar ``number``."""
        enough = number + np.arange(len(bars)) >= self._min_bars
        return enough & (bars["final_seq"] >= self._min_ticks)

    def _forecast(self, bars: Bars, after: str = BETWEEN) -> Iterator[Decision | Command]:
        """Take bars that are known by now, ``after`` a learner's turn; forecast at each of them."""
        to = self._trainer.next_bar + len(bars)
        seen = _seen_at(bars)
        yield Decision(
            "bars", {"watermark": seen, "to": to, "ask": True, "after": after, "each": True}
        )
        yield from self._trainer.handle(BarsTaken(bars, each=True))

    @property
    def _seen(self) -> Watermark:
        return _seen_at(self._trainer.bars)

    def _cycle(self) -> Iterator[Decision | Command]:
        yield from self._begin()
        for name in self._trainer.roster.turns:
            yield from self._trainer.handle(LearnerTurn(name))
        yield from self._end()

    def _begin(self) -> Iterator[Decision | Command]:
        begun = self._begun()
        decided = begun._asdict()
        del decided["digests"]  # can be computed from the rows
        yield Decision("cycle", decided)
        yield from self._trainer.handle(begun)

    def _end(self) -> Iterator[Decision | Command]:
        for command in self._trainer.handle(CycleEnded({}, overran=False)):
            if isinstance(command, CandidateWanted | RollbackWanted):
                arrival = self._champions.after(command)
                self._arrivals += [arrival] if arrival else []
            yield command

    def _begun(self) -> CycleBegun:
        trainer, seen = self._trainer, self._seen
        now, since = trainer.newest_bar + trainer.config.bar_ns, trainer.cycles.seen
        oldest = {name: max(0, seen[name] - self._kept[name]) for name in STREAMS}
        first_ts, hashes = now, {name: digest(since[name], seen[name]) for name in STREAMS}
        if self._stream is not None:
            first = self._stream.rows("ticks", oldest["ticks"], oldest["ticks"] + 1).rows
            first_ts = int(first["ts_event"][0]) if len(first) else now
            hashes = digests(self._stream, since, oldest, seen)
        return CycleBegun(
            cycle=trainer.cycle + 1,
            watermark=seen,
            now=now,
            oldest=oldest,
            oldest_ts=first_ts,
            wall_ms=now // NS_PER_MS,
            stats=self._stats(),
            digests=hashes,
        )

    def _install(self) -> Iterator[Decision | Command]:
        while self._arrivals:
            event = self._arrivals.popleft()
            decided = {name: getattr(event, name) for name in ("learner", "version", "challenge")}
            after = self._trainer.newest_bar
            yield Decision("champion", {**decided, "after_bar": after, "own": True})
            yield from self._trainer.handle(event)


def _seen_at(bars: Bars) -> Watermark:
    """Return the rows that the newest of ``bars`` implies."""
    newest = bars[-1] if len(bars) else np.zeros(1, BAR)[0]
    return {"ticks": int(newest["final_seq"]), "quotes": int(newest["final_quote"])}
