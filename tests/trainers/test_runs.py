from __future__ import annotations

import platform
import subprocess
import sys

import psutil
import pytest

from trainers.config import SessionConfig
from trainers.names import Kind, LearnerKind, Tag
from trainers.tracking.runs import (
    close_orphans,
    end_runs,
    owner_of_this_process,
    runs_of,
    start_learner,
    start_session,
)


def params_of(config):
    return {name: str(value) for name, value in config.flat.items()}


def new_run(client, **tags):
    experiment = client.get_experiment_by_name("tickloop").experiment_id
    return client.create_run(experiment, tags=tags).info.run_id


@pytest.fixture
def owner():
    """A process that keeps runs, and the tag that names it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(process.pid).create_time()
    yield process, f"{platform.node()} {process.pid} {started:.2f}"
    process.kill()
    process.wait()
    process.stdin.close()


def test_a_session_run_tells_kind_symbol_status_versions_and_every_setting(root, client):
    config = SessionConfig(symbols="BTCUSDT,ETHUSDT", speed=10)
    session = start_session(client, config, root)
    data = client.get_run(session).data
    assert data.params == params_of(config)
    wanted = {"kind": "session", "session": session, "symbol": "BTCUSDT,ETHUSDT", "status": "IDLE"}
    assert wanted.items() <= data.tags.items()
    assert data.tags[Tag.OWNER] == owner_of_this_process()
    assert data.tags["version.torch"].startswith("2.13.0")


def test_a_learner_run_tells_whose_it_is_and_every_setting(root, client):
    config = SessionConfig()
    session = start_session(client, config, root)
    run = client.get_run(start_learner(client, config, session, "BTCUSDT", "cnn"))
    wanted = {"kind": "learner", "session": session, "symbol": "BTCUSDT", "learner": "cnn"}
    assert wanted.items() <= run.data.tags.items()
    assert run.data.params == params_of(config)
    assert run.data.tags[Tag.OWNER] == owner_of_this_process()
    assert "mlflow.parentRunId" not in run.data.tags  # flat
    assert {run.info.run_id, session} == {found.info.run_id for found in runs_of(client, session)}


def test_a_baselines_run_is_told_from_a_learners(root, client):
    config = SessionConfig()
    session = start_session(client, config, root)
    run = start_learner(client, config, session, "BTCUSDT", "flat", kind=Kind.BASELINE,
                        learner_kind=LearnerKind.AGENT)  # fmt: skip
    tags = client.get_run(run).data.tags
    assert (tags["kind"], tags["learner"], tags["session"]) == ("baseline", "flat", session)
    assert tags["learner_kind"] == "agent"


def test_the_run_that_mlflow_made_is_the_sessions_and_its_params_stay(root, client, monkeypatch):
    given = client.create_run("0").info.run_id  # `mlflow run` uses experiment Default
    client.log_param(given, "speed", "10")  # as typed; the config record says 10.0
    client.log_param(given, "cycles", "3")
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    config = SessionConfig(speed=10, cycles=3)
    assert start_session(client, config, root) == given
    run = client.get_run(given)
    assert run.data.params == {**params_of(config), "speed": "10", "cycles": "3"}
    assert run.data.tags["kind"] == "session"
    learner = start_learner(client, config, given, "BTCUSDT", "cnn")
    assert {run.info.run_id for run in runs_of(client, given)} == {given, learner}


def test_the_end_of_a_session_ends_its_runs_and_no_other(root, client):
    config = SessionConfig()
    ours, other = (start_session(client, config, root) for _ in range(2))
    learner = start_learner(client, config, ours, "BTCUSDT", "cnn")
    ended = start_learner(client, config, ours, "BTCUSDT", "dqn")
    client.set_terminated(ended, "FAILED")
    end_runs(client, ours, "FINISHED")
    states = [client.get_run(run).info.status for run in (ours, learner, ended, other)]
    assert states == ["FINISHED", "FINISHED", "FAILED", "RUNNING"]


def test_runs_of_a_dead_process_are_killed_and_those_of_a_living_one_are_not(client, owner):
    process, tag = owner
    run = new_run(client, **{Tag.OWNER: tag})
    assert run not in close_orphans(client)
    assert client.get_run(run).info.status == "RUNNING"
    process.kill()
    process.wait()
    assert run in close_orphans(client)
    data = client.get_run(run)
    assert data.info.status == "KILLED"
    assert data.data.tags["status"] == "ERROR"
    assert data.data.tags["status_text"] == "its process was killed"
    assert run not in close_orphans(client)


def test_a_process_id_used_again_by_another_process_keeps_no_run_alive(client, owner):
    host, pid, started = owner[1].rsplit(" ", 2)
    run = new_run(client, **{Tag.OWNER: f"{host} {pid} {float(started) - 100:.2f}"})
    assert run in close_orphans(client)


def test_runs_of_other_machines_and_other_programs_are_left_alone(client):
    runs = [new_run(client, **{Tag.OWNER: "elsewhere 1 1.00"}), new_run(client)]
    assert not set(runs) & set(close_orphans(client))
    assert [client.get_run(run).info.status for run in runs] == ["RUNNING"] * 2


def test_a_run_of_ours_that_has_ended_is_left_as_it_ended(client):
    run = new_run(client, **{Tag.OWNER: f"{platform.node()} 999999999 1.00"})
    client.set_terminated(run, "FINISHED")
    assert run not in close_orphans(client)
    assert client.get_run(run).info.status == "FINISHED"


def test_an_owner_tag_of_another_form_does_not_stop_a_session(client):
    run = new_run(client, **{Tag.OWNER: "me"})
    try:
        assert run not in close_orphans(client)
    finally:
        client.set_terminated(run)
