"""What a session was made with: whatever the machine has, it stops no session."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from trainers.config import SessionConfig
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.runs.provenance import commit_of, installed, provenance, uncommitted


@pytest.fixture
def project(tmp_path):
    """A git repository with one file."""

    def git(*words):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True)

    git("init")
    (tmp_path / "notes.txt").write_text("# notes\n")
    git("add", ".")
    git("commit", "-m", "first")
    return tmp_path


def test_a_change_in_latin_1_is_in_the_record(project, client):
    with (project / "notes.txt").open("ab") as file:
        file.write(b"na\xefve caf\xe9 \x80\n")
    assert "+na\ufffdve caf\ufffd \ufffd" in uncommitted(project)
    session = start_session(client, SessionConfig(), project)
    assert client.get_run(session).data.tags["git.dirty"] == "true"
    names = {item.path for item in client.list_artifacts(session, "record")}
    assert names == {"record/git.diff", "record/installed.txt"}


def test_without_git_there_is_no_commit(project, tmp_path, monkeypatch):
    assert len(commit_of(project)) == 40
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (commit_of(project), uncommitted(project)) == (None, None)
    assert "version.python" in provenance(project)


def test_a_package_without_name_or_version_is_left_out(tmp_path, monkeypatch):
    for name, content in [("~umpy-1.0", ""), ("half-1.0", "Name: half\n"), ("empty-2.0", None)]:
        (tmp_path / f"{name}.dist-info").mkdir()
        if content is not None:
            (tmp_path / f"{name}.dist-info" / "METADATA").write_text(content)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert "mlflow==" in installed()
    assert "half" not in installed()
    assert "version.mlflow" in provenance(tmp_path)


def test_a_store_that_takes_no_artifacts_is_one_line_each_and_stops_no_session(
    root, client, monkeypatch, capsys
):
    def refuse(*_):
        raise RuntimeError("Unable to locate credentials\nand more")

    monkeypatch.setattr(client, "log_text", refuse)
    session = start_session(client, SessionConfig(), root)
    assert client.get_run(session).info.status == "RUNNING"
    said = capsys.readouterr().err.splitlines()
    assert said[0] == ("record/installed.txt could not be stored: Unable to locate credentials")
    assert all(line.startswith("record/") for line in said)


def test_a_package_that_cannot_be_asked_stops_nothing(monkeypatch):
    nameless = SimpleNamespace(metadata={"Name": None, "Version": None})
    monkeypatch.setattr("importlib.metadata.distributions", lambda: [nameless])
    assert installed() == ""
