from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.stores import AT_ONCE
from trainers.names import EXPERIMENT
from trainers.tracking.store import StoreError, ensure_store, tracking_uri
from trainers.tracking.stores.half_made import emptied

PROJECT = Path(__file__).parents[2]


def test_four_processes_at_once_make_one_whole_store(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", AT_ONCE, str(tmp_path)],
        cwd=PROJECT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert done.stdout.split() == [uri] * 4
    with sqlite3.connect(tmp_path / "mlflow.db") as connection:
        assert connection.execute("pragma journal_mode").fetchone() == ("wal",)
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        named = connection.execute("select count(*) from experiments where name = 'tickloop'")
        assert named.fetchone() == (1,)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert Path(experiment.artifact_location) == tmp_path / "mlruns"
    run = client.create_run(experiment.experiment_id)
    client.log_metric(run.info.run_id, "a", 1.0)
    client.log_text(run.info.run_id, "hello", "hello.txt")
    assert list((tmp_path / "mlruns").rglob("hello.txt"))


def test_a_store_that_is_there_is_left_as_it_is(root, client):
    run = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id).info.run_id
    assert ensure_store(root) == f"sqlite:///{root / 'mlflow.db'}"
    assert client.get_run(run).info.status == "RUNNING"


@pytest.mark.parametrize(
    "uri, wanted",
    [
        ("", "sqlite:////p/mlflow.db"),
        ("sqlite:///other.db", "sqlite:////p/other.db"),
        ("sqlite:////x/other.db", "sqlite:////x/other.db"),
        ("sqlite:////x/a%20b/other.db", "sqlite:////x/a b/other.db"),  # as `mlflow run` writes it
        ("sqlite:////x/100%25/other.db", "sqlite:////x/100%25/other.db"),
        ("sqlite:///other.db?timeout=9", "sqlite:////p/other.db?timeout=9"),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("postgresql://u@h/db", "postgresql://u@h/db"),
    ],
)
def test_the_environment_may_name_another_store(monkeypatch, uri, wanted):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert tracking_uri(Path("/p")) == wanted


@pytest.mark.parametrize("uri", ["file:///tmp/mlruns", "./mlruns", "file:mlruns", "ftp://x"])
def test_kinds_of_store_that_mlflow_gave_up_are_refused(monkeypatch, uri, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StoreError, match=r"^MLFLOW_TRACKING_URI: got '.*'; allowed: sqlite:"):
        ensure_store(tmp_path)
    assert not list(tmp_path.iterdir())


def file_in_the_way(folder):
    (folder / "way").write_text("")
    return f"sqlite:///{folder / 'way' / 'mlflow.db'}"


def no_database(folder):
    (folder / "other.db").write_text("this is no database " * 100)
    return f"sqlite:///{folder / 'other.db'}"


def nowhere(_):
    return "sqlite:////proc/nowhere/mlflow.db"


def server_away(_):
    return "http://127.0.0.1:9"


def folder_in_its_place(folder):
    (folder / "taken.db").mkdir()
    return f"sqlite:///{folder / 'taken.db'}"


def no_driver(_):
    return "postgresql+pg8000://127.0.0.1:9/db"


def unknown_dialect(_):
    return "mysql+nothing://127.0.0.1/db"


def no_port(_):
    return "postgresql://127.0.0.1:port/db"


@pytest.mark.parametrize(
    "make",
    [file_in_the_way, no_database, nowhere, server_away, no_driver, unknown_dialect, no_port],
)
def test_a_store_that_cannot_be_used_is_one_line_that_names_it(monkeypatch, tmp_path, make):
    uri = make(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StoreError) as e:
        ensure_store(tmp_path)
    assert str(e.value).startswith(f"MLFLOW_TRACKING_URI: the store {uri} cannot be used (")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://me:s3cr:e/t@127.0.0.1:9/db",
        "https://me:s3cr:e/t@127.0.0.1:9",
        "x://me:s3cr:e/t@h",
    ],
)
def test_no_password_is_shown(monkeypatch, tmp_path, uri):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(StoreError) as e:
        ensure_store(tmp_path)
    assert "me:***@" in str(e.value)
    assert "s3cr" not in str(e.value)


