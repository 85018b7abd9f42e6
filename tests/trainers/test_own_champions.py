from __future__ import annotations

import numpy as np

from streaming.quotes import NO_QUOTES
from streaming.ticks import make_ticks
from tests.datamodules.samples import random_bars
from trainers.config import SessionConfig
from trainers.engine.commands import CandidateWanted, CycleDone, LedgerRows, RollbackWanted
from trainers.engine.cycles import Cycles
from trainers.engine.drivers.backtest import Backtest, Decision
from trainers.engine.drivers.recorded import Recorded
from trainers.engine.drivers.streams import RecordedStream
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.scoring.ledger import FORECAST, MADE

BARS = random_bars(330, flat=0.1)
CONFIG = SessionConfig.of(cnn_batch_size=32, dqn_updates=50, learners="cnn")


def trainer():
    return MarketTrainer(CONFIG, "BTCUSDT", make_roster(CONFIG, "BTCUSDT"))


class Wanting(Cycles):
    """Wants the learner promoted at the end of cycles 2 and 3, and its champion gone after 4."""

    def _report(self, wall_ms):
        yield from super()._report(wall_ms)
        if self.number in (2, 3):
            yield CandidateWanted("cnn", self.number, "evidence", None, {}, np.zeros((0, 16)))
        if self.number == 4:
            yield RollbackWanted("cnn", self.number, "evidence", None)


def champions_rows(commands, roster):
    number = roster.names.index("cnn.champion")
    rows = [each.forecasts for each in commands if isinstance(each, LedgerRows)]
    found = np.concatenate([np.zeros(0, FORECAST), *rows])
    return found[found["learner"] == number]


def test_a_champion_serves_from_the_next_bar_on_and_a_replay_makes_the_same(monkeypatch):
    monkeypatch.setattr("trainers.engine.market_trainer.Cycles", Wanting)
    first = trainer()
    told = list(Backtest(first, min_bars=200).take(BARS))
    rows = champions_rows(told, first.roster)
    made = rows[rows["status"] == MADE]
    versions = [int(each) for each in dict.fromkeys(made["version"].tolist())]
    assert versions == [2, 3]  # those that learned in these cycles; after the rollback 2 again
    assert made["version"][-1] == 2
    installed = [(one.fields["version"], one.fields["challenge"]) for one in told
                 if isinstance(one, Decision) and one.do == "champion"]  # fmt: skip
    assert installed == [(0, 1), (2, 1), (3, 1), (2, 2)]
    entries = []
    for one in told:
        if isinstance(one, Decision):
            entries.append({"do": one.do, **one.fields})
        elif isinstance(one, CycleDone):
            entries.append({"do": "end", "seconds": {}, "overran": False})
    stream = RecordedStream(make_ticks(int(BARS["final_seq"][-1])), NO_QUOTES, BARS)
    again = trainer()
    recorded = Recorded(again, entries, stream, np.zeros(0, FORECAST), lambda *_: None)
    replayed = champions_rows(list(recorded.run()), again.roster)
    assert replayed.tobytes() == rows.tobytes()
