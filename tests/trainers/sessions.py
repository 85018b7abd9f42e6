"""Sessions without processes: markets shared out among trainers, machines that take one over."""

from __future__ import annotations

import time
from types import SimpleNamespace

import numpy as np

from streaming.feed.market.ingest import Ingest
from streaming.ticks import NS_PER_S, make_ticks
from tests.trainers.world import START, Silent
from trainers.config import SessionConfig
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.recording.decision_log import DecisionLog, read_decisions
from trainers.recording.files import DECISIONS, of_market
from trainers.recording.ledger import read_ledger
from trainers.session.market.live_market import LiveMarket
from trainers.session.trainer.shard import Shard
from trainers.tracking.travel.courier import Courier
from trainers.tracking.travel.epochs import Epochs
from trainers.tracking.travel.objects import FolderObjects
from trainers.tracking.travel.takeover import take_over
from trainers.tracking.travel.travelled import base_in, prefix_of

MARKETS = ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT", "EEEUSDT"]
MARKET = MARKETS[0]


def settings(**changed):
    quick = {"backfill_seconds": 0, "cycle_seconds": 30, "min_ticks": 60, "cnn_updates": 1,
             "dqn_updates": 2, "symbols": ",".join(MARKETS)}  # fmt: skip
    return SessionConfig.of(**{**quick, **changed})


class Session:
    """The markets of a session, shared out among trainers without processes."""

    def __init__(self, folder, config, shares, roster=make_roster):
        self.folder, self.config = folder, config
        self.ingests = {name: Ingest(folder, name, config) for name in config.symbol_list}
        self.shards = [Shard(self.take_up(name, roster) for name in share) for share in shares]
        self.seconds = 0

    def take_up(self, name, roster):
        return LiveMarket(
            self.folder,
            DecisionLog(of_market(self.folder, name, DECISIONS)),
            MarketTrainer(self.config, name, roster(self.config, name), self.config.phase_of(name)),
            SimpleNamespace(make=lambda learner, *_: learner),
            Silent(),
            lambda learner, version: None,
            lambda code, text: None,
        )

    def push(self):
        """A second of every market, at prices of its own."""
        for name, ingest in self.ingests.items():
            rng = np.random.default_rng([self.seconds, ord(name[0])])
            ticks = make_ticks(2)
            ticks["id"] = 2 * self.seconds + np.arange(2) + 1
            ticks["ts_event"] = START + self.seconds * NS_PER_S + np.arange(2) * NS_PER_S // 2
            ticks["ts_init"] = time.time_ns()
            ticks["price"], ticks["size"], ticks["side"] = 100 + rng.random(2), 1.0, (1, -1)
            ingest.push(ticks)
        self.seconds += 1

    def run(self, seconds):
        """Second by second, as where the market waits for its trainers."""
        for _ in range(seconds):
            self.push()
            for shard in self.shards:
                shard.go_on()
                while shard.busy:
                    shard.go_on()

    def close(self):
        for shard in self.shards:
            for market in shard.markets.values():
                market.close()
        for ingest in self.ingests.values():
            ingest.close()


def record(folder, market):
    """The ledger's rows without their latencies, the cycles and what their stages came to."""
    _, outcomes, forecasts = read_ledger(folder, market)
    rows = {
        name: forecasts[name].tobytes() for name in forecasts.dtype.names if name != "latency_us"
    }
    entries = read_decisions(of_market(folder, market, DECISIONS))
    cycles = [(entry["now"], entry["watermark"]) for entry in entries if entry["do"] == "cycle"]
    hashes = [
        {stage: found for stage, found in entry["hashes"].items() if stage != "ticks"}
        for entry in entries
        if entry["do"] == "end"
    ]  # fmt: skip  (when a tick was received is another time in each session)
    return outcomes.tobytes(), rows, cycles, hashes


class Fleet:
    """A store in a folder, and machines that take one market over, one after the other."""

    def __init__(self, folder):
        self.folder, self.store = folder, FolderObjects(folder / "store")
        self.epochs = Epochs(f"sqlite:///{folder}/store.db", "session")
        self.config = settings(symbols=MARKET, tick_cache=180, bar_ring=600, learners="cnn")

    def take_over(self, machine):
        home = self.folder / machine
        home.mkdir()
        epoch = take_over(self.epochs, self.store, MARKET, home, self.config, machine, first=True)
        session = Session(home, self.config, [[MARKET]])
        prefix = prefix_of(MARKET, epoch)
        base = base_in(self.store, prefix)
        return session, Courier(self.store, prefix, base, home, MARKET, first=True)


def run(session, courier, seconds, every=7):
    for second in range(seconds):
        session.run(1)
        if second % every == 0:
            courier.go()
