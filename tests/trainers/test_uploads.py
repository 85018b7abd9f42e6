"""The tape's segments are in the store, each once, as soon as they are complete."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.errors import ConfigError
from streaming.events import Code
from streaming.tape import write_segment
from streaming.tape.segments import SegmentKind, outdated, segments
from streaming.ticks import NS_PER_S, make_ticks
from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog, read_decisions
from trainers.recording.errors import RecordError
from trainers.recording.files import CONFIG, DECISIONS, RUNS, TAPE, of_market
from trainers.recording.record import read_record
from trainers.tracking import uploads
from trainers.tracking.uploads import Uploads

HOUR = 3600 * NS_PER_S


@pytest.fixture
def session(client, tmp_path):
    experiment = client.get_experiment_by_name("tickloop").experiment_id
    folder = tmp_path / client.create_run(experiment).info.run_id
    (folder / TAPE).mkdir(parents=True)
    return folder


def segment(session, first):
    """A segment of ten ticks; the folder's time is long ago, and another with each."""
    write_segment(session / TAPE, "BTCUSDT", first, make_ticks(10))
    os.utime(session / TAPE, ns=(first * 10**9, 10**18 + first))


def test_each_segment_is_uploaded_once_and_the_folder_is_read_when_it_has_changed(
    client, session, monkeypatch
):
    path, listed = of_market(session, "BTCUSDT", DECISIONS), []
    listing = uploads.segments
    monkeypatch.setattr(uploads, "segments", lambda *of: listed.append(of) or listing(*of))
    with contextlib.closing(DecisionLog(path)) as log:
        made = Uploads(client, session, "BTCUSDT", log)
        counts = []
        for first in (0, 10):
            segment(session, first)
            for _ in range(3):
                made.closed_segments()
            counts.append(len(listed))
    assert counts == [2, 4]  # ticks and quotes, once for each change
    names = [entry["name"] for entry in read_decisions(path)]
    assert len(names) == len(set(names)) == 2
    assert len(client.list_artifacts(session.name, f"record/{TAPE}")) == 2


def test_the_run_is_not_asked_for_again_with_each_segment(client, session, monkeypatch):
    """MLflow then reads the datasets of all segments before it."""
    asked, get_run = [], client.get_run
    monkeypatch.setattr(client, "get_run", lambda run: asked.append(run) or get_run(run))
    with contextlib.closing(DecisionLog(of_market(session, "BTCUSDT", DECISIONS))) as log:
        made = Uploads(client, session, "BTCUSDT", log)
        for first in range(0, 50, 10):
            segment(session, first)
            made.closed_segments()
    assert asked == [session.name]
    assert len(get_run(session.name).inputs.dataset_inputs) == 5


def test_a_folder_that_has_changed_just_now_is_read_again(client, session):
    path = of_market(session, "BTCUSDT", DECISIONS)
    now = (time.time_ns() + 10**12,) * 2  # and it stays so, however slow the machine is
    with contextlib.closing(DecisionLog(path)) as log:
        made = Uploads(client, session, "BTCUSDT", log)
        os.utime(session / TAPE, ns=now)
        made.closed_segments()
        write_segment(session / TAPE, "BTCUSDT", 0, make_ticks(10))
        os.utime(session / TAPE, ns=now)
        made.closed_segments()
    assert len(read_decisions(path)) == 1


def hours(session, first, kind=SegmentKind.TICKS):
    """A segment of ten rows, an hour each, that follow those before it."""
    rows = np.zeros(10, kind.row)
    rows["ts_event"] = (first + np.arange(10)) * HOUR
    write_segment(session / TAPE, "BTCUSDT", first, rows, kind)


def kept(session, kind=SegmentKind.TICKS):
    return [part.first for part in segments(session / TAPE, "BTCUSDT", kind)]


def test_segments_that_are_too_old_are_dropped_counted_and_told(client, session):
    path, told = of_market(session, "BTCUSDT", DECISIONS), []
    with contextlib.closing(DecisionLog(path)) as log:
        made = Uploads(
            client, session, "BTCUSDT", log, 30 * HOUR, lambda *event: told.append(event)
        )
        for first in range(0, 50, 10):
            hours(session, first)
        hours(session, 0, SegmentKind.QUOTES)  # the only one, as the market has no quotes any more
        made.closed_segments()
        assert (kept(session), kept(session, SegmentKind.QUOTES)) == ([10, 20, 30, 40], [0])
        hours(session, 50)
        made = Uploads(client, session, "BTCUSDT", log, 30 * HOUR)  # as after a restart
        made.closed_segments()
    assert kept(session) == [20, 30, 40, 50]
    ((code, text),) = told
    assert code == Code.TAPE_DROPPED
    assert text.startswith(
        "BTCUSDT: 1 of the tape's segments, older than 1.25 days, were dropped (1"
    )
    entries = read_decisions(path)
    assert [e["name"][8:20] for e in entries if e["do"] == "dropped"] == ["0" * 12, "000000000010"]
    stored = {Path(found.path).name for found in client.list_artifacts(session.name, "record/tape")}
    assert stored == {part.path.name for kind in SegmentKind for part in segments(
        session / TAPE, "BTCUSDT", kind)}  # fmt: skip


def test_a_record_whose_beginning_was_dropped_is_not_replayed_and_says_what_is_left(session):
    SessionConfig(parity=False, keep_days=1).save(session / CONFIG)
    of_market(session, "BTCUSDT", RUNS).write_text("{}")
    hours(session, 20)
    zero = {"ticks": 0, "quotes": 0}
    with contextlib.closing(DecisionLog(of_market(session, "BTCUSDT", DECISIONS))) as log:
        log.write("dropped", name="BTCUSDT-000000000000-000000000020.parquet")
        for cycle, ticks in enumerate((10, 20, 30), 1):
            log.write("cycle", cycle=cycle, watermark=zero | {"ticks": ticks}, now=0, oldest=zero,
                      oldest_ts=0, wall_ms=0, stats={})  # fmt: skip
    with pytest.raises(
        RecordError, match=r"1 of BTCUSDT's segments were .* new in cycle 3 and later"
    ):
        read_record(session)


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(1, 100))
def test_what_is_kept_reaches_back_as_far_as_it_should_and_a_tenth_more_at_most(lengths, keep):
    with tempfile.TemporaryDirectory() as folder:
        stops = np.cumsum(lengths)
        for first, stop in zip(stops - lengths, stops, strict=True):
            ticks = make_ticks(int(stop - first))
            ticks["ts_event"] = np.arange(first, stop) * 100
            write_segment(Path(folder), "X", int(first), ticks)
        every = segments(Path(folder), "X")
        old = outdated(Path(folder), "X", SegmentKind.TICKS, keep * 100)
    assert every[: len(old)] == old
    newest, first_kept = every[-1], every[len(old)]
    assert all((part.stop - 1) < newest.stop - 1 - keep for part in old)
    if first_kept != newest:  # a segment more, as they are dropped whole
        assert (first_kept.stop - 1) >= newest.stop - 1 - keep * 1.1 - 1


def test_it_is_refused_together_with_a_replay():
    with pytest.raises(ConfigError, match=r"keep_days: got 3; .* give parity false with it"):
        SessionConfig(keep_days=3)
    assert SessionConfig(keep_days=3, parity=False).keep_days == 3
