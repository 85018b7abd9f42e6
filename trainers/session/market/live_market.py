"""Drives one market's engine live: reads its stream and the clock, decides, records, acts.

    rings, clock -> decision -> log -> event -> MarketTrainer -> commands -> ledger, MLflow

Each decision is written to the market's log before the engine handles it. A market goes on in small
steps, a learner's turn at most, so that whoever drives several markets can forecast the new bars of
all of them between two steps of any.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

from streaming.bars import Bars
from streaming.events import Code
from streaming.rings.credit import CreditWriter
from trainers.config import TrainingConfig
from trainers.engine.commands import CycleDone, Happened
from trainers.engine.drivers.recorded import BETWEEN
from trainers.engine.events import STREAMS, ChampionInstalled, ControlGiven, Watermark
from trainers.engine.forecasting import HASHED_BARS
from trainers.engine.market_trainer import MarketTrainer
from trainers.learners.learner import Learner
from trainers.names import Kind
from trainers.recording.decision_log import DecisionLog
from trainers.recording.ledger import Ledger
from trainers.session.market.bar_taker import BarTaker
from trainers.session.market.command_handler import CommandHandler, Wanted
from trainers.session.market.cycle_runner import CycleRunner, RunningCycle
from trainers.session.market.live_stream import LiveStream
from trainers.session.market.resume import Models, resume
from trainers.tracking.tracker import RunWriter


class Runs(Protocol):
    """The MLflow runs of a market's learners."""

    def make(self, learner: str, kind: Kind, learner_kind: str) -> str | None:
        """Return the run id of a learner, made if there is none; None if it is not logged."""


