"""The store for trial, and what can be wrong with a store elsewhere."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import psutil
import psycopg
import pytest
from mlflow.tracking import MlflowClient

from benchmarks.processes import plain_environment
from tests.ports import free_port
from tests.stores import AT_ONCE
from tests.trial_store import address_with_password, trial_store
from trainers.config import SessionConfig
from trainers.names import EXPERIMENT
from trainers.tracking.runs.launched import launched_run, settings_of
from trainers.tracking.store import ensure_store
from trainers.tracking.stores.artifacts import (
    VARIABLE,
    ArtifactStoreError,
    artifact_store,
    check_artifacts,
    given_root,
)
from trainers.tracking.stores.client import StoreError
from trainers.tracking.travel.epochs import Epochs, ReplacedError
from trainers.tracking.travel.objects import objects_at
from trainers.tracking.trial.store import KEY, PASSWORD, SECRET, TrialStore

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store():
    with trial_store() as made:
        yield made


@pytest.fixture
def elsewhere(store, monkeypatch):
    """The store's variables, with a database that nobody has been to."""
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    name = f"db{free_port()}"
    with psycopg.connect(address_of(store).replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"create database {name}")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.postgres.uri.rpartition("/")[0] + f"/{name}")
    return store


address_of = address_with_password


def servers(store):
    """Return the processes of both servers, and their children."""
    tops = [psutil.Process(each.program.pid) for each in (store.postgres, store.s3)]
    return [process for top in tops for process in (top, *top.children(recursive=True))]


def test_nothing_listens_on_another_address_than_loopback(store):
    sockets = [one for process in servers(store) for one in process.net_connections()]
    listening = {(one.laddr.ip, one.laddr.port) for one in sockets if one.status == "LISTEN"}
    assert listening == {("127.0.0.1", store.postgres.port), ("127.0.0.1", store.s3.port)}


def test_passwords_are_in_one_file_that_only_its_owner_reads_and_in_no_command_line(store):
    secrets = [store.environment[name] for name in (PASSWORD, KEY, SECRET)]
    assert len(set(secrets)) == 3
    words = " ".join(word for process in servers(store) for word in process.cmdline())
    assert not [secret for secret in secrets if secret in words]
    assert stat.S_IMODE(store.file.stat().st_mode) == 0o600
    holding = [path for path in store.file.parent.rglob("*") if path.is_file()
               and any(secret.encode() in path.read_bytes() for secret in secrets)]  # fmt: skip
    assert holding == [store.file]


def test_a_shell_reads_the_file(store):
    names = " ".join(f"${name}" for name in store.environment)
    done = subprocess.run(
        ["sh", "-c", f". {store.file}; echo {names}"], capture_output=True, text=True
    )
    assert done.stdout.split() == list(store.environment.values())


def test_four_processes_at_once_make_one_whole_store_elsewhere(elsewhere, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE, str(tmp_path)],
        cwd=PROJECT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    client = MlflowClient(os.environ["MLFLOW_TRACKING_URI"])
    found = {e.name: e.artifact_location for e in client.search_experiments()}
    assert found == {"Default": "s3://tickloop/0", EXPERIMENT: "s3://tickloop/tickloop"}
    assert not list(tmp_path.iterdir())


def test_four_that_take_a_market_at_once_in_postgresql_get_an_epoch_each_or_lose(elsewhere):
    uri, outcomes = os.environ["MLFLOW_TRACKING_URI"], []

    def take(name):
        try:
            outcomes.append(Epochs(uri, "run").take("BTCUSDT", name))
        except ReplacedError:
            outcomes.append(None)

    Epochs(uri, "run").prepare()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(take, "abcd"))
    won = [epoch for epoch in outcomes if epoch]
    assert len(outcomes) == 4
    assert sorted(won) == list(range(1, len(won) + 1))
    assert Epochs(uri, "run").now() == {"BTCUSDT": len(won)}


def test_objects_of_s3_are_replaced_listed_and_deleted(elsewhere):
    objects = objects_at("s3://tickloop/objects")
    for data in (b"one", b"and two"):
        objects.put("record/a.part-0", data)
    objects.put("record/deep/b", b"")
    assert objects.get("record/a.part-0") == b"and two"
    assert objects.get("record/none") is None
    assert objects.sizes("record") == {"a.part-0": 7, "deep/b": 0}
    objects.delete("record/a.part-0")
    objects.delete("record/none")
    assert objects.sizes("record") == {"deep/b": 0}


def test_artifacts_stay_where_they_were_begun(elsewhere, tmp_path, monkeypatch):
    ensure_store(tmp_path)
    monkeypatch.delenv(VARIABLE)
    client = MlflowClient(ensure_store(tmp_path))  # whoever comes later need not know the address
    check_artifacts(client)
    assert client.get_experiment_by_name(EXPERIMENT).artifact_location == "s3://tickloop/tickloop"
    monkeypatch.setenv(VARIABLE, "s3://other/folder")
    with pytest.raises(StoreError, match=r"got s3://other/folder, but .* in s3://tickloop/tickl"):
        ensure_store(tmp_path)


