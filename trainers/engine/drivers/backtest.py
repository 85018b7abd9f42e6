"""Drives an engine over recorded bars on a virtual clock. Pure.

Nothing takes time on that clock, so every forecast is in time. The order is that of a session:
when a bar closes the next one is forecast from what was learned before; then a cycle begins if
one is due. Source of test-then-train: J. Gama, R. Sebastião and P. Rodrigues, On evaluating stream
learning algorithms, Machine Learning 90 (2013).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from datamodules.digest import digest
from streaming.bars import Bars
from streaming.counters import STATS
from streaming.ticks import NS_PER_MS, NS_PER_S
from trainers.config import TrainingConfig
from trainers.engine.commands import Command, LedgerRows
from trainers.engine.drivers.recorded import timed
from trainers.engine.events import (
    STREAMS,
    BarsTaken,
    CycleBegun,
    CycleEnded,
    ForecastsTimed,
    LearnerTurn,
)
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import Roster
from trainers.learners.learner import Forecast, Learner
from trainers.scoring.ledger import MADE, NO_ACTION

FIRST_CYCLE = 200  # bars: enough for a few windows with their labels
NOTHING_COUNTED = dict.fromkeys(STATS.names or (), 0.0)


def backtest(
    trainer: MarketTrainer, bars: Bars, *, first_cycle: int = FIRST_CYCLE
) -> Iterator[Command]:
    """Hand all bars to an engine, one by one; yield its commands.

    Args:
        trainer: the market's engine, which has handled no event yet.
        bars: ``(T,)`` of dtype ``BAR``, consecutive, oldest first.
        first_cycle: the number of bars that are known when the first cycle begins.
    """
    for i in range(len(bars)):
        yield from timed(trainer, BarsTaken(bars[i : i + 1]), lambda: ForecastsTimed(True))
        now = int(bars["ts_open"][i]) + NS_PER_S
        if trainer.wanted or (i + 1 >= first_cycle and now >= trainer.cycles.next_due):
            yield from _cycle(trainer, bars[: i + 1], now)


def _cycle(trainer: MarketTrainer, known: Bars, now: int) -> Iterator[Command]:
    watermark = {"ticks": int(known["final_seq"][-1]), "quotes": int(known["final_quote"][-1])}
    since = trainer.cycles.seen
    yield from trainer.handle(
        CycleBegun(
            cycle=trainer.cycle + 1,
            watermark=watermark,
            now=now,
            oldest=dict.fromkeys(STREAMS, 0),
            oldest_ts=int(known["ts_open"][0]),
            wall_ms=now // NS_PER_MS,
            stats=NOTHING_COUNTED,
            digests={name: digest(since[name], watermark[name]) for name in STREAMS},
        )
    )
    for name in trainer.roster.turns:
        yield from trainer.handle(LearnerTurn(name))
    yield from trainer.handle(CycleEnded({}, overran=False))


def forecasts_of(
    learner: Learner, bars: Bars, config: TrainingConfig, *, first_cycle: int = FIRST_CYCLE
) -> list[Forecast | None]:
    """Backtest one learner alone.

    Args:
        learner: the learner; it is trained.
        bars: ``(T,)`` of dtype ``BAR``, consecutive, oldest first.
        config: the interval between cycles and the number of bars that each learns from.
        first_cycle: the number of bars that are known when the first cycle begins.

    Returns:
        ``T`` forecasts; forecast ``i`` was made when bar ``i`` closed, about the bar after it. It
        is None where the learner made none, and before the first cycle.
    """
    trainer = MarketTrainer(config, "", Roster(config, [learner], []))
    found: list[Forecast | None] = [None] * len(bars)
    for command in backtest(trainer, bars, first_cycle=first_cycle):
        if not isinstance(command, LedgerRows):
            continue
        row = command.forecasts[0]
        if row["status"] == MADE:
            i = int(np.searchsorted(bars["ts_open"], row["bar"]))
            agent = row["action"] != NO_ACTION
            action, probability = int(row["action"]), float(row["probability"])
            found[i] = Forecast(action=action) if agent else Forecast(probability)
    return found
