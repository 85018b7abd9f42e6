"""The backtest of one market, in a process of its own: from its tape to its record.

    PlayedTape -> Ingest -> bars -> Backtest -> MarketTrainer -> log, ledger, metrics

The feed's Ingest keeps rings and tape as in a session, so page, replay and ``import tickloop`` read
what they always read.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from streaming.events import Code, EventWriter
from streaming.feed.market.ingest import LEAST_QUOTES, QUOTES_PER_TICK, Ingest
from streaming.rings.counters import ConnectionState
from streaming.symbols import file_name
from streaming.tape.parts import SymbolTape
from streaming.ticks import NS_PER_MS, NS_PER_S
from trainers.config import SessionConfig
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
from trainers.engine.drivers.backtest import Backtest, Decision
from trainers.engine.drivers.cuts import AtCuts
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.recording.checkpoint import save_checkpoint
from trainers.recording.decision_log import DecisionLog, read_decisions
from trainers.recording.files import CHECKPOINT, DECISIONS, of_market
from trainers.recording.ledger import Ledger
from trainers.research.played import SLICE_ROWS, PlayedSpan, PlayedTape
from trainers.session.market.live_stream import LiveStream


class CyclePoint(NamedTuple):
    """Metrics and tags of a learner at a cycle, for its run."""

    learner: str
    step: int
    wall_ms: int | None
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


# Takes what is new: market time played so far, s, and points for MLflow.
Tell = Callable[[float, list[CyclePoint]], object]


class MarketBacktest:
    """One market of a backtest.

    Args:
        session: the backtest's folder.
        market: the market's symbol.
        config: the settings.
        tape: the market's tape.
        span: what of it is played.
        tell: takes progress and metrics.
        stopped: whether to end early.
        cuts: the decision log of a session on this tape, whose cuts are taken; None for none.
    """

    def __init__(
        self,
        session: Path,
        market: str,
        config: SessionConfig,
        tape: SymbolTape,
        span: PlayedSpan,
        tell: Tell,
        stopped: Callable[[], bool],
        cuts: Path | None = None,
    ) -> None:
        self._config, self._tell, self._stopped = config, tell, stopped
        roster, phase = make_roster(config, market), config.phase_of(market)
        self.trainer = MarketTrainer(config, market, roster, phase)
        kept = {"ticks": config.tick_cache,
                "quotes": max(LEAST_QUOTES, config.tick_cache // QUOTES_PER_TICK)}  # fmt: skip
        self._tape = PlayedTape(tape, span, config.grace_ms * NS_PER_MS, quotes=config.quotes)
        # The cache has room for a cycle's rows and for the slice that goes on behind it.
        roomy = dataclasses.replace(
            config, backfill_seconds=0, tick_cache=config.tick_cache + SLICE_ROWS
        )
        self._open(session, roomy)
        self._stream = LiveStream(session, market)
        self._driver = self._make_driver(kept, cuts)
        self._given = 0  # bars
        self._checkpoint_file = of_market(session, market, CHECKPOINT)
        self._checkpoint: dict[str, Any] | None = None
        self._points: list[CyclePoint] = []
        self._started = 0  # ns

    def _open(self, session: Path, config: SessionConfig) -> None:
        """Open the market's files, all or none."""
        market = self.trainer.market
        with contextlib.ExitStack() as opened:
            self._ingest = Ingest(session, market, config)
            opened.callback(self._ingest.close)
            self._log = DecisionLog(of_market(session, market, DECISIONS))
            opened.callback(self._log.close)
            self._ledger = Ledger(session, market, self.trainer.roster.names)
            opened.callback(self._ledger.close)
            self._events = EventWriter(session, file_name(market))
            opened.callback(self._events.close)
            self._opened = opened.pop_all()

    def _make_driver(self, kept: Mapping[str, int], cuts: Path | None) -> Backtest:
        options: dict[str, Any] = {
            "stream": self._stream,
            "kept": kept,
            "stats": lambda: self._stream.stats,
            "min_ticks": self._config.min_ticks,
        }
        if cuts is None:
            return Backtest(self.trainer, **options)
        return AtCuts(self.trainer, read_decisions(cuts), **options)

    def run(self) -> str:
        """Play the tape to its end; return what came of it, as a text."""
        with self._opened:
            self._log.begin(self.trainer.market)
            for ticks, quotes in self._tape.slices():
                self._ingest.push(ticks, quotes)
                self._settle()
                self._take()
                if self._driver.done or self._stopped():
                    break
            else:
                for command in self._driver.end():
                    self._do(command)
            self._ingest.stats["state"] = ConnectionState.ENDED
            text = self.trainer.outcome(self._stream.n_ticks)
            self._say(Code.DONE, text)
            self._keep_checkpoint()
            self._told()
        return text

    def _settle(self) -> None:
        """Go on behind holes: a tape has no more than it has."""
        while missing := self._ingest.give_up():
            first, last = missing
            self._say(Code.GAP, f"trades {first} to {last} are missing")
        for recount in self._ingest.take_recounts():
            self._say(
                Code.RECOUNTED,
                f"trades are numbered anew, from {recount.first_id} on, after {recount.last_id}",
            )
        for (_, reason), count in self._tape.rejected.items():
            if (name := f"rejected_{reason}") in self._ingest.stats.dtype.names:
                self._ingest.stats[name] = count

    def _take(self) -> None:
        bars = self._stream.bars(self._given).rows
        self._given += len(bars)
        if not len(bars):
            return
        self._started = self._started or int(bars["ts_open"][0])
        for command in self._driver.take(bars):
            self._do(command)
            if isinstance(command, Checkpoint):
                self._told()
                if self._stopped():
                    return
        self._told()

    def _told(self) -> None:
        """Tell how far it is, and what is new."""
        played = (self.trainer.newest_bar - self._started) / NS_PER_S if self._started else 0.0
        self._tell(max(0.0, played), self._points)
        self._points = []

    def _do(self, command: Decision | Command) -> None:
        match command:
            case Decision():
                self._log.write(command.do, **command.fields)
            case LedgerRows():
                self._ledger.extend(command.outcome, command.forecasts)
            case RunUpdate():
                self._points.append(
                    CyclePoint(
                        command.learner,
                        command.step,
                        command.wall_ms,
                        dict(command.metrics),
                        {str(name): str(value) for name, value in command.tags.items()},
                    )
                )
            case CycleDone():
                self._log.end(command, {}, overran=False)
            case Happened():
                self._say(command.code, command.text)
            case CandidateWanted() | RollbackWanted():
                self._log.note_verdict(command)
            case Checkpoint():
                self._checkpoint = {"entries": self._log.count, "state": command.state}

    def _keep_checkpoint(self) -> None:
        if self._checkpoint is not None:
            save_checkpoint(self._checkpoint_file, self._checkpoint)

    def _say(self, code: Code, text: str) -> None:
        at = max(self.trainer.newest_bar, 0)
        self._events.say(code, f"{self.trainer.market} {text}", at)
