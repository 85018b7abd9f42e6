"""An export says what the record and MLflow say, whatever the session's state and place."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import tickloop
from streaming.errors import ConfigError
from streaming.tape.segments import segments, write_segment
from streaming.ticks import make_ticks
from tests.end_to_end.main_job import PATIENCE
from tests.trainers.tapes import market, write_csv, write_quotes
from tickloop.export.__main__ import export
from tickloop.runs import runs_of
from trainers.config import session_folder
from trainers.config.export import PARQUET, TENSORBOARD, ExportConfig
from trainers.recording.errors import RecordError
from trainers.recording.ledger import read_ledger
from trainers.recording.record import read_runs
from trainers.tracking.reader import SessionReader, TrackingAwayError
from trainers.tracking.store import ensure_store

ROOT = Path(__file__).parents[2]
MARKETS = ("AAA", "BBB")
OWN = "tests.trainers.own_learner:UpShare"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a backtest of two markets, one of them with quotes."""
    root = tmp_path_factory.mktemp("project")
    (tapes := root / "tapes").mkdir()
    for seed, name in enumerate(MARKETS):
        write_csv(tapes / f"{name}-trades.csv", market(400, seed))
    write_quotes(tapes / "AAA-quotes.csv", market(400, 0))
    words = ["--source", f"tape:{tapes}", "--symbols", ",".join(MARKETS), "--learners", OWN]
    done = subprocess.run(
        [sys.executable, "-m", "trainers.research.backtest", *words, "--min_ticks", "300"],
        cwd=root, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture(scope="module")
def session(project):
    return tickloop.session("last", project)


@pytest.fixture(scope="module")
def parquet(project, session):
    folder = export(ExportConfig(session=session.run_id), project)
    names = {path.stem for path in folder.glob("*.parquet")}
    return {name: pd.read_parquet(folder / f"{name}.parquet") for name in names}


def as_text(frame):
    named = frame.select_dtypes("category").columns
    return frame.astype(dict.fromkeys(named, "str"))


FRAMES = {"ledger": "forecasts", **{name: name for name in ("trades", "bars", "ticks", "quotes")}}


@pytest.mark.parametrize("table", FRAMES)
def test_a_table_of_a_market_is_its_frame(session, parquet, table):
    for symbol in MARKETS:
        found = parquet[table][parquet[table]["symbol"] == symbol].drop(columns="symbol")
        wanted = as_text(getattr(session, FRAMES[table])(symbol))
        if wanted.index.name:
            wanted = wanted.reset_index()
        pd.testing.assert_frame_equal(found.reset_index(drop=True), wanted)
    assert len(parquet[table])


def test_every_row_of_the_ledger_is_in_it(session, parquet):
    for symbol in MARKETS:
        names, _, forecasts = read_ledger(session.folder, symbol)
        found = parquet["ledger"][parquet["ledger"]["symbol"] == symbol]
        assert found["time"].astype("int64").tolist() == forecasts["bar"].tolist()
        assert found["learner"].tolist() == [names[i] for i in forecasts["learner"]]
        for name in ("inputs", "version", "latency_us", "probability"):
            np.testing.assert_array_equal(found[name], forecasts[name])


def test_every_metric_of_mlflow_is_in_it(project, session, parquet):
    client = MlflowClient(ensure_store(project))
    runs = [
        (market, *pair) for market in MARKETS for pair in read_runs(session.folder, market).items()
    ]
    for symbol, learner, run_id in [*runs, ("", "", session.run_id)]:
        rows = parquet["metrics"]
        rows = rows[(rows["symbol"] == symbol) & (rows["learner"] == learner)]
        keys = client.get_run(run_id).data.metrics
        assert set(rows["metric"]) == set(keys)
        wanted = [
            (key, point.step, point.value)
            for key in keys
            for point in client.get_metric_history(run_id, key)
        ]
        assert sorted(rows[["metric", "cycle", "value"]].itertuples(index=False)) == sorted(wanted)
    pd.testing.assert_frame_equal(as_text(session.metrics(every=True)), parquet["metrics"])
    pd.testing.assert_frame_equal(as_text(session.params()), parquet["params"])


def test_the_newest_metrics_have_the_same_columns(session, parquet):
    newest = as_text(session.metrics())
    assert newest.columns.tolist() == parquet["metrics"].columns.tolist()
    last = parquet["metrics"].drop_duplicates(["symbol", "learner", "metric"], keep="last")
    pd.testing.assert_frame_equal(newest, last.reset_index(drop=True))


def test_tensorboard_shows_mlflows_metrics_by_cycle(project, session):
    folder = export(ExportConfig(session=session.run_id, to=TENSORBOARD), project)
    reader = SessionReader(project)
    runs = runs_of(reader, session.run_id)
    assert {path.parent.relative_to(folder).as_posix() for path in folder.rglob("events.*")} == {
        f"{run.name[0]}/{run.name[1]}" if run.name[1] else "session" for run in runs
    }
    for run in runs:
        where = folder / Path(*run.name) if run.name[1] else folder / "session"
        shown = EventAccumulator(str(where), size_guidance={"tensors": 0})
        shown.Reload()
        found = [
            (key, event.step, event.wall_time, event.tensor_proto.float_val[0])
            for key in shown.Tags()["tensors"]
            for event in shown.Tensors(key)
        ]
        wanted = [
            (point.metric, point.cycle, point.ts_ms / 1000, np.float32(point.value))
            for point in reader.points(run.run_id)
        ]
        assert sorted(found) == sorted(wanted)


def test_a_record_that_is_not_here_comes_from_the_store(project, session, parquet, tmp_path):
    """As of a session of another machine: there are no rings, so bars are built from the tape."""
    here = session_folder(project, session.run_id)
    shutil.move(here, tmp_path / "elsewhere")
    try:
        folder = export(ExportConfig(session=session.run_id, folder=str(tmp_path / "x")), project)
    finally:
        shutil.move(tmp_path / "elsewhere", here)
    for name, table in parquet.items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{name}.parquet"), table)


def test_an_export_takes_the_place_of_an_earlier_one_of_the_session_only(
    project, session, tmp_path
):
    given = ExportConfig(session=session.run_id, to=TENSORBOARD, folder=str(tmp_path / "own"))
    first = {path.name for path in export(given, project).rglob("events.*")}
    again = {path.name for path in export(given, project).rglob("events.*")}
    assert first
    assert not first & again
    (other := tmp_path / "other").mkdir()
    (other / "precious").write_text("mine")
    with pytest.raises(ConfigError, match="expected a new folder, an empty one, or one with"):
        export(ExportConfig(session=session.run_id, folder=str(other)), project)
    assert [path.name for path in other.iterdir()] == ["precious"]


def test_a_tape_with_a_hole_is_a_line_and_leaves_nothing(project, session, tmp_path):
    tape = session.folder / "tape"
    (whole,) = segments(tape, "BBB")
    shutil.move(whole.path, tmp_path / "kept")
    parts = [write_segment(tape, "BBB", first, make_ticks(4)) for first in (0, 8)]
    try:
        with pytest.raises(RecordError, match=r"ticks 4 to 7 of BBB are not on tape"):
            export(ExportConfig(session=session.run_id, folder=str(tmp_path / "new")), project)
    finally:
        for path in parts:
            path.unlink()
        shutil.move(tmp_path / "kept", whole.path)
    assert list(tmp_path.iterdir()) == []


def test_a_session_that_is_unknown_is_one_line(project, tmp_path):
    with pytest.raises(ConfigError, match=r"session: got 'nosuch'; the store has no such run"):
        export(ExportConfig(session="nosuch"), project)
    with pytest.raises(ConfigError, match=r"session: got 'last'; there is no session"):
        export(ExportConfig(), project)  # there is a backtest only
    with pytest.raises(TrackingAwayError, match="there is no MLflow store at"):
        export(ExportConfig(), tmp_path)
    with pytest.raises(ConfigError, match="to: got 'csv'; allowed: parquet, tensorboard"):
        ExportConfig(to="csv")


def test_without_tensorboard_the_line_says_how_to_get_it(project, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboard.summary", None)
    with pytest.raises(ConfigError, match=r"to: .*pip install -r requirements-export.txt"):
        export(ExportConfig(to=TENSORBOARD), project)


def test_the_columns_are_documented(parquet):
    told = {}
    for section in (ROOT / "docs/export.md").read_text().split("\n## ")[1:]:
        title = section.partition("\n")[0].strip("`")
        cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
        told[title] = re.findall(r"`(\w+)`", " ".join(cells))
    for name, table in parquet.items():
        assert told[f"{name}.parquet"] == table.columns.tolist()


def test_parquet_is_the_default():
    assert ExportConfig().to == PARQUET