@pytest.mark.parametrize(
    "name, other",
    [("a%20b", "a b"), ("100%25 btc?x=1#y", "100% btc"), ("j\u00fcrgen \u5e01", "jurgen")],
)
def test_a_folder_of_any_name_has_its_own_store_and_its_neighbour_stays_as_it_is(
    tmp_path, name, other
):
    root, neighbour = tmp_path / name, tmp_path / other
    for folder in (root, neighbour):
        folder.mkdir()
    (neighbour / "mlflow.db").write_text("its own")
    client = MlflowClient(ensure_store(root))
    run = client.create_run(client.get_experiment_by_name(EXPERIMENT).experiment_id)
    client.log_text(run.info.run_id, "hello", "hello.txt")
    assert (root / "mlflow.db").stat().st_size > 10_000
    assert list((root / "mlruns").rglob("hello.txt"))
    assert client.list_artifacts(run.info.run_id)[0].path == "hello.txt"
    assert [path.name for path in neighbour.iterdir()] == ["mlflow.db"]
    assert (neighbour / "mlflow.db").read_text() == "its own"


def test_a_deleted_experiment_is_one_line_that_says_how_to_have_it_back(tmp_path):
    client = MlflowClient(ensure_store(tmp_path))
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    client.delete_experiment(experiment)
    with pytest.raises(
        StoreError, match=f"bring it back with: mlflow experiments restore -x {experiment}$"
    ):
        ensure_store(tmp_path)
    client.restore_experiment(experiment)
    ensure_store(tmp_path)


def test_a_file_that_cannot_be_opened_is_known_at_once(tmp_path):
    # In a process of its own: MLflow holds a lock while it waits.
    code = (
        "import pathlib; from trainers.tracking.store import ensure_store, StoreError\n"
        "print('ready', flush=True)\n"
        "try: ensure_store(pathlib.Path.cwd())\n"
        "except StoreError as e: print(e)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT),
             "MLFLOW_TRACKING_URI": folder_in_its_place(tmp_path)},
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "ready\n"
        process.wait(60)  # a lock of MLflow's would be held for 100 s
        said = process.stdout.read()
        assert said.startswith("MLFLOW_TRACKING_URI: the store ")
        assert said.count("\n") == 1
    finally:
        process.kill()
        process.communicate()


# ---- a store whose making was cut off, say by `kill -9`


def cut_off(path: Path, *more: str) -> None:
    """Leave what MLflow stumbles over: a table that one of its changes makes and drops again."""
    with contextlib.closing(sqlite3.connect(path)) as store:
        for statement in ("create table _alembic_tmp_runs (run_uuid)", *more):
            store.execute(statement)
        store.commit()


def test_an_empty_store_that_was_only_half_made_is_made_anew(tmp_path, caplog):
    cut_off(tmp_path / "mlflow.db")
    assert MlflowClient(ensure_store(tmp_path)).get_experiment_by_name(EXPERIMENT)
    assert "only half made" in caplog.text


@pytest.mark.parametrize(
    "kept",
    ["insert into _alembic_tmp_runs values ('a run')",
     "insert into experiments values (2, 'mine', '', 'active')"],
)  # fmt: skip
def test_a_half_made_store_that_somebody_has_used_is_left_as_it_is(tmp_path, kept):
    path = tmp_path / "mlflow.db"
    cut_off(path, "create table experiments (experiment_id, name, artifact_location, stage)", kept)
    assert not emptied(path)
    with pytest.raises(StoreError, match="cannot be used"):
        ensure_store(tmp_path)
    with contextlib.closing(sqlite3.connect(path)) as store:
        assert store.execute(f"select count(*) from {kept.split()[2]}").fetchone() == (1,)
