"""Resumes a market that an earlier trainer had: from its checkpoint, then from its decision log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from streaming.events import Code
from trainers.engine.drivers.recorded import Recorded
from trainers.engine.drivers.streams import Stream
from trainers.engine.events import CycleBegun
from trainers.engine.market_trainer import MarketTrainer
from trainers.learners.learner import Model
from trainers.recording.checkpoint import load_checkpoint
from trainers.recording.decision_log import DecisionLog
from trainers.recording.ledger import Ledger
from trainers.session.market.command_handler import CommandHandler

Models = Callable[[str, int], Model | None]


class Resumed(NamedTuple):
    """Where a market goes on.

    Attributes:
        text: the place in words; empty for a new market.
        begun: the cycle within which its log ends; None between two cycles.
        turns_left: names of the learners that have not had their turn in that cycle.
    """

    text: str
    begun: CycleBegun | None = None
    turns_left: Sequence[str] = ()


def resume(
    trainer: MarketTrainer,
    log: DecisionLog,
    stream: Stream,
    ledger: Ledger,
    handler: CommandHandler,
    models: Models,
    say: Callable[[Code, str], object],
) -> Resumed:
    """Bring an engine to where its market's log ends; note in the log that it goes on.

    Raises:
        RecordError: if the market's record cannot be resumed.
    """
    entries = log.entries
    if not entries:
        log.begin(trainer.market)
        return Resumed("")
    saved = load_checkpoint(handler.checkpoint)
    done = 0
    if saved is not None:
        done = saved["entries"]
        for name, why in _restore(trainer, saved["state"], stream, ledger, models).items():
            say(Code.LEARNER_RESET, f"{name} {why}: it starts from scratch")
    since = f"cycle {trainer.cycle}" if saved else "the beginning"
    log.begin(trainer.market)
    recorded = Recorded(trainer, entries[done:], stream, ledger.found.forecasts, models)
    ends = {entry["cycle"]: entry for entry in entries if entry["do"] == "end"}
    for command in recorded.run():
        handler.redo(command, ends)
    torn = f"; {log.torn} bytes of a torn line cut off" if log.torn else ""
    rows = f"; {ledger.torn} torn rows cut off" if ledger.torn else ""
    return Resumed(f"{since}{torn}{rows}", recorded.begun, recorded.turns_left)


def _restore(
    trainer: MarketTrainer, state: dict[str, Any], stream: Stream, ledger: Ledger, models: Models
) -> dict[str, str]:
    """Restore a checkpoint's state; return why some learners are not resumed, by name."""
    taken, keep = state["next_bar"], trainer.config.history_bars
    bars = stream.bars(taken - keep, taken).rows
    rows = (ledger.found.outcomes, ledger.found.forecasts)
    return trainer.restore(state, bars, rows, models)
