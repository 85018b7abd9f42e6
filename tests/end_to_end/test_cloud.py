"""A whole session on PostgreSQL and S3, both of which go away and come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from benchmarks.kills import faults_of
from streaming.events import Code, event_ring
from tests.end_to_end.main_job import MainJob, market_ticks, replayed, wait_for, write_tape
from tests.trial_store import address_with_password, crash, trial_store
from trainers.replay.runs import recorded_metrics
from trainers.session.end import REGISTERED_LOG
from trainers.tracking.reader import SessionReader
from trainers.tracking.trial.store import KEY, PASSWORD, SECRET

CYCLES = 8  # those that are compared with a session on SQLite
SETTINGS = {"segment_seconds": 2, "parity": "false"}
TIMED = re.compile(r"(train/seconds|stream/|live/latency)")  # by a clock, not by the market
BEGUN = "promotion/"  # is there from the cycle on in which the registry was first read


@pytest.fixture(scope="module")
def store():
    with trial_store() as made, pytest.MonkeyPatch.context() as patch:
        for name, value in made.environment.items():
            if not name.startswith("MLFLOW_TRACKING"):
                patch.setenv(name, value)
        yield made


@pytest.fixture(scope="module")
def tape(tmp_path_factory):
    return f"tape:{write_tape(tmp_path_factory.mktemp('played') / 'tape', market_ticks(3000))}"


@pytest.fixture(scope="module")
def recorded(store, tape, tmp_path_factory):
    """A session during which both servers were away; its folder, what it said, all it showed."""
    folder = tmp_path_factory.mktemp("cloud")
    address, shown = address_with_password(store), []
    with MainJob(folder, store=address, environment=store.environment, source=tape,
                 speed=10, **SETTINGS) as job:  # fmt: skip
        wait_for(lambda: job.cycles() >= 2, "two cycles")
        shown += [word for process in job.processes() for word in process.cmdline()]
        job.client.set_tag(job.session_folder().name, "control/confidence", "much")
        for nth, server in enumerate(("s3", "postgres"), 1):
            be_without(job, store, server, nth)
        wait_for(lambda: job.cycles() >= CYCLES, "the cycles to compare")
        session = job.session_folder()
        out, _ = job.interrupt()
        assert job.process.returncode == 0, out
        log = session / REGISTERED_LOG
        wait_for(lambda: log.read_text().count("registered ") == 2, "the models")
    return job, session, out, shown


def be_without(job, store, server, nth):
    """Take a server away, the ``nth`` of them, for two cycles after it was missed."""
    crash(store, server)
    wait_for(lambda: told(job).count(Code.STORE_AWAY) == nth, f"{server} to be missed")
    before = job.cycles()
    wait_for(lambda: job.cycles() >= before + 2, f"two cycles without {server}")
    getattr(store, server).start()
    wait_for(lambda: told(job).count(Code.STORE_BACK) == nth, f"{server} to be back")


def told(job):
    """Return the codes of the trainer's events."""
    rows = event_ring(job.session_folder(), "trainer").read().rows
    return [row["code"].decode() for row in rows]


def metrics_of(client, session):
    """Return the metrics of a session's runs by learner, step and name; without timed ones."""
    every = [e.experiment_id for e in client.search_experiments()]
    runs = client.search_runs(every, f"tags.session = '{session}' and tags.kind != 'session'")
    found = recorded_metrics(client, {r.data.tags["learner"]: r.info.run_id for r in runs})
    return {
        (learner, step, name): value
        for learner, steps in found.items()
        for step, values in steps.items()
        for name, value in values.items()
        if step <= CYCLES and not TIMED.match(name)
    }


def test_a_session_goes_on_without_either_server_and_the_store_then_lacks_nothing(recorded):
    job, session, out, _ = recorded
    assert faults_of(session, job.client) == []
    assert out.count("the MLflow store does not answer; training goes on") == 2
    assert "Traceback" not in out
    assert "lacks a part" not in out
    assert job.client.list_artifacts(session.name, "record/tape")
    assert job.client.get_run(session.name).info.artifact_uri.startswith("s3://tickloop/tickloop/")


