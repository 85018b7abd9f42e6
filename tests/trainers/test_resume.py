"""Resuming a session: not while its processes run, whatever the name of its folder."""

from __future__ import annotations

import subprocess
import sys

import pytest

from streaming.errors import ConfigError
from trainers.config import SessionConfig
from trainers.config.fleet import FleetConfig
from trainers.recording.decision_log import check_logs
from trainers.recording.errors import RecordError
from trainers.recording.files import CONFIG, SHARES
from trainers.session import resume
from trainers.session.fleet.__main__ import check_cluster


@pytest.fixture
def feed(tmp_path):
    """A process that looks like the feed of a session, and the session's folder."""
    session = tmp_path / "my project" / "0a1b"
    words = ["-c", "input()", "-m", "streaming.feed", str(session)]
    process = subprocess.Popen([sys.executable, *words], stdin=subprocess.PIPE)
    yield process, session
    process.kill()
    process.communicate()


def test_a_session_whose_processes_run_is_not_resumed(feed, monkeypatch):
    process, session = feed
    monkeypatch.setattr(resume, "LAST_SECONDS", 0.1)
    with pytest.raises(ConfigError, match=rf"session 0a1b runs \(process {process.pid}\)"):
        resume.wait_for_the_last(session)
    resume.wait_for_the_last(session.with_name("0a1"))  # of another session


def test_it_is_as_soon_as_they_have_ended(feed):
    process, session = feed
    process.kill()
    resume.wait_for_the_last(session)


def test_a_fleet_is_resumed_as_a_fleet_and_a_session_as_a_session(tmp_path):
    SessionConfig(cycles=3).save(tmp_path / CONFIG)
    assert resume.resumed_config(SessionConfig(), tmp_path).cycles == 0
    with pytest.raises(ConfigError, match=r"expected it from: make ARGS="):
        resume.resumed_config(FleetConfig(), tmp_path)
    (tmp_path / SHARES).write_text("[]")
    assert resume.resumed_config(FleetConfig(), tmp_path).cycles == 0
    with pytest.raises(ConfigError, match=r"expected it from: make fleet ARGS="):
        resume.resumed_config(SessionConfig(), tmp_path)


def test_its_page_is_where_it_was_unless_another_place_is_given(tmp_path):
    had = {"page_host": "localhost", "page_port": 8000, "page_names": "a.lan", "mlflow_ui_port": 0}
    SessionConfig(**had, venue_ws="ws://there").save(tmp_path / CONFIG)

    def where(**given):
        resumed = resume.resumed_config(SessionConfig(**given), tmp_path)
        return {name: getattr(resumed, name) for name in (*had, "venue_ws")}

    kept = {**had, "mlflow_ui_port": 5000, "venue_ws": "ws://there"}  # where it had none: a UI
    assert where() == kept
    assert where(page_port=9000, mlflow_ui_port=0) == {
        **kept,
        "page_port": 9000,
        "mlflow_ui_port": 0,
    }
    assert where(page_port=0, page_host="::1") == {**kept, "page_port": 0, "page_host": "::1"}


def test_a_resume_without_a_page_does_not_forget_where_it_was(tmp_path):
    SessionConfig(page_port=8000, mlflow_ui_port=6000).save(tmp_path / CONFIG)
    by_start = resume.resumed_config(SessionConfig(page_port=0, mlflow_ui_port=0), tmp_path)
    assert (by_start.page_port, by_start.mlflow_ui_port) == (0, 0)
    resume.to_record(by_start, tmp_path).save(tmp_path / CONFIG)
    later = resume.resumed_config(SessionConfig(), tmp_path)
    assert (later.page_port, later.mlflow_ui_port) == (8000, 6000)
    assert resume.to_record(by_start, tmp_path / "new") == by_start


@pytest.mark.parametrize("content", [None, b""])
def test_a_market_that_lost_its_decisions_does_not_begin_anew_on_what_is_left(tmp_path, content):
    check_logs(tmp_path)
    (tmp_path / "BTCUSDT.checkpoint.pt").write_bytes(b"learned")
    if content is not None:
        (tmp_path / "BTCUSDT.decisions.jsonl").write_bytes(content)
    with pytest.raises(RecordError, match=r"BTCUSDT\.decisions\.jsonl: expected .* restore it"):
        check_logs(tmp_path)
    (tmp_path / "BTCUSDT.decisions.jsonl").write_bytes(b'{"do":"began","format":3}\n')
    check_logs(tmp_path)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "there", ":6379", "127.0.0.1:99999999"])
def test_a_cluster_that_does_not_answer_is_refused_before_anything_starts(address):
    with pytest.raises(ConfigError, match=r"^address: got '.*', where no Ray cluster answers"):
        check_cluster(address)
