"""A champion whose market turns against it."""

from __future__ import annotations

import json

import numpy as np

from streaming.exchange.markets import Market
from streaming.exchange.markets.market import played, with_orders
from streaming.exchange.markets.switch import Switch
from tests.end_to_end.main_job import MainJob, market_ticks, wait_for, write_tape
from trainers.recording.journal import read_journal
from trainers.recording.ledger import read_ledger

TURNS = 480  # seconds after which momentum becomes reversal
CYCLES = 26


def test_a_champion_that_the_market_has_left_is_rolled_back_by_evidence(tmp_path):
    turning = Market("turns", with_orders(played(Switch(every=TURNS))))
    tape = write_tape(tmp_path / "tape", market_ticks(2 * TURNS, market=turning))
    with MainJob(tmp_path, source=f"tape:{tape.parent}", speed=15, cycles=CYCLES) as job:
        session = job.session_folder()
        wait_for(lambda: job.cycles() >= 8, "a CNN that has learned")
        job.client.set_tag(session.name, "control/promote", "cnn")
        out = job.finish()
    assert job.process.returncode == 0, out
    entries = read_journal(session / "journal.jsonl")
    served = [
        entry["version"]
        for entry in entries
        if entry["do"] == "champion" and entry["learner"] == "cnn"
    ]
    assert served[:3] == [0, 1, 0], out
    verdict = next(entry for entry in entries if entry["do"] == "verdict")
    assert (verdict["decision"], verdict["learner"]) == ("rollback", "cnn")
    assert verdict["log_e"] >= verdict["log_threshold"]
    version = job.client.get_model_version("tickloop-btcusdt-cnn", "1")
    moves = [json.loads(version.tags[f"audit.{i}"]) for i in (1, 2, 3)]
    assert [(move["action"], move["by"]) for move in moves] == [
        ("register", "hand"),
        ("promote", "hand"),
        ("rollback", "evidence"),
    ]
    assert moves[-1]["verdict"]["log_e"] == verdict["log_e"]
    names, _, forecasts = read_ledger(session, "BTCUSDT")
    rows = forecasts[forecasts["learner"] == names.index("cnn.champion")]["version"]
    assert list(rows[np.flatnonzero(np.diff(rows, prepend=-1))])[:3] == [0, 1, 0]
    assert out.strip().splitlines()[-1].startswith(f"identical: {CYCLES} cycles, ")
