"""Runs a market's cycles live: begins one, gives each learner its turn, ends it.

The clock is read here: when a cycle began, and how long each turn took.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable

from streaming.ticks import NS_PER_MS
from trainers.engine.commands import CycleDone
from trainers.engine.drivers.recorded import BETWEEN
from trainers.engine.drivers.streams import digests
from trainers.engine.events import CycleBegun, CycleEnded, LearnerTurn, Watermark
from trainers.engine.market_trainer import MarketTrainer
from trainers.recording.decision_log import DecisionLog
from trainers.session.market.command_handler import CommandHandler
from trainers.session.market.live_stream import LiveStream


class RunningCycle:
    """A cycle that has begun and not ended yet.

    Args:
        begun: its beginning.
        turns: names of the learners that still have to learn.

    Attributes:
        after: the learner whose turn has just ended.
        seconds: the duration of each turn, by learner.
    """

    def __init__(self, begun: CycleBegun, turns: Iterable[str]) -> None:
        self.begun, self.turns = begun, deque(turns)
        self.after = BETWEEN
        self.seconds: dict[str, float] = {}


class CycleRunner:
    """The steps of a cycle, each written to the log before the engine handles it.

    Args:
        trainer: the market's engine.
        stream: the market's rings.
        log: the market's decision log.
        handler: carries out the engine's commands.
    """

    def __init__(
        self, trainer: MarketTrainer, stream: LiveStream, log: DecisionLog, handler: CommandHandler
    ) -> None:
        self._trainer, self._stream, self._log, self._handler = trainer, stream, log, handler

    def begin(self, seen: Watermark) -> RunningCycle:
        """Begin a cycle that may see the rows of ``seen``."""
        stream, trainer = self._stream, self._trainer
        oldest, since = stream.oldest, trainer.cycles.seen
        now = trainer.newest_bar + trainer.config.bar_ns
        first = stream.rows("ticks", oldest["ticks"], oldest["ticks"] + 1).rows["ts_event"]
        begun = CycleBegun(
            cycle=trainer.cycle + 1,
            watermark=seen,
            now=now,
            oldest=oldest,
            oldest_ts=int(first[0]) if len(first) else now,
            wall_ms=time.time_ns() // NS_PER_MS,
            stats=stream.stats,
            digests=digests(stream, since, oldest, seen),
        )
        decided = begun._asdict()
        del decided["digests"]  # can be computed from the rows
        self._log.write("cycle", **decided)
        self._handler.do_all(trainer.handle(begun))
        return RunningCycle(begun, trainer.roster.turns)

    def turn(self, cycle: RunningCycle) -> None:
        """Train the next learner."""
        name, started = cycle.turns.popleft(), time.perf_counter()
        self._handler.do_all(self._trainer.handle(LearnerTurn(name)))
        cycle.seconds[name] = time.perf_counter() - started
        cycle.after = name

    def end(self, cycle: RunningCycle) -> CycleDone:
        """Score, judge and report; return what the cycle came to."""
        trainer, seconds = self._trainer, cycle.seconds
        now = trainer.newest_bar + trainer.config.bar_ns
        overran = now >= trainer.cycles.due_after_this(cycle.begun.now)
        done: list[CycleDone] = []
        for command in trainer.handle(CycleEnded(seconds, overran)):
            if isinstance(command, CycleDone):
                done.append(command)
                self._log.end(command, seconds, overran=overran)
            self._handler.do(command)
        return done[0]
