"""A session without processes: real rings, a real MLflow store, ticks pushed by the test."""

from __future__ import annotations

import time

import numpy as np

from datamodules.snapshot import NotEnoughBarsError
from streaming.ingest import Ingest
from streaming.ticks import NS_PER_S, make_ticks
from trainers.config import SessionConfig
from trainers.drivers.schedule import LiveSchedule
from trainers.drivers.streams import LiveStream
from trainers.engine.champion_challenger import Contest
from trainers.engine.learner_runner import Seat
from trainers.engine.market_trainer import Lane
from trainers.learners.champion import Champion
from trainers.recording.decision_log import Journal
from trainers.recording.ledger import Ledger, read_ledger
from trainers.tracking.runs import start_learner, start_session
from trainers.tracking.tracker import Tracker

START = 1_700_000_000 * NS_PER_S
SYMBOL = "BTCUSDT"


class Spy:
    """Writes down what it is asked, and the newest bar it was shown."""

    kind = "forecaster"

    def __init__(self, name="spy", says=0.9, need=0):
        self.name, self.says, self.need = name, says, need
        self.calls = []  # (what, open of the newest bar in s after START, bars)
        self.cuts = []

    def forecast(self, bars):
        self.calls.append(("forecast", second(bars), len(bars)))
        return self.says

    def learn(self, snapshot):
        self.calls.append(("learn", second(snapshot.bars), len(snapshot.bars)))
        self.cuts.append(snapshot.cut)
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
    """Takes what is logged and keeps the events: most tests look at the lane itself."""

    def __init__(self):
        self.events = []

    def log(self, run_id, step, metrics=None, tags=None, wall_ms=None):
        assert all(isinstance(value, float) for value in (metrics or {}).values())

    def event(self, text, ts=None):
        self.events.append(text)

    def close(self, timeout):
        pass


class World:
    """One symbol's lane over rings that ``market`` fills; logs to MLflow if given a client."""

    def __init__(self, folder, *learners, baselines=(), root=None, client=None, **knobs):
        quick = {"backfill_seconds": 0, "cycle_seconds": 10, "min_ticks": 20, "seed": 1}
        self.config = SessionConfig(**{**quick, **knobs})
        self.folder, self.client = folder, client
        self.ingest = Ingest(folder, SYMBOL, self.config)
        self.runs = {learner.name: learner.name for learner in (*learners, *baselines)}
        self.tracker = Silent()
        if client is not None:
            self.session = start_session(client, self.config, root)
            self.runs = {
                name: start_learner(client, self.config, self.session, SYMBOL, name)
                for name in self.runs
            }
            self.tracker = Tracker(client, self.session)
        self.lane = self.make_lane(learners, baselines)
        self.seconds = 0

    def make_lane(self, *seated):
        """A lane of learners and baselines."""
        seats = [
            [
                Seat(learner, self.runs[learner.name], self.config.confidence, self.tracker)
                for learner in some
            ]
            for some in seated
        ]
        learners, baselines = seats
        contests = []
        for seat in learners:
            if speak := getattr(seat.learner, "speak", None):
                champion = Champion(seat.learner.name, seat.learner.kind, speak)
                name = self.runs.setdefault(champion.name, champion.name)
                rival = Seat(champion, name, self.config.confidence, self.tracker)
                contests.append(Contest(seat, rival, self.config.fee_bps))
        champions = [contest.champion for contest in contests]
        names = [seat.learner.name for seat in (*learners, *champions, *baselines)]
        self.journal = Journal(self.folder / "journal.jsonl")
        self.live = LiveSchedule(self.journal)
        return Lane(
            self.config,
            SYMBOL,
            LiveStream(self.folder, SYMBOL),
            Ledger(self.folder, SYMBOL, names),
            learners,
            contests,
            baselines,
            self.tracker,
            self.live,
        )

    def advance(self):
        """Let the lane do what is due; tell whether a cycle ran."""
        return self.lane.advance(self.live)

    def reopen(self, *learners):
        """Go on in another lane, as a trainer does that was started again."""
        state = self.lane.state_dict()
        self.lane.ledger.close()
        self.journal.close()
        self.lane = self.make_lane(learners, ())
        self.lane.load_state_dict(state, lambda learner, version: None)

    def market(self, seconds):
        """Go on by so many seconds, a tick in each; they are received now."""
        ticks = make_ticks(seconds)
        at = self.seconds + np.arange(seconds)
        ticks["id"] = at + 1
        ticks["ts_event"] = START + at * NS_PER_S
        ticks["ts_init"] = time.time_ns()
        ticks["price"] = 100 + at % 3
        ticks["size"], ticks["side"] = 1.0, 1
        self.ingest.push(ticks)
        self.seconds += seconds

    def run(self, seconds):
        """Go on second by second; return the seconds in which a cycle ran."""
        ran = []
        for _ in range(seconds):
            self.market(1)
            if self.advance():
                ran.append(self.seconds)
        return ran

    def seat(self, name):
        (found,) = (seat for seat in self.lane.seats if seat.learner.name == name)
        return found

    def rows(self, name):
        """What the ledger's files hold of a learner."""
        names, _, forecasts = read_ledger(self.folder, SYMBOL)
        return forecasts[forecasts["learner"] == names.index(name)]

    def logged(self, name):
        """The run of a learner, once everything has been delivered."""
        assert self.tracker.close(20)
        return self.client.get_run(self.runs[name]).data

    def close(self):
        self.tracker.close(1)
        self.lane.ledger.close()
        self.journal.close()
        self.ingest.close()


def seconds_of(rows):
    """The bars of a ledger's rows, in s after START."""
    return ((rows["bar"] - START) // NS_PER_S).tolist()
