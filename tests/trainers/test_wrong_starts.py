"""Whatever is asked of a program that is not there: one line, exit code 2, nothing begun."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from pathlib import Path

import pytest

from streaming.program import interrupt
from streaming.program.entry_point import entry_point
from streaming.program.process import end_signals
from tests.stores import copy_store
from tests.streaming.tape.samples import csv, row

# The programs of people, with an option that names something and is not there; and those of a
# session, which are given its folder.
NAMED = {
    "trainers.replay.__main__": ["--session"],
    "tickloop.export.__main__": ["--session"],
    "ui.app": ["--session"],
    "trainers.promotion.__main__": ["--model"],
    "trainers.promotion.at_end": ["--session"],
    "trainers.session.__main__": ["--page_port", "0", "--mlflow_ui_port", "0", "--resume"],
    "trainers.research.backtest": ["--source", "tape:good.csv", "--symbols", "GOOD", "--cuts"],
    "trainers.research.tune": ["--source", "tape:good.csv", "--symbols", "GOOD", "--resume"],
    "trainers.research.pretraining.__main__": ["--tapes"],
}
PARTS = {
    "streaming.exchange.__main__": [],
    "streaming.feed.__main__": [],
    "trainers.session.trainer.__main__": [],
    "trainers.session.processes.launcher": [],
    "trainers.session.fleet.head": [],
    "trainers.promotion.candidate": [],
}
PROGRAMS = {**NAMED, **PARTS, "trainers.session.fleet.node.shard": []}
NOWHERE = ["nope", "a b", "a\nb", "/etc/passwd", "\udcff", "0" * 32]


@pytest.fixture
def start(monkeypatch, tmp_path, capsys):
    """Call a program's ``main`` in a folder with an empty store."""
    copy_store(tmp_path)
    (tmp_path / "good.csv").write_text(csv(*(row(i) for i in range(9))))
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in end_signals()}

    def run(program: str, *words: str) -> tuple[object, str]:
        monkeypatch.setattr(sys, "argv", [program, *words])
        with pytest.raises(SystemExit) as e:
            importlib.import_module(program).main()
        return e.value.code, capsys.readouterr().err

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def refused(answer: tuple[object, str]) -> None:
    code, said = answer
    assert code == 2, said
    assert said.count("\n") == 1, said


@pytest.mark.parametrize("program", NAMED)
def test_what_is_not_there_is_one_line_and_nothing_begins(start, tmp_path, program) -> None:
    for name in NOWHERE:
        refused(start(program, *NAMED[program], name))
    assert not list(tmp_path.glob("mlruns/*/*"))
    assert not list(tmp_path.glob("exports/*"))


@pytest.mark.parametrize(
    ("program", "words"),
    {
        "trainers.session.__main__": ["--page_port", "0", "--mlflow_ui_port", "0"],
        "trainers.research.backtest": ["--source", "tape:good.csv", "--symbols", "GOOD"],
    }.items(),
)
def test_a_start_that_is_not_there_is_one_line_and_nothing_begins(start, tmp_path, program, words):
    for name in NOWHERE:
        refused(answer := start(program, *words, "--cnn_start", name))
        assert "cnn_start: " in answer[1]
    assert not list(tmp_path.glob("mlruns/*/*"))


@pytest.mark.parametrize("program", PARTS)
def test_a_folder_without_a_session_is_one_line(start, tmp_path, program) -> None:
    (tmp_path / "dir").mkdir()
    for name in [*NOWHERE, "dir", "good.csv"]:
        refused(start(program, name, *PARTS[program]))


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("words", [["--no_such", "1"], ["--session"], ["--a\nb"], ["x", "y", "z"]])
def test_a_word_that_is_none_is_one_line(start, program, words) -> None:
    refused(start(program, *words))


@pytest.mark.parametrize("setting", ["model", "symbol", "source"])
def test_a_setting_that_is_no_text_is_one_line(start, setting: str) -> None:
    refused(start("trainers.promotion.__main__", f"--{setting}", "\udcff"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_program_with_one_line_and_its_code(capsys, start, number) -> None:
    @entry_point("it")
    def main() -> None:
        interrupt.install()
        os.kill(os.getpid(), number)
        signal.pause()

    with pytest.raises(SystemExit) as e:
        main()
    assert (e.value.code, capsys.readouterr().err) == (128 + number, "it: stopped\n")


STORES = [
    "sqlite:///junk", "sqlite:///dir", "sqlite://", "http://127.0.0.1:1", "http://[::1",
    "http://h:99999", "postgresql://u:secret@127.0.0.1:1/x", "postgresql://u:secret@h:port/x",
    "databricks", "\udcff",
]  # fmt: skip


@pytest.mark.parametrize("uri", STORES)
def test_a_store_that_is_none_is_one_line(start, tmp_path: Path, monkeypatch, uri: str) -> None:
    (tmp_path / "junk").write_bytes(b"no database " * 400)
    (tmp_path / "dir").mkdir()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    for program in ("trainers.replay.__main__", "tickloop.export.__main__",
                    "trainers.promotion.__main__", "ui.app"):  # fmt: skip
        code, said = start(program)
        refused((code, said))
        assert "secret" not in said
