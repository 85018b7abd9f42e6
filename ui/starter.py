"""Has a session that has ended go on, for the page that shows it (``mlflow run . -e page``).

The page of a running session is a child of it and ends with it; this one stands by itself, and the
session that it starts is its child: ended with it by Ctrl-C. It outlives a page that is killed.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

LOG = "started.log"


class Starter:
    """Of one session.

    Args:
        session: its folder.
    """

    def __init__(self, session: Path) -> None:
        self._session = session
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the session's process, unless it is about to begin."""
        if self._process is not None and self._process.poll() is None:
            return
        flags = ["--resume", self._session.name, "--page_port", "0", "--mlflow_ui_port", "0"]
        with (self._session / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainers.session", *flags],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def failed(self) -> str:
        """Why the session could not go on; nothing if it could, or was not started."""
        if self._process is None or self._process.poll() in (None, 0):
            return ""
        said = (self._session / LOG).read_text(errors="replace").strip().splitlines()
        return said[-1] if said else f"it ended with code {self._process.returncode}"

    def end(self) -> None:
        """Have what was started end, as by Ctrl-C; it takes care of its own."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # to nobody, if it has ended
