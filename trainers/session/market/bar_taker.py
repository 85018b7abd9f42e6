"""Takes the new bars of a live market, has them forecast, and says whether that was in time."""

from __future__ import annotations

import time

import numpy as np

from streaming.ticks import NS_PER_US
from trainers.engine.drivers.recorded import timed
from trainers.engine.events import BarsTaken, ForecastsTimed, known
from trainers.engine.market_trainer import MarketTrainer
from trainers.recording.decision_log import DecisionLog
from trainers.session.market.command_handler import CommandHandler
from trainers.session.market.live_stream import LiveStream


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
        stream, next_bar = self._stream, self._trainer.next_bar
        if stream.n_bars <= next_bar:  # as most times: that is one counter
            return
        seen = stream.seen
        new = stream.bars(next_bar)
        n = int(np.count_nonzero(known(new.rows, seen)))
        if n == 0:
            return
        to = new.first + n
        ask = len(new.rows) == n  # otherwise the next bar is known already: too late to forecast
        self._log.write("bars", watermark=seen, to=to, ask=ask, after=after)
        taken = BarsTaken(new.rows[:n], ask)
        self._handler.do_all(timed(self._trainer, taken, lambda: self._times(to)))

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
