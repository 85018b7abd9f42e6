"""A whole session on a tracking server that goes away and comes back."""

from __future__ import annotations

import pytest

from benchmarks.kills import faults_of
from benchmarks.tracking_server import TrackingServer
from streaming.events import Code, event_ring
from tests.end_to_end.main_job import MainJob, answers, replayed, wait_for
from tests.ports import free_port


def start(server):
    server.start()
    wait_for(lambda: answers(server.health), "the tracking server")


def codes(session):
    return [row["code"].decode() for row in event_ring(session, "trainer").read().rows]


@pytest.fixture
def server(tmp_path):
    (tmp_path / "server").mkdir()
    found = TrackingServer(tmp_path / "server", free_port())
    start(found)
    yield found
    found.kill()


def test_a_session_goes_on_without_its_store_which_then_lacks_nothing(tmp_path, server):
    project = tmp_path / "project"
    project.mkdir()
    with MainJob(project, store=server.address, learners="cnn", speed=10) as job:
        wait_for(lambda: job.cycles() >= 2, "two cycles")
        server.kill()
        before = job.cycles()
        wait_for(lambda: job.cycles() >= before + 2, "two cycles without the store")
        session = job.session_folder()
        assert (session / "outbox.jsonl").stat().st_size > 0
        start(server)
        wait_for(lambda: Code.STORE_BACK in codes(session), "what was missing to be delivered")
        before = job.cycles()
        wait_for(lambda: job.cycles() > before, "a cycle with the store")
        out, _ = job.interrupt()
    assert job.process.returncode == 0, out
    assert out.count("the MLflow store does not answer; training goes on") == 1
    assert out.count("the MLflow store answers again after") == 1
    for outbox in session.glob("*outbox.jsonl"):
        assert outbox.stat().st_size == 0
    assert faults_of(session, job.client) == []
    history = job.client.get_metric_history(job.runs()["cnn"].info.run_id, "train/loss")
    assert [point.step for point in history] == sorted({point.step for point in history})
    _, said, err = replayed(
        project,
        "--session",
        session.name,
        "--runs",
        "false",
        environment={"MLFLOW_TRACKING_URI": server.address},
    )
    assert said.strip().splitlines()[-1].startswith("identical: "), err