@pytest.mark.parametrize("first", ["tickloop", "mlflow run"])
def test_a_run_of_mlflow_s_is_the_session_s_where_others_can_read_it(
    elsewhere, tmp_path, monkeypatch, capfd, first
):
    if first == "mlflow run":  # it keeps artifacts of its own experiment in a folder
        MlflowClient(os.environ["MLFLOW_TRACKING_URI"]).search_experiments()
    client = MlflowClient(ensure_store(tmp_path))
    made = {"mlflow.source.type": "PROJECT", "mlflow.project.entryPoint": "main"}
    run_id = client.create_run("0", tags=made).info.run_id
    client.log_param(run_id, "speed", "10")
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    found = launched_run(client, tmp_path, settings_of(SessionConfig(speed=10)))
    assert found == (run_id if first == "tickloop" else None)
    assert ("on this machine alone" in capfd.readouterr().err) == (found is None)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("MLFLOW_S3_ENDPOINT_URL", "http://127.0.0.1:9", "Could not connect"),
        (VARIABLE, "s3://nobody/here", "bucket"),
    ],
)
def test_artifacts_that_cannot_be_reached_are_one_line(
    elsewhere, tmp_path, monkeypatch, name, value, said
):
    monkeypatch.setenv(name, value)
    client = MlflowClient(ensure_store(tmp_path))
    with pytest.raises(StoreError, match=f"^the artifacts of this store, s3://.*{said}") as e:
        check_artifacts(client)
    assert "\n" not in str(e.value)


def test_a_wrong_key_is_one_line_without_it(elsewhere, tmp_path, monkeypatch):
    # boto3 keeps the keys that it has once found, and MLflow the client of an address.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    address = elsewhere.s3.endpoint.replace("127.0.0.1", "localhost")
    monkeypatch.setenv("MLFLOW_S3_ENDPOINT_URL", address)
    monkeypatch.setenv(SECRET, "wr0ng")
    client = MlflowClient(ensure_store(tmp_path))
    with pytest.raises(StoreError, match=r"signature .* does not match") as e:
        check_artifacts(client)
    assert "wr0ng" not in str(e.value)
    assert "\n" not in str(e.value)


def test_a_wrong_password_is_one_line_without_it(elsewhere, tmp_path, monkeypatch):
    address = os.environ["MLFLOW_TRACKING_URI"].replace("@", ":wr0ng@")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    with pytest.raises(StoreError, match=r"tickloop:\*\*\*@.*password authentication") as e:
        ensure_store(tmp_path)
    assert "wr0ng" not in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "address, said",
    [
        ("s3://me:secret@bucket", "an address with a user in it"),
        ("bucket/folder", "got 'bucket/folder'; expected s3://BUCKET/FOLDER"),
        ("s3:/bucket", "got 's3:/bucket'; expected"),
    ],
)
def test_an_address_that_is_none_is_refused(monkeypatch, address, said):
    monkeypatch.setenv(VARIABLE, address)
    with pytest.raises(StoreError) as e:
        given_root()
    assert said in str(e.value)
    assert "secret" not in str(e.value)


def test_an_error_of_the_artifact_store_s_library_is_one_of_mlflow_and_a_bug_is_not():
    from botocore.exceptions import EndpointConnectionError

    said = "the artifact store: Could not connect"
    with pytest.raises(ArtifactStoreError, match=said), artifact_store():
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
    with pytest.raises(KeyError), artifact_store():
        raise KeyError("ours")


def test_what_was_stored_is_there_after_a_new_start():
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        ports = free_port(), free_port()
        with TrialStore(Path(name), *ports) as first:
            address = address_of(first).replace("+psycopg", "")
            with psycopg.connect(address, autocommit=True) as connection:
                connection.execute("create table kept (n int)")
        with TrialStore(Path(name), *ports) as second:
            assert second.environment == first.environment
            with psycopg.connect(address) as connection:
                connection.execute("select n from kept")


def test_the_program_tells_how_to_use_it_and_leaves_no_server_behind():
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        ports = {"--postgres_port": free_port(), "--s3_port": free_port()}
        flags = [word for flag, port in ports.items() for word in (flag, str(port))]
        process = subprocess.Popen(
            [sys.executable, "-m", "trainers.tracking.trial", "--folder", name, *flags],
            cwd=PROJECT, env=plain_environment(), stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("use it"))
        assert line.endswith(f". {Path(name).resolve() / 'store.env'}\n")
        started = psutil.Process(process.pid).children(recursive=True)
        assert len(started) > 2
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out.splitlines()[-1][:5]) == (0, "store")
        assert not [one for one in started if one.is_running()]


KEEPS = """
import pathlib, sys
from trainers.tracking.trial.store import TrialStore
with TrialStore(pathlib.Path(sys.argv[1]), *map(int, sys.argv[2:])):
    print("ready", flush=True)
    sys.stdin.read()
"""


def test_servers_end_when_whoever_started_them_is_killed():
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        process = subprocess.Popen(
            [sys.executable, "-c", KEEPS, name, str(free_port()), str(free_port())],
            cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        started = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.communicate()
        assert not psutil.wait_procs(started, 60)[1]
