"""Replay, resume and their bad inputs, on one recorded session: real processes, a real store."""

from __future__ import annotations

import json
import os
import random
import shutil

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from benchmarks.kills import Session, faults_of
from benchmarks.processes import words_of
from datamodules.features import raw_columns
from datamodules.windows import FORECASTER_BARS
from streaming.events import Code, event_ring
from tests.end_to_end.main_job import (
    MainJob,
    end_registering,
    market_ticks,
    replayed,
    wait_for,
    write_tape,
)
from tests.serving import serving
from tests.stores import copy_store
from trainers.learners.cnn.learner import CNN
from trainers.promotion.alias_watcher import Versions
from trainers.recording.decision_log import cycles_ended, read_decisions
from trainers.recording.ledger import read_ledger
from trainers.recording.record import read_record
from trainers.scoring.ledger import MADE, MISSED, SILENT

CYCLES = 9
LOG = "BTCUSDT.decisions.jsonl"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A session on a tape with a gap, in which controls were used and the trainer was killed."""
    folder = tmp_path_factory.mktemp("recorded")
    ticks = market_ticks(5000)
    lost = (ticks["id"] > ticks["id"][3000]) & (ticks["id"] < ticks["id"][3100])
    write_tape(folder / "tape", ticks[~lost])
    source = f"tape:{folder / 'tape'}"
    with MainJob(folder, source=source, speed=20, cycles=CYCLES, segment_seconds=2) as job:
        session = job.session_folder()
        log = session / LOG

        def ended(cycles):
            return cycles_ended(log) >= cycles

        wait_for(lambda: ended(4), "cycles in which the CNN has learned")
        job.client.set_tag(session.name, "control/promote", "cnn")
        job.client.set_tag(session.name, "control/cnn_learning", "1")
        job.client.set_tag(session.name, "control/confidence", "0.55")
        job.client.set_tag(session.name, "control/learning_rate", "0.002")
        wait_for(lambda: log.read_text().count('"do":"control"') >= 4, "all controls")
        job.client.set_tag(session.name, "control/pause", "1")
        wait_for(lambda: '"version":1' in log.read_text(), "the champion")
        job.client.set_tag(session.name, "control/resume", "1")
        before = cycles_ended(log)
        wait_for(lambda: ended(before + 1), "a cycle with it")
        (trainer,) = (p for p in job.processes() if "trainers.session.trainer" in words_of(p))
        trainer.kill()
        out = job.finish()
    assert job.process.returncode == 0, out
    return job, session, out


def test_a_session_that_is_done_replays_itself_and_is_tagged_with_what_came_of_it(recorded):
    job, session, out = recorded
    last = out.strip().splitlines()[-1]
    assert last.startswith(f"identical: {CYCLES} cycles, ")
    tags = job.client.get_run(session.name).data.tags
    assert tags["parity"] == last
    entries = read_decisions(session / LOG)
    assert any(entry["do"] == "control" for entry in entries)
    codes = {event["code"] for event in json.loads(tags["events"])}
    assert {Code.CYCLE, Code.RESUMED} <= codes
    assert Code.GAP in [row["code"].decode() for row in event_ring(session, "feed").read().rows]
    assert sum(entry["do"] == "began" for entry in entries) == 2  # the trainer was killed once


def test_controls_are_answered_and_the_refused_one_has_a_reason(recorded):
    job, session, _ = recorded
    tags = job.client.get_run(session.name).data.tags
    results = {
        name.removeprefix("control_result/"): json.loads(value)
        for name, value in tags.items()
        if name.startswith("control_result/")
    }
    assert results["confidence"]["result"] == results["learning_rate"]["result"] == "applied"
    assert results["cnn_learning"]["result"] == "refused"
    assert "unknown; allowed: start, pause" in results["cnn_learning"]["text"]
    assert not [name for name in tags if name.startswith("control/")]


def test_a_champion_by_hand_forecasts_every_bar_from_then_on_as_the_registry_says(recorded):
    job, session, _ = recorded
    name = "tickloop-tape-btcusdt-cnn"
    version = job.client.get_model_version_by_alias(name, "champion")
    told = [json.loads(version.tags[f"audit.{i}"]) for i in (1, 2)]
    assert [(one["action"], one["by"]) for one in told] == [
        ("register", "hand"),
        ("promote", "hand"),
    ]
    assert job.runs()["cnn"].data.tags["champion"] == str(version.version)
    names, _, forecasts = read_ledger(session, "BTCUSDT")
    rows = forecasts[forecasts["learner"] == names.index("cnn.champion")]
    serving = rows[rows["version"] == int(version.version)]
    assert len(serving) > 0
    assert set(serving["status"].tolist()) <= {MADE, MISSED, SILENT}  # SILENT at the tape's gap
    first = int(np.flatnonzero(rows["version"] == int(version.version))[0])
    assert (rows["version"][first:] == int(version.version)).all()


@pytest.fixture(scope="module")
def said_by_the_champion(recorded):
    """Some of the ledger's rows of the champion, each with the bars that were known then."""
    _, session, _ = recorded
    bars = read_record(session).markets["BTCUSDT"].stream().bars(0).rows
    names, _, forecasts = read_ledger(session, "BTCUSDT")
    rows = forecasts[forecasts["learner"] == names.index("cnn.champion")]
    made = rows[(rows["status"] == MADE) & (rows["version"] == 1)]
    until = np.searchsorted(bars["ts_open"], made["bar"], side="right")
    return [(row, bars[:end]) for row, end in zip(made, until, strict=True)][
        :: max(1, len(made) // 5)
    ]


def test_the_champion_says_what_the_session_said_for_the_same_bars(
    recorded, said_by_the_champion, tmp_path
):
    job, _, _ = recorded
    model = Versions(job.client, tmp_path / "models", "tape:").load("BTCUSDT", "cnn", 1)
    assert said_by_the_champion
    for row, known in said_by_the_champion:
        assert CNN.predict(model, known) == row["probability"]


def test_mlflow_serves_the_champion_and_it_says_what_the_session_said(
    recorded, said_by_the_champion, tmp_path
):
    job, _, _ = recorded
    model = "models:/tickloop-tape-btcusdt-cnn@champion"
    with serving(job.client.tracking_uri, model, tmp_path) as served:
        served.wait()
        for row, known in said_by_the_champion:
            ((probability, signal),) = served.ask(raw_columns(known[-FORECASTER_BARS:])[None])
            assert np.float32(probability) == row["probability"]
            assert signal == (probability >= 0.65) - (probability <= 0.35)


def test_what_was_killed_and_resumed_lacks_nothing(recorded):
    job, session, _ = recorded
    assert faults_of(session, job.client) == []


def test_the_record_is_in_the_store_and_each_segment_a_dataset_by_its_hash(recorded):
    job, session, _ = recorded
    run = job.client.get_run(session.name)
    names = {entry["name"]: entry["sha256"] for entry in read_decisions(session / LOG)
             if entry["do"] == "segment"}  # fmt: skip
    found = {d.dataset.name + ".parquet": d.dataset.digest for d in run.inputs.dataset_inputs}
    assert found == {name: sha[:36] for name, sha in names.items()}
    assert len(names) > 2
    there = {item.path for item in job.client.list_artifacts(session.name, "record")}
    assert {"record/config.json", f"record/{LOG}", "record/tape"} <= there


def test_another_machine_replays_from_the_store_alone_in_runs_of_its_own(recorded):
    job, session, _ = recorded
    away = session.with_name("away")
    session.rename(away)
    try:
        code, out, err = replayed(job.folder, "--session", session.name)
    finally:
        away.rename(session)
    assert code == 0, err
    assert out.splitlines()[-1].startswith(f"identical: {CYCLES} cycles, ")
    runs = job.client.search_runs(
        [e.experiment_id for e in job.client.search_experiments()],
        f"tags.replay_of = '{session.name}'",
    )
    assert {"replay", "learner", "baseline"} <= {run.data.tags["kind"] for run in runs}
    (cnn,) = (run for run in runs if run.data.tags.get("learner") == "cnn")
    original = job.runs()["cnn"]
    for key in ("live/log_loss", "train/loss"):
        series = [
            [(p.step, p.value) for p in job.client.get_metric_history(r.info.run_id, key)]
            for r in (cnn, original)
        ]
        assert series[0] == series[1] != []


def test_with_another_setting_it_is_a_what_if_shown_side_by_side(recorded):
    job, session, _ = recorded
    code, out, _ = replayed(
        job.folder, "--session", session.name, "--runs", "false", "--cnn_learning_rate", "0.01"
    )
    assert code == 0
    assert "what if cnn_learning_rate=0.01" in out
    (line,) = (line for line in out.splitlines() if line.startswith("cnn train/loss"))
    _, _, recorded_loss, other_loss = line.split()
    assert recorded_loss != other_loss
    parity = job.client.get_run(session.name).data.tags["parity"]
    assert parity.startswith("identical")  # a what-if says nothing about the session


@pytest.fixture
def copy(recorded, tmp_path):
    """A copy of the project whose record may be spoiled."""
    job, session, _ = recorded
    shutil.copytree(job.folder, tmp_path / "copy")
    return tmp_path / "copy", tmp_path / "copy" / session.relative_to(job.folder)


def segment(session, i):
    return sorted((session / "tape").glob("*.parquet"))[i]


def lose_segment(session):
    segment(session, 1).unlink()


def cut_segment(session):
    path = segment(session, 1)
    path.write_bytes(path.read_bytes()[:-100])


def edit_segment(session):
    data = bytearray(segment(session, 1).read_bytes())
    data[len(data) // 2] ^= 1
    segment(session, 1).write_bytes(data)


def edit_log(session):
    path = session / LOG
    path.write_text(path.read_text().replace('"do":"cycle"', '"do":"cycle', 1))


@pytest.mark.parametrize(
    "spoil, code, said",
    [
        (lose_segment, 1, "the tape lacks this segment; restore it from the artifacts"),
        (cut_segment, 1, "cut off or changed since it was recorded"),
        (edit_segment, 1, "cut off or changed since it was recorded"),
        (edit_log, 1, "expected a JSON object in line"),
    ],
)
def test_a_spoiled_record_is_named_and_not_replayed(copy, spoil, code, said):
    folder, session = copy
    spoil(session)
    found, _, err = replayed(folder, "--session", session.name, "--runs", "false")
    assert (found, said in err) == (code, True), err


def test_a_tick_that_was_another_is_found_at_its_cycle_and_stage(copy):
    folder, session = copy
    path = session / LOG
    text = path.read_text()
    ends = [line for line in text.splitlines() if '"do":"end"' in line]
    weights = json.loads(ends[5])["hashes"]["learners"]["cnn"]["weights"]
    path.write_text(text.replace(weights, "0123456789abcdef"))
    code, out, err = replayed(folder, "--session", session.name, "--runs", "false")
    assert code == 3, err
    assert out.strip().splitlines()[-1] == (
        f"differs: BTCUSDT cycle 6, weights of cnn: recorded 0123456789abcdef, replayed {weights}"
    )


def test_a_log_torn_by_a_kill_replays_to_its_last_whole_cycle(copy):
    folder, session = copy
    path = session / LOG
    data = path.read_bytes()
    ends = [i for i in range(len(data)) if data.startswith(b'{"do":"end"', i)]
    path.write_bytes(data[: ends[2] + 40])
    code, out, err = replayed(folder, "--session", session.name, "--runs", "false")
    assert code == 0, err
    assert out.strip().splitlines()[-1].startswith("identical: 2 cycles, ")


def test_a_session_that_does_not_exist_is_a_wrong_setting(copy):
    folder, _ = copy
    code, _, err = replayed(folder, "--session", "0123abcd")
    assert (code, "the store has no such run" in err) == (2, True)


def test_a_setting_of_the_stream_is_no_what_if(copy):
    folder, session = copy
    code, _, err = replayed(folder, "--session", session.name, "--cycle_seconds", "5")
    assert (code, "a replay keeps the stream and the cycles" in err) == (2, True)


def test_killed_processes_come_back_and_a_killed_session_is_resumed(tmp_path):
    copy_store(tmp_path)
    session = Session(tmp_path, random.Random(1), learners="cnn", speed=20, segment_seconds=5)
    try:
        session.start()
        session.wait_for_cycle(2)
        for target in ("trainer", "all"):
            session.kill(target)
            if session.process.poll() is not None:
                session.start()
            session.wait_for_cycle(session.cycles() + 2)
        session.stop()
    finally:
        session.end()
        end_registering(tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (folder,) = session.sessions()
    assert faults_of(folder, client) == []
    code, out, err = replayed(tmp_path, "--runs", "false")
    assert code == 0, err + out
    for outbox in ("outbox.jsonl", "BTCUSDT.outbox.jsonl"):
        assert os.path.getsize(folder / outbox) == 0
