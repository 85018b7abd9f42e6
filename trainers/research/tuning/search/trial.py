"""One trial of a search: a backtest of one learner's settings, reduced to a score a bar.

    bars of all markets -> Backtest -> rows of the ledger -> scores

The rows are those that a backtest with these settings has for the learner, bit for bit. What a
trial does depends on its settings, the bars and the reference alone, so any process may play it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from streaming.bars import Bars
from streaming.ticks import NS_PER_S
from trainers.config import SessionConfig
from trainers.engine.commands import Checkpoint, LedgerRows
from trainers.engine.drivers.backtest import Backtest
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import Roster, make_roster
from trainers.learners.registry import PERMUTED_LABELS, learners_of
from trainers.names import LearnerKind
from trainers.scoring.ledger import FORECAST, OUTCOME
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import scored_of
from trainers.scoring.search.bar_scores import bar_scores, is_worse

Floats = NDArray[np.float64]

# A trial is compared with the reference when these shares of the tape are played, as in Hyperband
# (L. Li et al., JMLR 18, 2018) with thirds.
RUNGS = (1 / 9, 1 / 3, 1.0)

# Takes how much is played, s of market time.
Tell = Callable[[float], object]


class Played(NamedTuple):
    """A trial that was played.

    Attributes:
        scores: ``(T,)`` of the bars of all markets in order of time, NaN where they say nothing.
        baselines: the same of the baselines of the learner's kind, if they were played too.
        share: how much of the tape was played: less than 1 if the trial was given up.
    """

    scores: Floats
    baselines: Mapping[str, Floats]
    share: float


def in_order_of_time(bars: Mapping[str, Bars]) -> NDArray[np.int64]:
    """Return the order of the bars of all markets, given one after the other, ``(T,)``."""
    times = np.concatenate([rows["ts_open"] for rows in bars.values()])
    return np.argsort(times, kind="stable")


def play_trial(
    config: SessionConfig,
    bars: Mapping[str, Bars],
    *,
    reference: Floats | None = None,
    baselines: bool = False,
    tell: Tell = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Played | None:
    """Play one learner over bars.

    Args:
        config: the settings, with one learner.
        bars: each market's bars, of dtype ``BAR``, oldest first.
        reference: the scores of another trial; this one is given up once it is worse beyond doubt.
        baselines: whether to play the baselines too.
        tell: takes progress.
        stopped: whether to end early.

    Returns:
        The scores; None if it was stopped.
    """
    order = in_order_of_time(bars)
    markets = [_Market(config, name, rows, baselines=baselines) for name, rows in bars.items()]
    for share in RUNGS:
        for market in markets:
            for _ in market.play_to(share):
                tell(sum(one.seconds for one in markets))
                if stopped():
                    return None
        parts = [market.scores() for market in markets]
        found = {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}
        scores = found.pop(markets[0].learner)
        if share < 1 and reference is not None and is_worse(scores, reference):
            break
    return Played(scores, found, share)


class _Market:
    """One market of a trial."""

    def __init__(self, config: SessionConfig, market: str, bars: Bars, *, baselines: bool) -> None:
        self._config, self._bars = config, bars
        if baselines:
            roster = make_roster(config, market)
        else:
            roster = Roster(config, list(learners_of(config, market).values()), [])
        self._roster = roster
        self.learner = roster.learners[0].name
        self._trainer = MarketTrainer(config, market, roster, config.phase_of(market))
        self._driver = Backtest(self._trainer, min_ticks=config.min_ticks)
        self._rows: list[LedgerRows] = []
        self._played = 0  # bars

    @property
    def seconds(self) -> float:
        """Market time played so far, s."""
        if not self._trainer.next_bar:
            return 0.0
        return (self._trainer.newest_bar - int(self._bars["ts_open"][0])) / NS_PER_S

    def play_to(self, share: float) -> Iterator[None]:
        """Play up to a share of the bars; yield after each cycle."""
        stop = round(share * len(self._bars))
        for command in self._driver.take(self._bars[self._played : stop]):
            if isinstance(command, LedgerRows):
                self._rows.append(command)
            elif isinstance(command, Checkpoint):
                yield
        self._played = stop

    def scores(self) -> dict[str, Floats]:
        """Return the scores of the learner and of the baselines of its kind, by name, ``(T,)``."""
        outcomes = np.concatenate([np.zeros(0, OUTCOME), *(rows.outcome for rows in self._rows)])
        forecasts = np.concatenate(
            [np.zeros(0, FORECAST), *(rows.forecasts for rows in self._rows)]
        )
        moves, fee_bps = moves_of(outcomes, self._config.target), self._config.fee_bps
        at = np.searchsorted(self._bars["ts_open"], outcomes["bar"])
        kind = self._roster.learners[0].learner.kind
        compared = [one for one in self._roster.baselines
                    if one.learner.kind == kind and one.name != PERMUTED_LABELS]  # fmt: skip
        found = {}
        for runner in (self._roster.learners[0], *compared):
            scored = scored_of(moves, forecasts, self._roster.everyone.index(runner))
            found[runner.name] = np.full(len(self._bars), np.nan)
            found[runner.name][at] = bar_scores(
                scored, is_agent=kind == LearnerKind.AGENT, fee_bps=fee_bps
            )
        return found
