"""Resumes a session that has ended, from a page that was started without it.

The page of a running session is the session's child and ends with it. With ``mlflow run . -e page``
it is the other way round: the resumed session is the page's child, and Ctrl-C ends both. A session
outlives a page that is killed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

LOG = "started.log"
LAUNCHED = "MLFLOW_RUN_ID"


class SessionStarter:
    """Resumes one session.

    Args:
        session: the session's folder.
    """

    def __init__(self, session: Path) -> None:
        self._session = session
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the session's process, unless it runs already."""
        if self._process is not None and self._process.poll() is None:
            return
        flags = ["--resume", self._session.name, "--page_port", "0", "--mlflow_ui_port", "0"]
        with (self._session / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "trainers.session", *flags],
                stdout=log,
                stderr=log,
                # The run that `mlflow run` has made for the page is not the session's.
                env={name: value for name, value in os.environ.items() if name != LAUNCHED},
                start_new_session=True,
            )

    @property
    def failed(self) -> str:
        """Why the session could not be resumed; empty if it was, or if nobody asked."""
        if self._process is None or self._process.poll() in (None, 0):
            return ""
        lines = (self._session / LOG).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with code {self._process.returncode}"

    def end(self) -> None:
        """End the started process as Ctrl-C would; it ends its own children."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # does nothing if it has ended
