"""The main loop of a training process: trains some markets of a session until done or stopped."""

from __future__ import annotations

import functools
import gc
import logging
import time
from pathlib import Path

from streaming.events import Code
from streaming.market_clock import played_of
from streaming.program.console import say
from streaming.symbols import file_name
from streaming.ticks import NS_PER_DAY
from trainers.config import SessionConfig
from trainers.engine.commands import CandidateWanted
from trainers.engine.events import ChampionInstalled
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.names import Status, Tag
from trainers.promotion.alias_watcher import MODELS, AliasWatcher, Versions
from trainers.promotion.controller import PromotionController
from trainers.promotion.registry import roll_back
from trainers.promotion.versions import register_learners
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import CONFIG, DECISIONS, MARKET_OUTBOX, of_market
from trainers.session.market.live_market import LiveMarket
from trainers.session.market.live_stream import wait_for_rings
from trainers.session.market.warm_up import WarmUp
from trainers.session.trainer.reports import TrainerReports
from trainers.session.trainer.session_part import Requests, SessionPart
from trainers.session.trainer.shard import CycleEnd, Shard
from trainers.session.trainer.states import StateTags
from trainers.states import State
from trainers.tracking.runs.run_ids import RunIds
from trainers.tracking.store import tracking_uri
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.tracker import Tracker
from trainers.tracking.travel.guard import guard_of
from trainers.tracking.uploads import Uploads

log = logging.getLogger(__name__)

LOOP_SECONDS = 0.05
QUICK_SECONDS = 0.001  # ... after a bar of a market that waits for the forecast
CLOSE_SECONDS = 1.5