class LiveMarket:
    """One market of a session; making it resumes the market if it has a record.

    Args:
        session: the session's folder.
        log: the market's decision log; the process that has it open owns the market.
        trainer: the market's engine, which has handled no event yet.
        runs: the MLflow runs of the market's learners.
        writer: writes metrics and tags to these runs.
        models: returns the model of a registered version, given a learner's name and the
            version's number.
        say: reports an event, given its code and a text.

    Attributes:
        market: the market's symbol.
        stream: the market's rings.
        run_ids: the MLflow run ids by learner, of those that are logged.
        control_seq: number of the last request in the log; 0 if there is none.
        resumed_from: a text that says where a resumed market continues; empty for a new market.

    Raises:
        RecordError: if the market's record cannot be resumed.
    """

    def __init__(
        self,
        session: Path,
        log: DecisionLog,
        trainer: MarketTrainer,
        runs: Runs,
        writer: RunWriter,
        models: Models,
        say: Callable[[Code, str], object],
    ) -> None:
        self.trainer, self.market = trainer, trainer.market
        self.log, self._writer = log, writer
        self.stream = LiveStream(session, self.market)
        self._credit = CreditWriter(session, self.market)
        self._ledger = Ledger(session, self.market, trainer.roster.names)
        self.run_ids = {
            runner.name: run_id
            for kind, runner in trainer.roster.by_kind()
            if (run_id := runs.make(runner.name, kind, runner.learner.kind)) is not None
        }
        self._handler = CommandHandler(
            session, self.market, log, self._ledger, self.run_ids, writer, say
        )
        self._bars = BarTaker(trainer, self.stream, log, self._handler)
        self._cycles = CycleRunner(trainer, self.stream, log, self._handler)
        self._cycle: RunningCycle | None = None
        self._stream_over = self._last_cycle_due = False
        self.control_seq = max(
            (entry["seq"] for entry in log.entries if entry["do"] == "control"), default=0
        )
        found = resume(trainer, log, self.stream, self._ledger, self._handler, models, say)
        self.resumed_from = found.text
        if found.begun is not None:
            self._finish(RunningCycle(found.begun, found.turns_left))

    @property
    def wanted(self) -> list[Wanted]:
        """The promotions and rollbacks that this market's owner still has to carry out."""
        return self._handler.wanted

    @property
    def _config(self) -> TrainingConfig:
        return self.trainer.config

    # ---- bars

    def take(self) -> bool:
        """Take the new bars and forecast; if that was all there is to do, tell who waits for that.

        Returns:
            Whether there were new bars.
        """
        if self.over:
            self._credit.waive()
            return False
        cycle, before = self._cycle, self.trainer.next_bar
        stream_over = self.stream.ended  # asked first: no bar comes after it
        self._bars.take(cycle.after if cycle else BETWEEN)
        if stream_over and not self._stream_over:
            self._stream_over = True
            self._last_cycle_due = self._has_new and self._may_train
        if cycle is None and not self.due:
            self._credit.look(max(0, self.trainer.newest_bar))
        return self.trainer.next_bar > before

    def coming(self) -> Iterator[tuple[Learner, Bars]]:
        """Yield each learner with the bars from which ``take`` will have it forecast, if any."""
        if self.over or not self.trainer.cycle or (new := self._bars.coming()) is None:
            return
        bars = np.concatenate([self.trainer.bars[-HASHED_BARS:], new])
        for runner in self.trainer.roster.learners:
            yield runner.learner, bars

    @property
    def _seen(self) -> Watermark:
        """The rows that the newest bar taken implies: a cycle sees these, whenever it begins."""
        if not len(self.trainer.bars):
            return dict.fromkeys(STREAMS, 0)
        newest = self.trainer.bars[-1]
        return {"ticks": int(newest["final_seq"]), "quotes": int(newest["final_quote"])}

    @property
    def _has_new(self) -> bool:
        """Whether bars have come that no cycle has seen."""
        return self.trainer.cycles.seen != self._seen

    @property
    def _may_train(self) -> bool:
        return not self.trainer.paused and self._seen["ticks"] >= self._config.min_ticks

    # ---- cycles

    @property
    def running(self) -> bool:
        """Whether a cycle has begun and not ended yet."""
        return self._cycle is not None

    @property
    def due(self) -> bool:
        """Whether a cycle should begin; never while one is running, or after the last one."""
        trainer = self.trainer
        if self._cycle is not None or self._cycles_are_done:
            return False
        asked = trainer.wanted or self._last_cycle_due
        newest = trainer.newest_bar
        if newest < 0 or not (asked or newest + self._config.bar_ns >= trainer.cycles.next_due):
            return False
        return self._may_train

    @property
    def _cycles_are_done(self) -> bool:
        return 0 < self._config.cycles <= self.trainer.cycle

    @property
    def over(self) -> bool:
        """Whether nothing is left to do: the session's cycles are done, or the stream has ended."""
        if self.running:
            return False
        return self._cycles_are_done or (self._stream_over and not self.due)

    def step(self) -> CycleDone | None:
        """Go on with a cycle by a learner's turn, or end it; begin one if none is running.

        Returns:
            What the cycle came to, if it has ended.
        """
        if self._cycle is None:
            self._last_cycle_due = False
            self._cycle = self._cycles.begin(self._seen)
        if self._cycle.turns:
            self._cycles.turn(self._cycle)
            return None
        done = self._cycles.end(self._cycle)
        self._cycle = None
        if self.over:
            self._credit.waive()  # a trainer that is done looks no more
        return done

    def _finish(self, cycle: RunningCycle) -> None:
        """Do the rest of a cycle within which an earlier trainer was killed."""
        self._cycle = cycle
        while self._cycle is not None:
            self.step()
            self.take()

    # ---- requests of operators, and champions

    def control(self, event: ControlGiven, seq: int, *, refused: bool = False) -> str:
        """Carry out an operator's request; return the result as a text.

        Args:
            event: the request.
            seq: the request's number in the session.
            refused: True only logs the request, so that it is not tried again.
        """
        self.control_seq = seq
        after = self.trainer.newest_bar
        self.log.write("control", **event._asdict(), seq=seq, refused=refused, after_bar=after)
        if refused:
            return ""
        texts = []
        for command in self.trainer.handle(event):
            if isinstance(command, Happened):
                texts.append(command.text)
            else:
                self._handler.do(command)
        return "; ".join(texts)

    def install(self, event: ChampionInstalled) -> None:
        """Install another version as champion from the next bar on."""
        self.log.write(
            "champion",
            learner=event.learner,
            version=event.version,
            challenge=event.challenge,
            after_bar=self.trainer.newest_bar,
        )
        self._handler.do_all(self.trainer.handle(event))

    def tag(self, learner: str, tags: Mapping[str, str]) -> None:
        """Log tags of a learner's run."""
        self._writer.log(self.run_ids[learner], self.trainer.cycle, tags=tags)

    # ---- the end

    @property
    def outcome(self) -> str:
        """What came of the market, as a text."""
        return f"{self.market} {self.trainer.outcome(self.stream.n_ticks)}"

    def leave(self) -> None:
        """Note that this trainer has nothing left to do in the market."""
        self.log.write("left", cycle=self.trainer.cycle)

    def close(self) -> None:
        """Close the market's files and release its lock: another trainer may have it."""
        self._ledger.close()
        self.log.close()