def test_every_metric_is_that_of_the_same_session_on_sqlite(recorded, tape, tmp_path):
    job, session, _, _ = recorded
    with MainJob(tmp_path, source=tape, speed=60, cycles=CYCLES, **SETTINGS) as other:
        out = other.finish()
    assert other.process.returncode == 0, out
    ours = metrics_of(job.client, session.name)
    theirs = metrics_of(other.client, other.session_folder().name)
    different = {key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key)}
    late = {
        key for key in different if key[2].startswith(BEGUN) and (key in ours) != (key in theirs)
    }
    assert not different - late
    assert len(theirs) > 1000


def test_another_machine_replays_it_with_the_addresses_of_the_store_alone(
    recorded, store, tmp_path
):
    job, session, _, _ = recorded
    addresses = {name: value for name, value in store.environment.items() if "ROOT" not in name}
    code, out, err = replayed(tmp_path, "--session", session.name, environment=addresses)
    assert code == 0, err
    assert out.splitlines()[-1].startswith(f"identical: {job.cycles()} cycles, ")
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_request_that_was_made_in_the_store_is_answered_there(recorded):
    job, session, _, _ = recorded
    tags = job.client.get_run(session.name).data.tags
    assert '"refused"' in tags["control_result/confidence"]
    assert "control/confidence" not in tags


def test_the_page_s_reader_and_frames_read_it_there(recorded, monkeypatch):
    job, session, _, _ = recorded
    import tickloop

    monkeypatch.setenv("MLFLOW_TRACKING_URI", job.store)
    reader, cnn = SessionReader(job.folder), job.runs()["cnn"].info.run_id
    assert reader.latest_session() == session.name
    losses = reader.history(cnn, "train/loss")
    steps = [point.step for point in job.client.get_metric_history(cnn, "train/loss")]
    assert list(losses) == steps
    assert list(reader.history(cnn, "train/loss", after=steps[-2])) == steps[-1:]
    assert reader.at(cnn, "train/loss", steps[-1]) == losses[steps[-1]]
    names = {model.name for model in reader.models()}
    assert names == {"tickloop-tape-btcusdt-cnn", "tickloop-tape-btcusdt-dqn"}
    frame = tickloop.session(session.name, job.folder).history("train/loss")
    assert frame["cnn"].dropna().to_dict() == losses


def test_a_model_from_there_becomes_champion_and_loads(recorded, store, tmp_path):
    job, _, _, _ = recorded
    client, name = job.client, "tickloop-tape-btcusdt-cnn"
    version = client.get_model_version_by_alias(name, "challenger").version
    client.set_registered_model_alias(name, "champion", version)
    from trainers.promotion.alias_watcher import Versions

    assert Versions(client, tmp_path / "models", "tape:").load("BTCUSDT", "cnn", int(version))


def test_a_segment_of_the_tape_is_a_dataset_that_mlflow_loads(recorded, monkeypatch):
    job, session, _, _ = recorded
    import mlflow.data

    monkeypatch.setenv("MLFLOW_TRACKING_URI", job.store)
    (first, *_) = job.client.get_run(session.name).inputs.dataset_inputs
    loaded = Path(mlflow.data.get_source(first.dataset).load())
    assert loaded.read_bytes() == (session / "tape" / f"{first.dataset.name}.parquet").read_bytes()


def test_passwords_and_keys_are_nowhere(recorded, store):
    job, _, out, shown = recorded
    secrets = [store.environment[name] for name in (PASSWORD, KEY, SECRET)]
    texts = [out, *shown]
    texts += [path.read_bytes().decode("latin-1") for path in job.folder.rglob("*")
              if path.is_file()]  # fmt: skip
    for run in job.runs().values():
        texts += [str(run.to_dictionary())]
    texts += [path.read_text(errors="replace") for path in store.file.parent.glob("*.log")]
    assert len(texts) > 20
    assert not [secret for secret in secrets for text in texts if secret in text]


def test_mlflow_keeps_what_mlflow_run_makes_there_too(recorded):
    client: MlflowClient = recorded[0].client
    assert client.get_experiment("0").artifact_location == "s3://tickloop/0"
