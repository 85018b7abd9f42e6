"""The main job as a process of its own, in a folder of its own, and what a test asks of it."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import psutil
import pytest
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from benchmarks.processes import plain_environment, words_of
from streaming.exchange.markets import MARKETS, SyntheticMarket, trades
from streaming.tape import write_segment
from streaming.ticks import NS_PER_S, Ticks
from tests.stores import copy_store
from trainers.recording.decision_log import cycles_ended
from trainers.recording.files import DECISIONS, of_market
from trainers.replay.__main__ import main as replay_main

ROOT = Path(__file__).parents[2]
PATIENCE = 180.0
T = TypeVar("T")


def apart(work: Callable[..., T], *args: Any) -> T:
    """Return ``work(*args)`` of a thread: Playwright's other tests keep a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work, *args).result()


def wait_for(found: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """Return ``found()`` once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.1)
    return value


def answers(url: str) -> bool:
    """Whether a server answers there, and not with an error."""
    try:
        urllib.request.urlopen(url, timeout=2).close()
    except OSError:
        return False
    return True


def market_ticks(
    seconds: int, seed: int = 0, market: SyntheticMarket = MARKETS["default"]
) -> Ticks:
    """Return so many seconds of a market."""
    chunks = trades(market, seed, "BTCUSDT", 1_704_067_200 * NS_PER_S)
    return np.concatenate([next(chunks) for _ in range(seconds)])


def write_tape(folder: Path, ticks: Ticks, symbol: str = "BTCUSDT") -> Path:
    folder.mkdir()
    return write_segment(folder, symbol, 0, ticks)


def _works(process: psutil.Process) -> bool:
    """Whether a process is there, and not just nobody's dead child."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def end_registering(folder: Path) -> None:
    """End what registers a stopped session's models: it outlives the session, by its design.

    An export takes several seconds of CPU, for a result that only its own test looks at.
    """
    for process in psutil.process_iter():
        words = words_of(process)
        if "trainers.promotion.at_end" in words:
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == folder:
                    process.kill()


def replayed(
    folder: Path, *flags: str, environment: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run ``trainers.replay`` in this process; return its code and what it said on either side.

    A process of its own would import for longer than it replays.
    """
    out, err = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
            patch.delenv(name)
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["replay", *flags])
        patch.chdir(folder)
        try:
            replay_main()
        except SystemExit as ended:
            code = int(ended.code or 0)
    root.handlers[:] = handlers  # it logs in its own way
    root.setLevel(level)
    return code, out.getvalue(), err.getvalue()


@contextlib.contextmanager
def page_of_the_last(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run the page of a folder's newest session, in a process of its own, until the end."""
    page = subprocess.Popen(
        [sys.executable, "-m", "ui.app", "--session", "last", "--page_port", str(port)],
        cwd=folder,
        env=plain_environment(),
    )
    try:
        address = f"http://127.0.0.1:{port}/live/page.js"
        wait_for(lambda: page.poll() is not None or answers(address), "the page")
        assert page.poll() is None, "the page has ended"
        yield page
    finally:
        page.kill()
        page.wait()


class MainJob:
    """``python -m trainers.session`` with some settings; ended at the end of the ``with``.

    With it ends what registers its models, and nothing of it goes on beside the next test.

    Args:
        folder: to run in.
        argv: flags as they are.
        module: the program.
        store: the address of another store than the folder's own.
        environment: additions to the environment.
        settings: flags by name.
    """

    def __init__(
        self,
        folder: Path,
        *argv: str,
        module: str = "trainers.session",
        store: str = "",
        environment: Mapping[str, str] | None = None,
        **settings: Any,
    ) -> None:
        self.folder, self.store = folder, store
        self._environment = plain_environment() | dict(environment or {})
        if store:
            self._environment["MLFLOW_TRACKING_URI"] = store
        defaults = {"page_port": 0, "mlflow_ui_port": 0}
        flags = [word for name, value in {**defaults, **settings}.items()
                 for word in (f"--{name}", str(value))]  # fmt: skip
        self.argv = [sys.executable, "-m", module, *argv, *flags]

    def __enter__(self) -> MainJob:
        if not self.store and not (self.folder / "mlflow.db").exists():
            copy_store(self.folder)
        self.process = subprocess.Popen(
            self.argv,
            cwd=self.folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            for process in self.processes():
                process.kill()
        self.process.wait()
        end_registering(self.folder)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.store or f"sqlite:///{self.folder / 'mlflow.db'}")

    def processes(self) -> list[psutil.Process]:
        """Return the session's process and all it started."""
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]

    def finish(self, seconds: float = PATIENCE) -> str:
        """Wait for the end; return what was printed."""
        out, _ = self.process.communicate(timeout=seconds)
        return out

    def interrupt(self) -> tuple[str, list[psutil.Process]]:
        """Press Ctrl-C; return the output, and who is still alive after the end."""
        before = self.processes()
        self.process.send_signal(signal.SIGINT)
        out = self.finish()
        return out, [process for process in before if _works(process)]

    def session_folder(self) -> Path:
        """Return the session's folder, once it is there."""
        sessions = self.folder / "mlruns" / "sessions"
        found = wait_for(lambda: list(sessions.glob("*/config.json")), "the session's folder")
        return found[0].parent

    def cycles(self) -> int:
        """Return how many cycles have ended."""
        return cycles_ended(of_market(self.session_folder(), "BTCUSDT", DECISIONS))

    def runs(self) -> dict[str, Run]:
        """Return the session's runs: its own as ``session``, the others by learner."""
        self.session_folder()  # before it is there the store may be in the making
        client = self.client
        experiments = [e.experiment_id for e in client.search_experiments()]
        found = client.search_runs(experiments, "tags.session != ''")
        ours = [run for run in found if "replay_of" not in run.data.tags]
        return {run.data.tags.get("learner", "session"): run for run in ours}
