"""A page's process, forked from one that has imported all: imports are most of what a start costs.

How a page starts by itself is the matter of ``test_page_process`` and of the end-to-end tests.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver
from pathlib import Path
from unittest.mock import patch

from streaming.program.environment import ONE_THREAD
from streaming.program.process import PARENT

ROOT = Path(__file__).parents[2]
FORKS = multiprocessing.get_context("forkserver")
IMPORTED = ["ui.app", "ui.gradio_app.blocks"]


class PageFork:
    """Runs ``python -m ui.app`` with such words.

    Args:
        words: its arguments.
        env: its whole environment.
        folder: the folder that it works in.
        log: where its output is added.
    """

    def __init__(
        self, words: Sequence[str], env: Mapping[str, str], folder: Path, log: Path
    ) -> None:
        at_import = {"PYTHONPATH": str(ROOT), "GRADIO_TEMP_DIR": str(folder / "gradio")}
        at_import |= {"GRADIO_ANALYTICS_ENABLED": "False", **ONE_THREAD}
        with patch.dict(os.environ, at_import):
            FORKS.set_forkserver_preload(IMPORTED)
            forkserver.ensure_running()
        told = (list(words), dict(env), folder, log)
        self._process = FORKS.Process(target=_become_page, args=told, daemon=True)
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, negative after a signal; None while it runs."""
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> int:
        """Wait for the end; return the exit code."""
        self._process.join(seconds)
        code = self.poll()
        assert code is not None, f"the page did not end within {seconds} s"
        return code

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _become_page(words: list[str], env: dict[str, str], folder: Path, log: Path) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.environ.clear()
    os.environ.update(env)
    if PARENT in env:  # it is the session's own then, whose end is that of what forks
        os.environ[PARENT] = str(os.getppid())
    os.chdir(folder)
    sys.argv = ["ui.app", *words]
    from ui.app import main

    main()
