"""Drives an engine over a session's own bars at that session's cuts. Pure.

    bars, the session's decision log -> AtCuts -> decisions, and the engine's commands

A live market does not wait for its trainer: bars come while learners learn, and cycles begin late.
Where each cycle began, which bars came after which learner's turn, and what an operator asked for
is taken from the log, all else decided as in a backtest. So what was forecast in the session is
forecast again, to the bit, and what was missed there is forecast too. Champions are the backtest's
own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from streaming.bars import BAR, Bars
from trainers.engine.commands import Command
from trainers.engine.drivers.backtest import Backtest, Decision
from trainers.engine.drivers.recorded import BETWEEN, CARRIED_OUT
from trainers.engine.events import ControlGiven, LearnerTurn
from trainers.engine.market_trainer import MarketTrainer

CUTS = ("bars", "cycle", "end", "control")


class AtCuts(Backtest):
    """A driver that cuts the bars as a session did.

    Args:
        trainer: the market's engine, which has handled no event yet.
        entries: the session's decision log of the market, oldest first.
        options: those of a ``Backtest``.
    """

    def __init__(
        self, trainer: MarketTrainer, entries: Iterable[Mapping[str, Any]], **options: Any
    ) -> None:
        super().__init__(trainer, **options)
        self._left = deque(entry for entry in entries if entry["do"] in CUTS)
        self._pending = np.zeros(0, BAR)
        self._turns: deque[str] | None = None  # the rest of the running cycle's
        self._after = BETWEEN

    @property
    def done(self) -> bool:
        """Whether the log is at its end."""
        return not self._left

    def take(self, bars: Bars) -> Iterator[Decision | Command]:
        """Take further bars; yield decisions and commands, as far as the log can be followed."""
        yield from self._install()
        self._pending = np.concatenate([self._pending, bars])
        while self._left:
            entry = self._left[0]
            if self._turns and (
                entry["do"] == "end" or entry.get("after", self._after) != self._after
            ):
                self._after = self._turns.popleft()
                yield from self._trainer.handle(LearnerTurn(self._after))
            elif entry["do"] == "bars":
                n = entry["to"] - self._trainer.next_bar
                if n > len(self._pending):
                    return
                yield from self._forecast(self._pending[:n], self._after)
                self._pending = self._pending[n:]
                self._left.popleft()
            else:
                yield from self._carry_out(self._left.popleft())

    def end(self) -> Iterator[Decision | Command]:
        """End the stream: a cycle that the session has not begun is none here."""
        yield from ()

    def _carry_out(self, entry: Mapping[str, Any]) -> Iterator[Decision | Command]:
        match entry["do"]:
            case "cycle":
                yield from self._begin()
                self._turns = deque(self._trainer.roster.turns)
            case "end":
                yield from self._end()
                self._turns, self._after = None, BETWEEN
                yield from self._install()
            case "control" if not entry["refused"] and entry["name"] not in CARRIED_OUT:
                fields = {name: value for name, value in entry.items() if name != "do"}
                yield Decision("control", fields)
                yield from self._trainer.handle(ControlGiven(entry["name"], entry["value"]))
