"""The process: one line and code 2 for a wrong setting; its socket; what it loads and sends."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest
from gradio import Blocks
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from streaming.errors import ConfigError
from tests.ui.page_world import PATIENCE, ROOT, Page, World, apart
from trainers.session.access import Passwords, check_access
from ui.app import PageProcessConfig, open_session
from ui.gradio_app.blocks import PROGRESS_SECONDS, WORK_SECONDS, slow_down_queue
from ui.server.assets import CHART_FILE, chart_folder

CHART_SHA256 = "c0992580867c4912cc9385b3c2728315bcc1a76c7f1087dca908430fccdf31d7"


def start(cwd: Path, *flags: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "ui.app", *flags],
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    return done.returncode, done.stderr


def test_port_in_use_is_one_line_and_code_2(busy: World, page: Page) -> None:
    code, error = start(busy.root, "--session", busy.run_id, "--page_port", str(page.port))
    assert (code, error.count("\n")) == (2, 1), error
    assert f"page_port: cannot listen on 127.0.0.1:{page.port}" in error


def test_page_for_others_without_a_password_is_one_line_and_code_2(busy: World) -> None:
    code, error = start(busy.root, "--session", busy.run_id, "--page_host", "0.0.0.0")
    assert (code, error.count("\n")) == (2, 1), error
    assert "page_host: got '0.0.0.0'; allowed: 127.0.0.1, ::1 or localhost, unless" in error
    with pytest.raises(ConfigError, match=r"page_host: got 'trader\.lan'; allowed"):
        check_access("trader.lan", Passwords())


def test_session_must_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigError, match=r"got '\.\./\.\./etc'; allowed: last, or"):
        PageProcessConfig(session="../../etc")
    with pytest.raises(ConfigError, match="cannot tell which is the last one"):
        open_session(tmp_path, "last")
    with pytest.raises(ConfigError, match="got 'abc'; there is no"):
        open_session(tmp_path, "abc")
    assert not (tmp_path / "mlflow.db").exists(), "looking for a session must not make a store"


def test_last_session_is_found(monkeypatch: pytest.MonkeyPatch, busy: World) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", busy.uri)
    session = open_session(busy.root, "last")
    assert session.run_id == busy.run_id
    assert list(session.markets) == ["BTCUSDT"]


def test_chart_script_is_the_one_that_was_tried() -> None:
    script = (chart_folder() / CHART_FILE).read_bytes()
    assert hashlib.sha256(script).hexdigest() == CHART_SHA256


def test_gradio_s_queue_is_polled_less() -> None:
    with Blocks() as blocks:
        pass
    blocks.queue()
    queue = blocks._queue
    assert queue.sleep_when_free < WORK_SECONDS, "Gradio polls less now: drop slow_down_queue"
    slow_down_queue(blocks)
    assert queue.sleep_when_free == WORK_SECONDS
    assert queue.progress_update_sleep_when_free == PROGRESS_SECONDS


def test_torch_is_not_loaded(page: Page) -> None:
    assert "libtorch" not in Path(f"/proc/{page.process.pid}/maps").read_text()


def test_socket_refuses_other_sites(page: Page) -> None:
    async def ask() -> None:
        address = page.address.replace("http", "ws") + "/live/ws"
        with pytest.raises(InvalidStatus, match="403"):
            await connect(address, origin="http://evil.example")

    apart(ask)


def test_viewer_costs_under_200_bytes_a_second(page: Page) -> None:
    """Counted on the wire, with frames compressed as a browser asks for."""

    async def listen() -> tuple[dict, list[int], list[dict]]:
        address = page.address.replace("http", "ws") + "/live/ws"
        async with connect(address) as socket:
            whole = json.loads(await socket.recv())
            await socket.recv()
            received, feed = 0, socket.protocol.receive_data

            def count(data: bytes) -> None:
                nonlocal received
                received += len(data)
                feed(data)

            socket.protocol.receive_data = count
            deltas, sizes = [], []
            while len(deltas) < 6:
                before = received
                # A market that is held up has no bar for a second; its bytes count all the same.
                while "rows" not in (delta := json.loads(await socket.recv())):
                    pass
                deltas.append(delta)
                sizes.append(received - before)
            return whole, sizes, deltas

    whole, sizes, deltas = apart(listen)
    # A market that was held up on a busy machine has several seconds in one message, and an alert.
    seconds = [max(1, len({row[0] for row in delta["rows"]}) - 1) for delta in deltas]
    assert median(size / n for size, n in zip(sizes, seconds, strict=True)) < 200
    assert len(whole["rows"]) == 900
    assert all(delta["rows"] for delta in deltas)
    assert all(len(delta["rows"]) <= 2 * n + 2 for delta, n in zip(deltas, seconds, strict=True))
    assert not any("cards" in delta or "symbol" in delta for delta in deltas)
