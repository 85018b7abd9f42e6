"""Carries out the commands of one market's engine: ledger, MLflow, checkpoint, events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from streaming.events import Code
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
from trainers.engine.drivers.streams import comparable
from trainers.recording.checkpoint import save_checkpoint
from trainers.recording.contents.entries import Entry
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import CHECKPOINT, of_market
from trainers.recording.ledger import Ledger
from trainers.tracking.tracker import RunWriter

# Events that are not reported again when a resumed market repeats its log.
TOLD = (Code.CONTROL, Code.CHAMPION, Code.LEARNER_FAILED)

Wanted = CandidateWanted | RollbackWanted


class CommandHandler:
    """The one place where a market's commands become files, metrics and events.

    Args:
        session: the session's folder.
        market: the market's symbol.
        log: the market's decision log.
        ledger: the market's ledger.
        run_ids: the MLflow run ids by learner, of those that are logged.
        writer: writes metrics and tags to these runs.
        say: reports an event, given its code and a text.

    Attributes:
        checkpoint: the file of the market's checkpoint.
        wanted: promotions and rollbacks that somebody else still has to carry out.
    """

    def __init__(
        self,
        session: Path,
        market: str,
        log: DecisionLog,
        ledger: Ledger,
        run_ids: Mapping[str, str],
        writer: RunWriter,
        say: Callable[[Code, str], object],
    ) -> None:
        self._market, self._log, self._ledger = market, log, ledger
        self._run_ids, self._writer, self._say = run_ids, writer, say
        self.checkpoint = of_market(session, market, CHECKPOINT)
        self.wanted: list[Wanted] = []

    def do_all(self, commands: Iterable[Command]) -> None:
        """Carry out commands, each before the next is asked for."""
        for command in commands:
            self.do(command)

    def do(self, command: Command) -> None:
        """Carry out a command."""
        match command:
            case LedgerRows():
                if differs := self._ledger.write(command.outcome, command.forecasts):
                    text = f"{self._market}: computed again after a restart, {differs}"
                    self._say(Code.NOT_REPRODUCED, text)
            case RunUpdate():
                if (run_id := self._run_ids.get(command.learner)) is not None:
                    self._writer.log(
                        run_id, command.step, command.metrics, command.tags, command.wall_ms
                    )
            case Happened():
                self._say(command.code, f"{self._market} {command.text}")
            case CandidateWanted() | RollbackWanted():
                self._log.note_verdict(command)
                self.wanted.append(command)
            case Checkpoint():
                saved = {"entries": self._log.count, "state": command.state}
                save_checkpoint(self.checkpoint, saved)

    def redo(self, command: Command, ends: Mapping[int, Entry]) -> None:
        """Carry out a repeated command, unless that was certainly done before the kill.

        Args:
            command: the command.
            ends: the log's entries of cycles' ends, by cycle.
        """
        match command:
            case LedgerRows() | RunUpdate():
                self.do(command)
            case Happened() if command.code not in TOLD:
                self.do(command)
            case CycleDone():
                then, now = ends[command.cycle]["hashes"], command.hashes
                if comparable(then, now) != comparable(now, then):
                    text = (
                        f"{self._market}: cycle {command.cycle}, repeated after a restart, differs"
                    )
                    self._say(Code.NOT_REPRODUCED, text)
