"""Reading sessions back from MLflow: SQLite and server must return the same."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy
from mlflow.entities import Dataset, DatasetInput

from tests.ports import free_port
from tests.ui.mlflow_runs import typical
from tests.ui.page_world import PATIENCE, World
from trainers.tracking import reader as reader_module
from trainers.tracking.reader import NoSuchRunError, SessionReader, TrackingAwayError
from trainers.tracking.stores import paging
from ui.mlflow.poller import Poller
from ui.runs.run_comparison import compare


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("reader"))
    world.runs = typical(world, cycles=5)
    yield world
    world.close()


@pytest.fixture(scope="module")
def server(world: World) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", world.uri]
    command += ["--port", str(port), "--workers", "1"]
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (world.root / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, env=env, stdout=log, stderr=log, cwd=world.root, start_new_session=True
        )
    address = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                urllib.request.urlopen(address + "/health", timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < end, "no server"
                time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)


def reader(monkeypatch: pytest.MonkeyPatch, uri: str) -> SessionReader:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    return SessionReader(Path("nowhere"))


def test_runs_are_listed_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    source = reader(monkeypatch, world.uri)
    whole = source.learner_runs(world.run_id), source.baseline_runs(world.run_id)
    assert min(map(len, whole)) > 1
    monkeypatch.setattr(paging, "PAGE", 1)
    assert (source.learner_runs(world.run_id), source.baseline_runs(world.run_id)) == whole
    assert len(source.newest_learner_runs(most=1)) == 2  # a learner's and a champion's


def test_models_are_listed_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"tickloop-paged-{n}" for n in range(3)]
    for name in names:
        world.client.create_registered_model(name)
    monkeypatch.setattr(paging, "PAGE", 2)
    assert [one.name for one in reader(monkeypatch, world.uri).models()] == names


def test_direct_and_by_server_are_the_same(
    monkeypatch: pytest.MonkeyPatch, world: World, server: str
) -> None:
    direct, rest = reader(monkeypatch, world.uri), reader(monkeypatch, server)
    assert direct.latest_session() == rest.latest_session() == world.run_id
    assert direct.session_run(world.run_id) == rest.session_run(world.run_id)
    assert direct.learner_runs(world.run_id) == rest.learner_runs(world.run_id)
    cnn = world.runs["cnn"]
    for after in (-1, 3, 5):
        points = direct.history(cnn, "live/scored", after=after)
        assert points == rest.history(cnn, "live/scored", after=after)
        assert points == {cycle: 30.0 * cycle for cycle in range(after + 1, 6) if cycle}


def test_a_run_is_read_without_the_datasets_of_its_tape(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    """It is read each second, and has a dataset more with each minute of each market."""
    source = reader(monkeypatch, world.uri)
    before = source.session_run(world.run_id)
    segment = Dataset("BTCUSDT-0-9", "0", source_type="local", source="{}")
    world.client.log_inputs(world.run_id, [DatasetInput(segment)])
    engine, asked = source._client()._tracking_client.store.engine, []
    with statements(engine, asked):
        assert source.session_run(world.run_id) == before
    assert asked
    assert not [query for query in asked if "datasets" in query or "inputs" in query]
    assert world.client.get_run(world.run_id).inputs.dataset_inputs


@contextlib.contextmanager
def statements(engine: sqlalchemy.Engine, into: list[str]) -> Iterator[None]:
    """Collect the statements that an engine is asked to execute."""

    def note(connection: object, cursor: object, query: str, *_: object) -> None:
        into.append(query)

    sqlalchemy.event.listen(engine, "before_cursor_execute", note)
    yield
    sqlalchemy.event.remove(engine, "before_cursor_execute", note)


def test_run_has_names_steps_and_finite_metrics(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    run = world.learner("odd", symbol="AAA")
    world.log(run, 7, train__loss=float("inf"), train__accuracy=0.5, live__pnl_bps=float("nan"))
    record = reader(monkeypatch, world.uri).learner_runs(world.run_id)[0]
    assert record.name == ("AAA", "odd")
    assert record.metrics == {"train/accuracy": 0.5}
    assert record.cycle == 7
    world.client.delete_run(run)


def test_histories_of_many_runs_are_one_request(
    monkeypatch: pytest.MonkeyPatch, world: World, server: str
) -> None:
    runs = [*world.runs.values()]
    for uri in (world.uri, server):
        source = reader(monkeypatch, uri)
        each = {run: source.history(run, "live/accuracy", most=3) for run in runs}
        assert sum(map(bool, each.values())) > 1
        read, asked = reader_module.sampled, []
        monkeypatch.setattr(
            reader_module,
            "sampled",
            lambda c, ids, *a, r=read, n=asked: n.append(ids) or r(c, ids, *a),
        )
        assert source.histories(runs, "live/accuracy", most=3) == each
        assert asked == [runs]


def test_runs_of_the_table_are_compared_without_being_read_again(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    source = reader(monkeypatch, world.uri)
    runs = {run.run_id: run for run in source.learner_runs(world.run_id)}
    found = compare(source, [*runs], "live/accuracy", {})
    monkeypatch.setattr(source, "runs", lambda ids: pytest.fail(f"read {ids}"))
    assert compare(source, [*runs], "live/accuracy", runs) == found
    assert max(len(run["points"]) for run in found["runs"]) == 5


def test_poller_asks_for_new_points_only(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    source = reader(monkeypatch, world.uri)
    poller, asked = Poller(source, world.run_id), []
    read = source.history
    monkeypatch.setattr(
        source, "history", lambda *a, after: asked.append((*a, after)) or read(*a, after=after)
    )
    poller.look_at("BTCUSDT")
    poller.poll()
    poller.poll()
    assert len(set(asked)) == len(asked), "read twice"
    assert list(poller.metrics.cycles["BTCUSDT"].scores) == [1, 2, 3, 4, 5]
    asked.clear()
    world.log(world.runs["cnn"], 6, live__accuracy=0.6)
    poller.poll()
    assert asked == [], "the run has the one new point itself"
    assert poller.metrics.cycles["BTCUSDT"].scores[6] == [6, 0.6, None, None]
    for cycle in (7, 8):
        world.log(world.runs["cnn"], cycle, live__accuracy=cycle / 10)
    poller.poll()
    assert asked == [(world.runs["cnn"], "live/accuracy", 6)]
    assert list(poller.metrics.cycles["BTCUSDT"].scores) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_poller_reads_again_only_what_was_written_since(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    source = reader(monkeypatch, world.uri)
    poller, asked = Poller(source, world.run_id), []
    read = source.learner_runs
    monkeypatch.setattr(source, "learner_runs", lambda run: asked.append(run) or read(run))
    poller.poll()
    first = poller.metrics
    poller.poll()
    assert asked == [world.run_id]
    assert poller.metrics.read_at > first.read_at, "what was not written is not old"
    for status in ("TRAINING", "READY"):
        world.client.set_tag(world.runs["cnn"], "status", status)
        poller.poll()
        assert poller.metrics.learners["BTCUSDT"]["cnn"].tags["status"] == status


def test_whether_a_server_s_store_was_written_is_not_known(
    monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    assert reader(monkeypatch, server).written() is None


def test_missing_store_is_away_and_is_not_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = reader(monkeypatch, f"sqlite:///{tmp_path}/mlflow.db")
    with pytest.raises(TrackingAwayError, match="no MLflow store"):
        source.latest_session()
    assert list(tmp_path.iterdir()) == []


def test_unknown_run_is_named(monkeypatch: pytest.MonkeyPatch, world: World) -> None:
    with pytest.raises(NoSuchRunError, match="there is no run '0000"):
        reader(monkeypatch, world.uri).session_run("0" * 32)
