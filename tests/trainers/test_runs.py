from __future__ import annotations

import platform
import subprocess
import sys
import time
import uuid
from pathlib import Path

import psutil
import pytest
from mlflow.tracking import MlflowClient

from streaming.program.process import identity
from trainers.config import SessionConfig
from trainers.engine.runners.roster import make_roster
from trainers.names import (
    AUDIT,
    CONTROL,
    CONTROL_RESULT,
    SOURCE,
    Kind,
    LearnerKind,
    Status,
    Tag,
)
from trainers.states import State
from trainers.tracking.reader import SessionReader
from trainers.tracking.runs.lifecycle import (
    describe_the_end,
    end_runs,
    resume_session,
    start_learner,
    start_session,
)
from trainers.tracking.runs.orphans import close_orphans
from trainers.tracking.runs.owners import owner_of_this_process
from trainers.tracking.runs.search import runs_of, search
from trainers.tracking.store import ensure_store
from trainers.tracking.summary import summary_of


def params_of(config):
    return {name: str(value) for name, value in config.flat.items()}


def new_run(client, **tags):
    experiment = client.get_experiment_by_name("tickloop").experiment_id
    return client.create_run(experiment, tags=tags).info.run_id


@pytest.fixture
def owner():
    """A process that keeps runs, and the tag that names it."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process, f"{platform.node()} {identity(process.pid)}"
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


MADE = {"mlflow.source.type": "PROJECT", "mlflow.project.entryPoint": "main"}


def launch(client, monkeypatch, tags=MADE, **params):
    """A run as `mlflow run` makes it, named in the environment."""
    run_id = client.create_run("0", tags=tags).info.run_id  # it uses experiment Default
    for name, value in params.items():
        client.log_param(run_id, name, value)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    return run_id


def test_the_run_that_mlflow_made_is_the_sessions_and_its_params_stay(root, client, monkeypatch):
    typed = {"speed": "10", "fee_bps": "-1.0", "parity": "true"}  # as typed, not as the config says
    quoted = {"venue_ws": "''", "source": "'tape:a b'"}  # as for a shell
    given = launch(client, monkeypatch, cycles="3", **typed, **quoted)
    config = SessionConfig(speed=10, cycles=3, source="tape:a b")
    assert start_session(client, config, root) == given
    run = client.get_run(given)
    assert run.data.params == {**params_of(config), **typed, **quoted}
    assert run.data.tags["kind"] == "session"
    learner = start_learner(client, config, given, "BTCUSDT", "cnn")
    assert {run.info.run_id for run in runs_of(client, given)} == {given, learner}


def test_the_run_that_mlflow_made_for_a_resume_is_no_session(root, client, monkeypatch):
    session = start_session(client, SessionConfig(), root)
    made = launch(client, monkeypatch, resume=session, cycles="5")
    resume_session(client, session, SessionConfig(resume=session, cycles=5), root)
    tags = client.get_run(made).data.tags
    assert (tags["kind"], tags["resume_of"]) == ("resume", session)
    assert client.get_run(session).data.tags["kind"] == "session"


@pytest.mark.parametrize(
    "tags, params, status, fault",
    [
        (MADE, {"cycles": "3"}, "FINISHED", "has ended (FINISHED)"),
        (MADE, {"cycles": "4"}, "RUNNING", "was made for something else"),
        (MADE, {"alpha": "0.5"}, "RUNNING", "was made for something else"),
        (MADE, {}, "RUNNING", "was made for something else"),
        ({**MADE, "kind": "session"}, {"cycles": "3"}, "RUNNING", "was made for something else"),
        ({}, {"cycles": "3"}, "RUNNING", "was not made by `mlflow run`"),
    ],
)
def test_a_run_of_somebody_else_is_left_alone_and_one_line_says_so(
    root, client, monkeypatch, capsys, tags, params, status, fault
):
    given = launch(client, monkeypatch, tags, **params)
    if status != "RUNNING":
        client.set_terminated(given, status)
    before = client.get_run(given).to_dictionary()
    config = SessionConfig(cycles=3)
    session = start_session(client, config, root)
    resume_session(client, session, config, root)
    assert session != given
    assert client.get_run(given).to_dictionary() == before
    said = capsys.readouterr().err.splitlines()
    assert said == [f"MLFLOW_RUN_ID: run {given} {fault}; it is left alone"] * 2


def test_a_run_whose_artifacts_mlflow_would_write_elsewhere_is_left_alone(
    tmp_path, monkeypatch, capsys
):
    root = tmp_path / "a%20b"
    root.mkdir()
    client = MlflowClient(ensure_store(root))
    # Where `mlflow run` in this folder keeps its runs, unless told otherwise.
    experiment = client.create_experiment("own", artifact_location=f"{root}/mlruns/own")
    given = client.create_run(experiment, tags=MADE).info.run_id
    client.log_param(given, "cycles", "3")
    monkeypatch.setenv("MLFLOW_RUN_ID", given)
    assert start_session(client, SessionConfig(cycles=3), root) != given
    assert f"keeps its artifacts in {tmp_path}/a b/mlruns/own" in capsys.readouterr().err
    assert not (tmp_path / "a b").exists()


def test_a_run_that_is_not_there_is_left_alone(root, client, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_RUN_ID", "0123abcd")
    session = start_session(client, SessionConfig(), root)
    assert client.get_run(session).info.status == "RUNNING"
    assert "MLFLOW_RUN_ID: run 0123abcd cannot be read" in capsys.readouterr().err


def test_a_start_that_fails_leaves_no_run_running(root, client, monkeypatch):
    before = {run.info.run_id for run in search(client, "")}
    monkeypatch.setattr(client, "log_batch", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        start_session(client, SessionConfig(), root)
    (made,) = (run for run in search(client, "") if run.info.run_id not in before)
    assert made.info.status == "FAILED"


def test_more_settings_than_mlflow_takes_at_once_are_all_params(root, client):
    settings = {f"learner.Mine.n{i}": i for i in range(150)}
    config = SessionConfig.of(**settings)
    session = start_session(client, config, root)
    assert client.get_run(session).data.params == params_of(config)


def test_the_end_of_a_session_ends_its_runs_and_no_other(root, client):
    config = SessionConfig()
    ours, other = (start_session(client, config, root) for _ in range(2))
    learner = start_learner(client, config, ours, "BTCUSDT", "cnn")
    ended = start_learner(client, config, ours, "BTCUSDT", "dqn")
    client.set_terminated(ended, "FAILED")
    failing = start_learner(client, config, ours, "BTCUSDT", "odd")
    client.set_tag(failing, Tag.STATUS, Status.ERROR)
    end_runs(client, ours, State.STOPPED)
    statuses = [client.get_run(run).data.tags.get(Tag.STATUS) for run in (ours, learner, failing)]
    assert statuses == [None, None, "ERROR"]
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
    known, ticks = owner[1].rsplit(" ", 1)
    run = new_run(client, **{Tag.OWNER: f"{known} {int(ticks) - 1}"})
    assert run in close_orphans(client)


def test_a_process_of_before_the_last_boot_keeps_no_run_alive(client, owner):
    host, _, pid, ticks = owner[1].rsplit(" ", 3)
    run = new_run(client, **{Tag.OWNER: f"{host} {uuid.uuid4()} {pid} {ticks}"})
    assert run in close_orphans(client)


def test_no_time_of_day_has_a_part_in_who_is_alive(client, owner, monkeypatch):
    run = new_run(client, **{Tag.OWNER: owner[1]})
    for clock in ("time", "time_ns"):
        now = getattr(time, clock)
        monkeypatch.setattr(time, clock, lambda now=now: now() + now() // 2)
    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    assert owner_of_this_process() == owner_of_this_process()
    assert run not in close_orphans(client)


def test_runs_of_other_machines_and_other_programs_are_left_alone(client):
    runs = [new_run(client, **{Tag.OWNER: f"elsewhere {uuid.uuid4()} 1 100"}), new_run(client)]
    assert not set(runs) & set(close_orphans(client))
    assert [client.get_run(run).info.status for run in runs] == ["RUNNING"] * 2


def test_a_run_of_ours_that_has_ended_is_left_as_it_ended(client):
    run = new_run(client, **{Tag.OWNER: f"{platform.node()} {uuid.uuid4()} 999999999 1"})
    client.set_terminated(run, "FINISHED")
    assert run not in close_orphans(client)
    assert client.get_run(run).info.status == "FINISHED"


def test_an_owner_tag_of_another_form_does_not_stop_a_session(client):
    run = new_run(client, **{Tag.OWNER: "me"})
    try:
        assert run not in close_orphans(client)
    finally:
        client.set_terminated(run)


# ---- what a person reads in MLflow


def test_runs_are_named_by_when_their_session_began_its_source_and_what_they_are_of(root, client):
    config = SessionConfig(source="sim:ar1", symbols="BTCUSDT,ETHUSDT")
    session = start_session(client, config, root)
    began = client.get_run(session).info.start_time / 1000
    when = time.strftime("%m%d-%H%M", time.localtime(began))
    learner = start_learner(client, config, session, "ETHUSDT", "cnn")
    names = [client.get_run(run).info.run_name for run in (session, learner)]
    assert names == [f"{when} sim.ar1 BTCUSDT +1", f"{when} sim.ar1 ETHUSDT cnn"]


def test_a_name_that_mlflow_made_up_is_replaced_and_one_that_was_given_is_kept(
    root, client, monkeypatch
):
    config = SessionConfig()
    tags = {"mlflow.source.type": "PROJECT", "mlflow.project.entryPoint": "main"}
    for name, kept in (("brave-fox-41", False), ("my night run", True)):
        run = client.create_run("0", run_name=name, tags=tags).info.run_id
        client.log_param(run, "seed", config.seed)
        monkeypatch.setenv("MLFLOW_RUN_ID", run)
        assert start_session(client, config, root) == run
        assert (client.get_run(run).info.run_name == name) == kept


def test_champions_and_baselines_are_nested_in_the_session_and_learners_stand_beside_it(
    root, client
):
    config = SessionConfig()
    session = start_session(client, config, root)
    for kind in (Kind.LEARNER, Kind.CHAMPION, Kind.BASELINE):
        run = start_learner(client, config, session, "BTCUSDT", str(kind), kind=kind)
        parent = client.get_run(run).data.tags.get("mlflow.parentRunId")
        assert parent == (None if kind == Kind.LEARNER else session)


def test_the_newest_runs_are_the_learners_first_of_all_the_first():
    order = [runner.name for _, runner in make_roster(SessionConfig(), "X").by_kind()]
    assert order[-2:] == ["dqn", "cnn"]


def test_descriptions_say_what_a_run_is_of_and_then_what_came_of_it(root, client):
    config = SessionConfig()
    session = start_session(client, config, root)
    learner = start_learner(client, config, session, "BTCUSDT", "cnn")
    note = client.get_run(learner).data.tags["mlflow.note.content"]
    assert note.startswith("**cnn** on BTCUSDT, source `sim`")
    assert "http://127.0.0.1:7860/#BTCUSDT" in note
    client.log_metric(learner, "live/pnl_bps", 1.25, step=3)
    client.log_metric(learner, "live/scored", 50, step=3)
    reader = SessionReader(root)
    runs = reader.learner_runs(session)
    told = summary_of(reader.session_run(session), runs, State.STOPPED, time.time())
    describe_the_end(client, told, session, runs)
    for run in (session, learner):
        note = client.get_run(run).data.tags["mlflow.note.content"]
        assert note.startswith(f"Session {told.title}.")
        assert "- cnn BTCUSDT: net P&L +1.2 bp, 50 forecasts scored" in note
        assert f"tags.session = '{session}'" in note


def test_the_experiment_is_one_that_trains_models(client):
    found = client.get_experiment_by_name("tickloop")
    assert found.tags["mlflow.experimentKind"] == "custom_model_development"


def test_every_tag_is_in_the_document():
    told = (Path(__file__).parents[2] / "docs" / "mlflow.md").read_text(encoding="utf-8")
    for tag in Tag:
        assert f"`{tag}`" in told
    for word in (*Kind, *State, *Status, CONTROL, CONTROL_RESULT, AUDIT, SOURCE):
        assert word in told
