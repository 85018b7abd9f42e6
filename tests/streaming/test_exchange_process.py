"""The exchange as a process of its own: starts, ends, and what it says if it cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from streaming.config import StreamConfig
from streaming.exchange import __main__ as exchange_main
from streaming.program.process import PARENT
from tests.ports import free_port

COMMAND = [sys.executable, "-m", "streaming.exchange"]
TIMEOUT_S = 60


@pytest.fixture
def port() -> int:
    return free_port()


def session(folder: Path, port: int, **settings: str) -> Path:
    config = StreamConfig(venue_ws=f"ws://127.0.0.1:{port}", backfill_seconds=60, **settings)
    config.save(folder / "config.json")
    return folder


def wait_until_up(port: int) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            opener.open(f"http://127.0.0.1:{port}/api/v3/ping", timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.mark.parametrize(
    "number, in_session, code",
    [(signal.SIGTERM, False, 0), (signal.SIGINT, False, 0), (signal.SIGTERM, True, 143)],
)
def test_a_signal_ends_it_cleanly_and_a_session_is_told_so(
    tmp_path: Path, port: int, number: int, in_session: bool, code: int
) -> None:
    environ = {**os.environ, PARENT: str(os.getpid())} if in_session else None
    process = subprocess.Popen(
        [*COMMAND, session(tmp_path, port)], stderr=subprocess.PIPE, env=environ
    )
    try:
        wait_until_up(port)
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == code
        assert process.stderr is not None
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()


def test_what_cannot_be_started_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_main, "end_with_parent", lambda: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        cases = [
            ((), "usage"),
            (("--help",), "usage"),
            ((tmp_path / "nowhere",), "config.json"),
            ((session(tmp_path, port),), "in use"),
            ((session(_made(tmp_path / "a"), port, source="sim:moon"),), "source"),
            ((session(_made(tmp_path / "b"), port, source="tape:/none.csv"),), "/none.csv"),
        ]
        for arguments, says in cases:
            monkeypatch.setattr(sys, "argv", ["exchange", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                exchange_main.main()
            out, err = capsys.readouterr()
            assert (ended.value.code, out) == (2, ""), err
            assert says in err
            assert err.count("\n") == 1


def test_its_exit_code_is_that_of_the_process() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("exchange: usage")
    assert done.stderr.count("\n") == 1


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
