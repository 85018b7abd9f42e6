"""A session of two trainers: as a whole it begins, ends and is replayed like one of one trainer."""

from __future__ import annotations

import json

from tests.end_to_end.main_job import MainJob, replayed
from trainers.names import Tag, model_name
from trainers.recording.decision_log import read_decisions, was_left
from trainers.recording.files import DECISIONS, SUMS, of_market

MARKETS = ["AAAUSDT", "BBBUSDT", "CCCUSDT"]
PATIENCE = 400.0  # two trainers register six models


def test_a_session_of_two_trainers_ends_whole_and_replays(tmp_path):
    settings = {"source": "sim:ar1", "speed": 20, "cycles": 2, "cnn_updates": 1, "dqn_updates": 1,
                "backfill_seconds": 120, "cycle_seconds": 10, "parity": "false"}  # fmt: skip
    with MainJob(tmp_path, symbols=",".join(MARKETS), shards=2, **settings) as job:
        said = job.finish(PATIENCE)
        assert job.process.returncode == 0, said
    session = job.session_folder()
    logs = [of_market(session, market, DECISIONS) for market in MARKETS]
    assert all(was_left(log) for log in logs)
    ends = [[entry["cycle"] for entry in read_decisions(log) if entry["do"] == "end"]
            for log in logs]  # fmt: skip
    assert ends == [[1, 2]] * 3
    assert job.client.get_run(session.name).data.tags[Tag.STATE] == "ended"
    scores = job.client.get_run(session.name).data
    assert scores.metrics["promotion/markets"] == 3
    assert len(json.loads(scores.tags[Tag.DISCOVERIES])) == scores.metrics["promotion/discoveries"]
    assert "live/pnl_bps" in scores.metrics
    sums = [json.loads(line)["cycle"] for line in (session / SUMS).read_text().splitlines()]
    assert sums == [1, 2]
    assert {version.name for version in job.client.search_registered_models()} == {
        model_name("sim:ar1", market, learner) for market in MARKETS for learner in ("cnn", "dqn")
    }
    code, out, err = replayed(job.folder, "--session", session.name, "--runs", "false")
    assert code == 0, err + out
    assert out.splitlines()[-1].startswith("identical: 6 cycles, ")