class Trainer:
    """A training process.

    Args:
        session: the session's folder; its name is the session's run id.
        markets: the symbols of the markets to train, in the session's order.

    Attributes:
        config: the session's settings.
        client: the MLflow store's client.
        stopped: whether ``stop`` was called.
        tracker: delivers to the MLflow store.
        versions: loads the models of registered versions.

    Raises:
        TickloopError: if another process trains one of the markets, or a market's record cannot
            be resumed.
    """

    def __init__(self, session: Path, markets: list[str]) -> None:
        self.session, self._symbols = session, markets
        # First of all: whoever has a market's log has the market, its outbox and its events too.
        self._logs = {name: DecisionLog(of_market(session, name, DECISIONS)) for name in markets}
        self.config = SessionConfig.load(session / CONFIG)
        self.client = MlflowClient(tracking_uri(Path.cwd()))
        self.stopped = False
        every = self.config.symbol_list
        first = markets[0] == every[0]
        writer = "trainer" if first else f"trainer-{file_name(markets[0])}"
        self._reports = TrainerReports(session, writer)
        guard = guard_of(self.client, session, markets, every[0])
        self.tracker = Tracker(self.client, self._reports.note, guard.go_or_end if guard else None)
        self.versions = Versions(
            self.client, session / MODELS, self.config.source, self.config.target
        )
        self._promotion = PromotionController(
            session,
            self.versions.name,
            AliasWatcher(self.client, self.versions, self._reports.note),
            functools.partial(roll_back, self.client),
            self.tracker.task,
        )
        self._part = SessionPart(session, self.config, self.tracker) if first else None
        self._states = StateTags(self.config.stale_seconds, self._part)
        self._requests = Requests(session, self.stop)
        self._warm_up = WarmUp(session, self.config.min_ticks)
        self._shard = Shard(forecasting=self.tracker.held_back)
        self._left = False  # whether nothing is left to do in this trainer's own markets
        self._rest, self._taken = LOOP_SECONDS, 0

    def stop(self) -> None:
        """End after the current step; safe to call from a signal handler."""
        self.stopped = True

    @property
    def markets(self) -> dict[str, LiveMarket]:
        """The markets by symbol; empty until ``run`` has found their rings."""
        return self._shard.markets

    def run(self) -> None:
        """Train until the session's cycles are done, its tape has ended, or ``stop`` is called.

        Raises:
            RecordError: if another process has a market, or its record cannot be resumed.
        """
        if not wait_for_rings(self.session, self._symbols, lambda: self.stopped):
            return
        self._begin()
        shard = self._shard
        while not self.stopped:
            self._tell()
            if not shard.within_a_cycle:
                self._requests.carry_out(list(self.markets.values()), self._part, self._reports.say)
                self._install_champions()
            self._states.update(self.markets)
            self._go_on()
            for market in self.markets.values():
                self._carry_out(market)
            if self._is_over():
                break
            if not shard.busy:
                self._show_progress()
                time.sleep(self._pause())

    def _go_on(self) -> None:
        """Forecast the new bars, and do a step of a cycle."""
        if (ended := self._shard.go_on()) is not None:
            self._report(ended)

    def _pause(self) -> float:
        """Return how long to rest, s: a market that waits for a forecast has the next bar soon."""
        taken = sum(market.trainer.next_bar for market in self.markets.values())
        new, self._taken = taken > self._taken, taken
        self._rest = QUICK_SECONDS if new and self.config.waits else 2 * self._rest
        self._rest = min(self._rest, LOOP_SECONDS)
        return self._rest

    def close(self) -> None:
        """Deliver what MLflow has not taken yet, as far as time allows; close all files."""
        self._tell()
        if not self.tracker.close(CLOSE_SECONDS):
            log.error(
                "the MLflow store did not take the last metrics in %s s; they are kept for when it"
                " is back",
                CLOSE_SECONDS,
            )
        for market in self.markets.values():
            market.close()
        self._reports.close()

    # ---- begin, or resume

    def _begin(self) -> None:
        """Begin or resume the markets; report where resumed ones continue."""
        for symbol in self._symbols:
            if self.stopped:
                return
            self._shard.add(self._take_up(symbol))
            self._go_on()  # those that are there need not wait for the others
        resumed = {symbol: market.resumed_from for symbol, market in self.markets.items()}
        if any(resumed.values()):
            where = ", ".join(f"{symbol} {since}" for symbol, since in resumed.items() if since)
            self._reports.say(Code.RESUMED, f"the trainer goes on from {where}")
            if self._part is not None:
                self._part.catch_up()
        self._requests.begin(list(self.markets.values()))
        self._promotion.begin(
            {
                (symbol, test.name): test.version if test.challenge else None
                for symbol, market in self.markets.items()
                for test in market.trainer.roster.tests
            }
        )
        self.tracker.each_second(self._promotion.look)
        gc.freeze()  # the markets stay: to look for garbage among them delays forecasts

    def _take_up(self, symbol: str) -> LiveMarket:
        market = LiveMarket(
            self.session,
            self._logs[symbol],
            MarketTrainer(
                self.config,
                symbol,
                make_roster(self.config, symbol),
                self.config.phase_of(symbol),
            ),
            RunIds(self.client, self.config, self.session, symbol),
            self.tracker.writer(of_market(self.session, symbol, MARKET_OUTBOX)),
            functools.partial(self.versions.load, symbol),
            self._reports.say,
        )
        uploads = Uploads(
            self.client,
            self.session,
            symbol,
            market.log,
            int(self.config.keep_days * NS_PER_DAY),
            self._reports.note,
        )
        self.tracker.each_second(uploads.closed_segments)
        return market

    # ---- cycles

    def _report(self, ended: CycleEnd) -> None:
        """Say what a cycle came to."""
        market, done = ended
        if self._part is not None and market.market == self._symbols[0]:
            self._part.cycle_done(done.cycle, done.wall_ms)
        whose = f"{market.market} " if len(self.config.symbol_list) > 1 else ""
        ticks, bars = int(done.stream["stream/ticks"]), market.trainer.next_bar
        seconds = sum(runner.seconds for runner in market.trainer.roster.everyone)
        self._reports.say(Code.CYCLE, f"{whose}{done.text}")
        tape = f", tape {100 * played:.0f} %" if (played := played_of(self.session)) else ""
        say(f"{whose}{done.text}  |  {ticks:,} ticks, {bars:,} bars, trained {seconds:.1f} s{tape}")

    def _is_over(self) -> bool:
        """Return whether this trainer is done; the one with the session's run ends last."""
        if not self._left and self._shard.over:
            self._left = True
            self._leave()
        if self._left and not self.stopped and (self._part is None or self._part.all_left()):
            if self._part is not None:
                self._part.log(0, {Tag.STATE: State.ENDED})
            return True
        return False

    def _leave(self) -> None:
        """Say what came of this trainer's markets, and register what its learners have learned."""
        markets = self.markets.values()
        done = all(0 < self.config.cycles <= market.trainer.cycle for market in markets)
        why = "all cycles are done" if done else "the stream is over"
        self._reports.say(Code.DONE, f"{why}: {'; '.join(market.outcome for market in markets)}")
        self._register()

    # ---- promotion

    def _carry_out(self, market: LiveMarket) -> None:
        """Pass a market's promotions and rollbacks on to the promotion controller."""
        while market.wanted:
            wanted = market.wanted.pop(0)
            if isinstance(wanted, CandidateWanted):
                run_id = market.run_ids[wanted.learner]
                self._promotion.promote(market.market, run_id, wanted)
            else:
                self._promotion.roll_back(market.market, wanted)

    def _install_champions(self) -> None:
        for arrival in self._promotion.arrivals():
            event = ChampionInstalled(
                arrival.learner, arrival.version, arrival.model, arrival.challenge
            )
            self.markets[arrival.symbol].install(event)

    def _register(self) -> None:
        """Register a version of every learner, until told to stop; then another process does it."""
        self._promotion.wait()
        for nth, market in enumerate(self.markets.values(), 1):
            if self.stopped:
                return
            found = register_learners(
                self.client, self.session.name, market.trainer, market.run_ids
            )
            for version, text in found:
                say(text)
                if version:
                    self._reports.say(Code.REGISTERED, text)
            market.leave()
            if len(self.markets) > 1:
                say(f"models     {nth} of this trainer's {len(self.markets)} markets")

    # ---- events

    def _tell(self) -> None:
        """Report the events of the tracker's thread; show the events of all processes."""
        self._reports.say_noted()
        if self._part is not None:
            self._part.show_events()

    def _show_progress(self) -> None:
        """Print and log how many ticks the first cycle still waits for."""
        waiting = [market for market in self.markets.values() if market.trainer.cycle == 0]
        if not waiting or not self._warm_up.is_due():
            return
        found = [(market.market, market.stream.n_ticks) for market in waiting]
        say(self._warm_up.line(found))
        if self._part is not None:
            text = self._warm_up.status(found)
            self._part.log(0, {Tag.STATUS: Status.IDLE, Tag.STATUS_TEXT: text})
