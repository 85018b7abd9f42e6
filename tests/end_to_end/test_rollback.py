"""A champion whose market turns against it."""

from __future__ import annotations

import json

import numpy as np

from streaming.exchange.markets.market import SyntheticMarket, moves_of, with_orders
from streaming.exchange.markets.processes.momentum import Momentum
from streaming.ticks import NS_PER_S
from tests.end_to_end.main_job import MainJob, market_ticks, replayed, wait_for, write_tape
from trainers.recording.decision_log import read_decisions
from trainers.recording.ledger import read_ledger

TURNS = 400  # seconds after which momentum becomes reversal
LASTS = 7200  # seconds of reversal, of which as many are played as are needed


def turning_ticks():
    """Trades of a market that turns: what told the next move right tells it wrong from then on."""
    before, after = (
        market_ticks(
            seconds, market=SyntheticMarket(with_orders(moves_of(Momentum(1.0, flip))), 0.5)
        )
        for seconds, flip in ((TURNS, 0.05), (LASTS, 0.95))
    )
    after["id"] += before["id"][-1]
    after["ts_event"] += TURNS * NS_PER_S
    after["price"] += before["price"][-1] - after["price"][0]
    return np.concatenate([before, after])


def champions(session):
    """Return the CNN's champions one after the other, 0 for none, as far as there are any."""
    path = session / "BTCUSDT.decisions.jsonl"
    entries = read_decisions(path) if path.exists() else []
    return [e["version"] for e in entries if e["do"] == "champion" and e["learner"] == "cnn"]


def test_a_champion_that_the_market_has_left_is_rolled_back_by_evidence(tmp_path):
    tape = write_tape(tmp_path / "tape", turning_ticks())
    with MainJob(tmp_path, source=f"tape:{tape.parent}", speed=20, learners="cnn") as job:
        session = job.session_folder()
        wait_for(lambda: job.cycles() >= 8, "a CNN that has learned")
        # Paused, so that what becomes champion has learned before the turn, however long it takes.
        for control, value in (("pause", "1"), ("promote", "cnn")):
            job.client.set_tag(session.name, f"control/{control}", value)
        wait_for(lambda: champions(session), "its promotion")
        job.client.set_tag(session.name, "control/resume", "1")
        wait_for(lambda: 0 in champions(session)[1:], "its fall", LASTS / 20)
        cycles = job.cycles()
        wait_for(lambda: job.cycles() > cycles, "a cycle without it")
        job.interrupt()
    served = champions(session)  # evidence may have promoted others meanwhile
    fallen = served[served.index(0, 1) - 1]
    told = [e for e in read_decisions(session / "BTCUSDT.decisions.jsonl") if e["do"] == "verdict"]
    proven = {e["log_e"]: e for e in told if (e["decision"], e["learner"]) == ("rollback", "cnn")}
    version = job.client.get_model_version("tickloop-tape-btcusdt-cnn", str(fallen))
    audit = [name for name in version.tags if name.startswith("audit.")]
    moves = [json.loads(version.tags[f"audit.{i}"]) for i in range(1, len(audit) + 1)]
    assert [move["action"] for move in moves][:2] == ["register", "promote"]
    assert (moves[-1]["action"], moves[-1]["by"]) == ("rollback", "evidence")
    verdict = proven[moves[-1]["verdict"]["log_e"]]
    assert verdict["log_e"] >= verdict["log_threshold"]
    names, _, forecasts = read_ledger(session, "BTCUSDT")
    rows = forecasts[forecasts["learner"] == names.index("cnn.champion")]["version"]
    changes = rows[np.flatnonzero(np.diff(rows, prepend=-1))].tolist()
    assert changes[: served.index(0, 1) + 1] == served[: served.index(0, 1) + 1]
    _, out, err = replayed(tmp_path, "--session", session.name, "--runs", "false")
    assert out.strip().splitlines()[-1].startswith("identical: "), err
