"""A whole session on a tracking server that goes away and comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from benchmarks.kills import faults_of
from tests.end_to_end.main_job import MainJob, answers, environment, free_port, wait_for

CYCLES = 16


class TrackingServer:
    """`mlflow server` on a store of its own, which outlives it."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.process = None

    def start(self):
        command = ["server", "--port", str(self.port), "--workers", "1",
                   "--backend-store-uri", f"sqlite:///{self.folder / 'store.db'}",
                   "--artifacts-destination", str(self.folder / "artifacts")]  # fmt: skip
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "mlflow", *command],
                cwd=self.folder,
                env=environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_for(lambda: answers(self.address + "/health"), "the tracking server")

    def kill(self):
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    found = TrackingServer(tmp_path / "server")
    found.start()
    yield found
    found.kill()


def test_a_session_goes_on_without_its_store_which_then_lacks_nothing(tmp_path, server):
    project = tmp_path / "project"
    project.mkdir()
    with MainJob(project, store=server.address, cycles=CYCLES, speed=10) as job:
        wait_for(lambda: job.cycles() >= 3, "three cycles")
        server.kill()
        before = job.cycles()
        wait_for(lambda: job.cycles() >= before + 4, "four cycles without the store")
        assert (job.session_folder() / "outbox.jsonl").stat().st_size > 0
        server.start()
        out = job.finish()
        session = job.session_folder()
    assert job.process.returncode == 0, out
    assert out.count("the MLflow store does not answer; training goes on") == 1
    assert out.count("the MLflow store answers again after") == 1
    assert (session / "outbox.jsonl").stat().st_size == 0
    assert faults_of(session, job.client) == []
    history = job.client.get_metric_history(job.runs()["cnn"].info.run_id, "train/loss")
    assert [point.step for point in history] == sorted({point.step for point in history})
    assert out.strip().splitlines()[-1].startswith(f"identical: {CYCLES} cycles, ")
