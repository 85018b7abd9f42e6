"""A market without processes: real rings, a real record, ticks pushed by the test."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

from datamodules.snapshot import NotEnoughBarsError
from streaming.feed.market.ingest import Ingest
from streaming.ticks import NS_PER_S, make_ticks
from trainers.config import SessionConfig
from trainers.engine.events import ChampionInstalled, ControlGiven
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import Roster
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import DECISIONS, of_market
from trainers.recording.ledger import read_ledger
from trainers.session.market.live_market import LiveMarket
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.runs.run_ids import RunIds
from trainers.tracking.tracker import Tracker

START = 1_700_000_000 * NS_PER_S
SYMBOL = "BTCUSDT"


class Spy:
    """Writes down what it is asked, and the newest bar it was shown."""

    kind = "forecaster"

    def __init__(self, name="spy", says=0.9, need=0):
        self.name, self.says, self.need = name, says, need
        self.calls = []  # (what, open of the newest bar in s after START, bars)
        self.bars_learned = []

    def forecast(self, bars):
        self.calls.append(("forecast", second(bars), len(bars)))
        return self.says

    def learn(self, snapshot):
        self.calls.append(("learn", second(snapshot.bars), len(snapshot.bars)))
        self.bars_learned.append(len(snapshot.bars))
        if len(snapshot.bars) < self.need:
            raise NotEnoughBarsError(len(snapshot.bars), self.need)
        return {"loss": 0.5}

    def learned(self):
        return [newest for what, newest, _ in self.calls if what == "learn"]


class Failing(Spy):
    """Raises in ``where`` while ``fails`` is set."""

    def __init__(self, where, name="failing"):
        super().__init__(name)
        self.where, self.fails, self.tried = where, True, []

    def forecast(self, bars):
        if self.where == "forecast" and self.fails:
            raise RuntimeError("no forecast today")
        return super().forecast(bars)

    def learn(self, snapshot):
        self.tried.append(snapshot.cycle)
        if self.where == "learn" and self.fails:
            raise RuntimeError("no lesson today")
        return super().learn(snapshot)


def second(bars):
    return (int(bars["ts_open"][-1]) - START) // NS_PER_S


class Silent:
    """Takes what is logged: most tests look at the trainer itself."""

    def log(self, run_id, step, metrics=None, tags=None, wall_ms=None, clears=None):
        assert all(isinstance(value, float) for value in (metrics or {}).values())


class World:
    """One market, live, over rings that ``market`` fills; logs to MLflow if given a client."""

    def __init__(self, folder, *learners, baselines=(), root=None, client=None, **settings):
        quick = {"backfill_seconds": 0, "cycle_seconds": 10, "min_ticks": 20, "seed": 1}
        self.config = SessionConfig.of(**{**quick, **settings})
        self.folder, self.client = folder, client
        self.ingest = Ingest(folder, SYMBOL, self.config)
        self.events = []  # (code, text)
        self.runs, self.tracker, self.writer = (
            SimpleNamespace(make=lambda name, *_: name),
            None,
            Silent(),
        )
        if client is not None:
            self.session = start_session(client, self.config, root)
            (root / "mlruns" / "sessions" / self.session).mkdir(parents=True, exist_ok=True)
            home = root / "mlruns" / "sessions" / self.session
            self.runs = RunIds(client, self.config, home, SYMBOL)
            self.tracker = Tracker(client)
            self.writer = self.tracker.writer()
        self.models = {}  # by learner and version
        self.seq = 0
        self.live = self.take_up(learners, baselines)
        self.seconds = 0
        self.lost = 0  # trades that the venue had and nobody has received
        self.price = 100.0
        self.done = None  # what the last cycle came to

    @property
    def trainer(self):
        return self.live.trainer

    @property
    def roster(self):
        return self.live.trainer.roster

    def take_up(self, learners, baselines):
        """The market with learners and baselines, as a trainer begins with it or goes on."""
        return LiveMarket(
            self.folder,
            DecisionLog(of_market(self.folder, SYMBOL, DECISIONS)),
            MarketTrainer(self.config, SYMBOL, Roster(self.config, learners, baselines)),
            self.runs,
            self.writer,
            lambda learner, version: self.models.get((learner, version)),
            lambda code, text: self.events.append((code, text)),
        )

    def advance(self):
        """Let the market do what is due; tell whether a cycle ran."""
        self.live.take()
        if not self.live.due:
            return False
        while (done := self.live.step()) is None:
            self.live.take()
        self.done = done
        return True

    def reopen(self, *learners, baselines=()):
        """Go on as a trainer does that was started again after a kill."""
        self.live.close()
        self.live = self.take_up(learners, baselines)

    def ask(self, name, value=""):
        """An operator's request, carried out; what came of it."""
        self.seq += 1
        return self.live.control(ControlGiven(name, value), self.seq)

    def install(self, learner, version, model, challenge=1):
        """Another champion."""
        self.models[learner, version] = model
        self.live.install(ChampionInstalled(learner, version, model, challenge))

    def market(self, seconds):
        """Go on by so many seconds, a tick in each; they are received now."""
        ticks = make_ticks(seconds)
        at = self.seconds + np.arange(seconds)
        ticks["id"] = at + 1 + self.lost
        ticks["ts_event"] = START + at * NS_PER_S
        ticks["ts_init"] = time.time_ns()
        ticks["price"] = self.price + at % 3
        ticks["size"], ticks["side"] = 1.0, 1
        self.ingest.push(ticks)
        self.ingest.give_up()  # nobody has what is missing
        self.seconds += seconds

    def run(self, seconds):
        """Go on second by second; return the seconds in which a cycle ran."""
        ran = []
        for _ in range(seconds):
            self.market(1)
            if self.advance():
                ran.append(self.seconds)
        return ran

    def runner(self, name):
        (found,) = (runner for runner in self.roster.everyone if runner.name == name)
        return found

    def rows(self, name):
        """What the ledger's files hold of a learner."""
        names, _, forecasts = read_ledger(self.folder, SYMBOL)
        return forecasts[forecasts["learner"] == names.index(name)]

    def told(self, code):
        """The texts of the events with a code."""
        return [text for found, text in self.events if found == code]

    def logged(self, name):
        """The run of a learner, once everything has been delivered."""
        assert self.tracker.close(20)
        return self.client.get_run(self.live.run_ids[name]).data

    def close(self):
        if self.tracker is not None:
            self.tracker.close(1)
        self.live.close()
        self.ingest.close()


def seconds_of(rows):
    """The bars of a ledger's rows, in s after START."""
    return ((rows["bar"] - START) // NS_PER_S).tolist()
