"""A record is a market's: a session of five is gone on with by two trainers that share it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.processes import plain_environment
from streaming.events import Code, event_ring
from tests.end_to_end.main_job import MainJob, replayed, wait_for
from trainers.recording.decision_log import cycles_ended, read_decisions
from trainers.recording.errors import DecisionLogError
from trainers.recording.files import DECISIONS, of_market
from trainers.session.trainer.trainer import Trainer
from trainers.tracking.uploads import leave_nothing_behind

MARKETS = ["AAAUSDT", "BBBUSDT", "CCCUSDT", "DDDUSDT", "EEEUSDT"]
QUICK = {"speed": 10, "cnn_updates": 1, "dqn_updates": 1, "backfill_seconds": 120}


class Processes:
    """Processes of a session without the session's own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.every = folder, []

    def start(self, module: str, session: Path, *flags: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, str(session), *flags],
            cwd=self.folder, env=plain_environment(), text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.every.append(process)
        return process

    def train(self, session: Path, markets: list[str]) -> subprocess.Popen[str]:
        return self.start("trainers.session.trainer", session, "--markets", ",".join(markets))

    def end(self) -> None:
        for process in reversed(self.every):  # those that read before those that write
            process.terminate()
            process.communicate(timeout=180)


@pytest.fixture
def processes(tmp_path):
    made = Processes(tmp_path)
    yield made
    made.end()


def cycles(session):
    return [cycles_ended(of_market(session, market, DECISIONS)) for market in MARKETS]


def test_five_markets_are_gone_on_with_by_a_trainer_of_three_and_one_of_two(tmp_path, processes):
    with MainJob(tmp_path, symbols=",".join(MARKETS), parity="false", **QUICK) as job:
        session = job.session_folder()
        wait_for(lambda: min(cycles(session)) >= 2, "two cycles of each market")
    # Killed, all of it, in the middle of whatever it did.
    before = cycles(session)
    processes.start("streaming.exchange", session)
    processes.start("streaming.feed", session)
    shares = [processes.train(session, MARKETS[:3]), processes.train(session, MARKETS[3:])]
    wait_for(lambda: all(now > then for now, then in zip(cycles(session), before, strict=True)),
             "a cycle of each market")  # fmt: skip
    with pytest.raises(DecisionLogError, match="another process writes it") as refused:
        Trainer(session, MARKETS[2:4])
    assert refused.value.exit_code == 2
    # A request reaches both trainers, and is answered once.
    job.client.set_tag(session.name, "control/confidence", "0.6")
    wait_for(lambda: all(requests_of(session, market) == ["confidence"] for market in MARKETS),
             "the request in every market's log")  # fmt: skip
    then = cycles(session)
    wait_for(lambda: all(now > was for now, was in zip(cycles(session), then, strict=True)),
             "a cycle after it")  # fmt: skip
    for share in shares:
        assert share.poll() is None
    processes.end()
    tags = job.client.get_run(session.name).data.tags
    assert '"applied"' in tags["control_result/confidence"]
    assert "control/confidence" not in tags
    assert Code.RESUMED in [
        row["code"].decode() for row in event_ring(session, "trainer").read().rows
    ]
    leave_nothing_behind(job.client, session)  # what a busy machine has left, as a session does
    code, out, err = replayed(tmp_path, "--session", session.name, "--runs", "false")
    assert code == 0, err + out
    assert out.splitlines()[-1].startswith(f"identical: {sum(cycles(session))} cycles, ")


def requests_of(session, market):
    entries = read_decisions(of_market(session, market, DECISIONS))
    return [entry["name"] for entry in entries if entry["do"] == "control"]
