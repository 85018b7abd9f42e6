"""The tape's segments are in the store, each once, as soon as they are complete."""

from __future__ import annotations

import contextlib
import os
import time

import pytest

from streaming.tape import write_segment
from streaming.ticks import make_ticks
from trainers.recording.decision_log import DecisionLog, read_decisions
from trainers.recording.files import DECISIONS, TAPE, of_market
from trainers.tracking import uploads
from trainers.tracking.uploads import Uploads


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
