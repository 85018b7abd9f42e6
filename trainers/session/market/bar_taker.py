"""Takes the new bars of a live market, has them forecast, and says whether that was in time."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from streaming.bars import Bars
from streaming.ticks import NS_PER_US
from trainers.engine.drivers.recorded import timed
from trainers.engine.events import BarsTaken, ForecastsTimed, Watermark, known
from trainers.engine.market_trainer import MarketTrainer
from trainers.recording.decision_log import DecisionLog
from trainers.session.market.command_handler import CommandHandler
from trainers.session.market.live_stream import LiveStream


class _New(NamedTuple):
    first: int  # number of the first of the bars
    seen: Watermark
    taken: BarsTaken


class BarTaker:
    """Hands the bars of one market to its engine.

    Args:
        trainer: the market's engine.
        stream: the market's rings.
        log: the market's decision log.
        handler: carries out what the engine commands.
    """

    def __init__(
        self, trainer: MarketTrainer, stream: LiveStream, log: DecisionLog, handler: CommandHandler
    ) -> None:
        self._trainer, self._stream = trainer, stream
        self._log, self._handler = log, handler

    def take(self, after: str) -> None:
        """Take the bars that are known.

        Args:
            after: name of the learner whose turn has just ended, or ``BETWEEN`` two cycles.
        """
        if (new := self._new()) is None:
            return
        to = new.first + len(new.taken.bars)
        self._log.write("bars", watermark=new.seen, to=to, ask=new.taken.ask, after=after)
        self._handler.do_all(timed(self._trainer, new.taken, lambda: self._times(to)))

    def coming(self) -> Bars | None:
        """Return the bars that ``take`` would take now; None if it would not have them forecast."""
        new = self._new()
        return new.taken.bars if new and new.taken.ask else None

    def _new(self) -> _New | None:
        """Return the bars that are known and not taken yet; None if there are none."""
        stream, next_bar = self._stream, self._trainer.next_bar
        if stream.n_bars <= next_bar:  # as most times: that is one counter
            return None
        seen = stream.seen
        new = stream.bars(next_bar)
        n = int(np.count_nonzero(known(new.rows, seen)))
        # If there are more, the next bar is known already: too late to forecast it.
        return _New(new.first, seen, BarsTaken(new.rows[:n], len(new.rows) == n)) if n else None

    def _times(self, to: int) -> ForecastsTimed:
        """Return whether the forecasts on bar ``to - 1`` were made before the next bar came."""
        in_time, now = self._stream.n_bars <= to, time.time_ns()
        return ForecastsTimed(in_time, (now - self._known_at(to, now)) // NS_PER_US)

    def _known_at(self, to: int, now: int) -> int:
        """Return our time, ns, at which the row came that made bar ``to - 1`` final."""
        told = []
        for newest in self._stream.bars(to - 1, to).rows:
            for stream, name in (("ticks", "final_seq"), ("quotes", "final_quote")):
                row = int(newest[name]) - 1
                told += self._stream.rows(stream, row, row + 1).rows["ts_init"].tolist()
        return max(told, default=now)
