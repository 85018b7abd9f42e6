"""Drives one market's engine live: reads its stream and the clock, decides, records, acts.

    rings, clock -> decision -> log -> event -> MarketTrainer -> commands -> ledger, MLflow

Each decision is written to the market's log before the engine handles it. A market that an earlier
trainer had is resumed from its checkpoint: the decisions logged after the checkpoint are repeated,
then the market continues live where the log ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from streaming.credit import CreditWriter
from streaming.events import Code
from streaming.ticks import NS_PER_MS, NS_PER_S, NS_PER_US
from trainers.engine.commands import (
    CandidateWanted,
    Checkpoint,
    Command,
    CycleDone,
    Happened,
    LedgerRows,
    RollbackWanted,
    RunUpdate,
)
from trainers.engine.drivers.recorded import BETWEEN, Recorded, timed
from trainers.engine.drivers.streams import comparable, digests
from trainers.engine.events import (
    STREAMS,
    BarsTaken,
    ChampionInstalled,
    ControlGiven,
    CycleBegun,
    CycleEnded,
    ForecastsTimed,
    LearnerTurn,
    Watermark,
    known,
)
from trainers.engine.market_trainer import MarketTrainer
from trainers.learners.learner import Model
from trainers.names import Kind
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import CHECKPOINT, FORMAT, of_market
from trainers.recording.ledger import Ledger
from trainers.session.trainer.live_stream import LiveStream
from trainers.tracking.tracker import RunWriter

# Events that are not reported again when a resumed market repeats its log.
TOLD = (Code.CONTROL, Code.CHAMPION, Code.LEARNER_FAILED)

Wanted = CandidateWanted | RollbackWanted


class Runs(Protocol):
    """The MLflow runs of a market's learners."""

    def make(self, learner: str, kind: Kind, learner_kind: str) -> str:
        """Return the run id of a learner; create its run if there is none."""


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
        run_ids: the MLflow run ids by learner.
        wanted: promotions and rollbacks that the engine has yielded and its owner still has to
            carry out.
        last_cycle_due: whether to run one more cycle before it is time for one.
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
        models: Callable[[str, int], Model | None],
        say: Callable[[Code, str], object],
    ) -> None:
        self.trainer, self.market = trainer, trainer.market
        self._writer, self._say = writer, say
        self.log, market = log, trainer.market
        self.stream = LiveStream(session, market)
        self._credit = CreditWriter(session, market)
        self._ledger = Ledger(session, market, self.trainer.roster.names)
        self._checkpoint = of_market(session, market, CHECKPOINT)
        self.run_ids = {
            runner.name: runs.make(runner.name, kind, runner.learner.kind)
            for kind, runner in self.trainer.roster.by_kind()
        }
        self.wanted: list[Wanted] = []
        self.last_cycle_due = False
        self.control_seq = max(
            (entry["seq"] for entry in self.log.entries if entry["do"] == "control"), default=0
        )
        self.resumed_from = self._resume(models)

    # ---- resume

    def _resume(self, models: Callable[[str, int], Model | None]) -> str:
        """Resume from checkpoint and log, if there are any; return ``resumed_from``."""
        entries, trainer = self.log.entries, self.trainer
        if not entries:
            self._began()
            return ""
        saved = load_checkpoint(self._checkpoint)
        done = 0
        if saved is not None:
            done = saved["entries"]
            self._restore(saved["state"], models)
        since = f"cycle {trainer.cycle}" if saved else "the beginning"
        self._began()
        recorded = Recorded(
            trainer, entries[done:], self.stream, self._ledger.found.forecasts, models
        )
        hashes = {entry["cycle"]: entry["hashes"] for entry in entries if entry["do"] == "end"}
        for command in recorded.run():
            self._redo(command, hashes)
        if recorded.begun is not None:
            self._turns(recorded.begun, recorded.turns_left)
        torn = f"; {self.log.torn} bytes of a torn line cut off" if self.log.torn else ""
        rows = f"; {self._ledger.torn} torn rows cut off" if self._ledger.torn else ""
        return f"{since}{torn}{rows}"

    def _began(self) -> None:
        self.log.write("began", format=FORMAT, market=self.market)

    def _restore(self, state: dict[str, Any], models: Callable[[str, int], Model | None]) -> None:
        taken, keep = state["next_bar"], self.trainer.config.history_bars
        bars = self.stream.bars(taken - keep, taken).rows
        found = self._ledger.found
        not_resumed = self.trainer.restore(state, bars, (found.outcomes, found.forecasts), models)
        for name, why in not_resumed.items():
            self._say(Code.LEARNER_RESET, f"{name} {why}: it starts from scratch")

    def _redo(self, command: Command, hashes: dict[int, Any]) -> None:
        """Carry out a repeated command, unless that was certainly done before the kill."""
        match command:
            case LedgerRows() | RunUpdate():
                self._do(command)
            case Happened() if command.code not in TOLD:
                self._do(command)
            case CycleDone():
                then, now = hashes[command.cycle], command.hashes
                if comparable(then, now) != comparable(now, then):
                    self._say(
                        Code.NOT_REPRODUCED,
                        f"{self.market}: cycle {command.cycle}, repeated after a restart, differs",
                    )

    # ---- bars and cycles

    def advance(self) -> CycleDone | None:
        """Take new bars and forecast; run a cycle if one is due, and return its end."""
        self._take(self.stream.seen, BETWEEN)
        trainer, seen = self.trainer, self._seen
        now = trainer.newest_bar + NS_PER_S if self._may_train(seen) else 0
        due = now >= trainer.cycles.next_due or trainer.wanted or self.last_cycle_due
        if not now or not due:
            self._credit.look(max(0, trainer.newest_bar))
            return None
        self.last_cycle_due = False
        return self._cycle(seen, now)

    @property
    def _seen(self) -> Watermark:
        """The rows that the newest bar taken implies: a cycle sees these, whenever it begins."""
        if not len(self.trainer.bars):
            return dict.fromkeys(STREAMS, 0)
        newest = self.trainer.bars[-1]
        return {"ticks": int(newest["final_seq"]), "quotes": int(newest["final_quote"])}

    def _may_train(self, seen: Watermark) -> bool:
        return not self.trainer.paused and seen["ticks"] >= self.trainer.config.min_ticks

    def end_stream(self) -> None:
        """Note that the stream has ended: what came after the last cycle needs one more."""
        self.last_cycle_due = self.has_new and self._may_train(self._seen)

    @property
    def has_new(self) -> bool:
        """Whether bars have come that no cycle has seen."""
        trainer = self.trainer
        return self.stream.n_bars > trainer.next_bar or trainer.cycles.seen != self._seen

    def leave(self) -> str:
        """Let the market go on without this trainer; return what came of it, as a text."""
        self._credit.waive()
        cycle, config, ticks = self.trainer.cycle, self.trainer.config, self.stream.n_ticks
        asked = f" of {config.cycles}" if config.cycles else ""
        cycles = f"{cycle}{asked} cycles" if cycle else "no cycle"
        text = f"{self.market} {cycles}, {ticks:,} ticks, {self.trainer.next_bar:,} bars"
        if not cycle and ticks < config.min_ticks:
            text += f"; the first cycle needs {config.min_ticks} ticks (--min_ticks)"
        return text

    def _take(self, seen: Watermark, after: str) -> None:
        """Take the bars that are known.

        Args:
            seen: the number of rows of each stream seen.
            after: name of the learner whose turn has just ended, or ``BETWEEN`` two cycles.
        """
        new = self.stream.bars(self.trainer.next_bar)
        n = int(np.count_nonzero(known(new.rows, seen)))
        if n == 0:
            return
        to = new.first + n
        ask = len(new.rows) == n  # otherwise the next bar is known already: too late to forecast
        self.log.write("bars", watermark=seen, to=to, ask=ask, after=after)
        taken = BarsTaken(new.rows[:n], ask)
        self._do_all(timed(self.trainer, taken, lambda: self._times(to)))

    def _times(self, to: int) -> ForecastsTimed:
        """Return whether the forecasts on bar ``to - 1`` were made before the next bar came."""
        in_time, now = self.stream.n_bars <= to, time.time_ns()
        return ForecastsTimed(in_time, (now - self._known_at(to, now)) // NS_PER_US)

    def _known_at(self, to: int, now: int) -> int:
        """Return our time, ns, at which the row came that made bar ``to - 1`` final."""
        told = []
        for newest in self.stream.bars(to - 1, to).rows:
            for stream, name in (("ticks", "final_seq"), ("quotes", "final_quote")):
                row = int(newest[name]) - 1
                told += self.stream.rows(stream, row, row + 1).rows["ts_init"].tolist()
        return max(told, default=now)

    def _cycle(self, seen: Watermark, now: int) -> CycleDone:
        stream, trainer = self.stream, self.trainer
        oldest, since = stream.oldest, trainer.cycles.seen
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
        self.log.write("cycle", **decided)
        self._do_all(trainer.handle(begun))
        return self._turns(begun, trainer.roster.turns)

    def _turns(self, begun: CycleBegun, turns: Iterable[str]) -> CycleDone:
        """Train the learners one after the other, and end the cycle."""
        trainer, seconds = self.trainer, {}
        for name in turns:
            started = time.perf_counter()
            self._do_all(trainer.handle(LearnerTurn(name)))
            seconds[name] = time.perf_counter() - started
            self._take(self.stream.seen, name)  # bars may have closed during the training
        overran = trainer.newest_bar + NS_PER_S >= trainer.cycles.due_after_this(begun.now)
        done: list[CycleDone] = []
        for command in trainer.handle(CycleEnded(seconds, overran)):
            if isinstance(command, CycleDone):
                done.append(command)
                self.log.write("end", cycle=command.cycle, seconds=seconds, overran=overran,
                               hashes=command.hashes, stream=command.stream)  # fmt: skip
            self._do(command)
        return done[0]

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
                self._do(command)
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
        self._do_all(self.trainer.handle(event))

    # ---- commands

    def _do_all(self, commands: Iterable[Command]) -> None:
        for command in commands:
            self._do(command)

    def _do(self, command: Command) -> None:
        match command:
            case LedgerRows():
                if differs := self._ledger.write(command.outcome, command.forecasts):
                    text = f"{self.market}: computed again after a restart, {differs}"
                    self._say(Code.NOT_REPRODUCED, text)
            case RunUpdate():
                self._writer.log(
                    self.run_ids[command.learner],
                    command.step,
                    command.metrics,
                    command.tags,
                    command.wall_ms,
                )
            case Happened():
                self._say(command.code, f"{self.market} {command.text}")
            case CandidateWanted() | RollbackWanted():
                if command.verdict and command.by == "evidence":
                    told = command.verdict.as_dict()
                    self.log.write("verdict", learner=command.learner, cycle=command.cycle, **told)
                self.wanted.append(command)
            case Checkpoint():
                saved = {"entries": self.log.count, "state": command.state}
                save_checkpoint(self._checkpoint, saved)

    def tag(self, learner: str, tags: Mapping[str, str]) -> None:
        """Log tags of a learner's run."""
        self._writer.log(self.run_ids[learner], self.trainer.cycle, tags=tags)

    def close(self) -> None:
        """Close the market's files and release its lock: another trainer may have it."""
        self._ledger.close()
        self.log.close()
