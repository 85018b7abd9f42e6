"""A server of somebody else's, run beside this process and ended with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streaming.errors import ConfigError, ProgramError

START_SECONDS = 60.0
STOP_SECONDS = 60.0  # a checkpoint on a slow disk takes as long as it takes
POLL_SECONDS = 0.1
TAIL_CHARS = 300


class Program:
    """One server.

    Args:
        name: what errors call it.
        argv: its command line, which everybody on this machine can read.
        log: the file for what it says.
        environment: additions to the environment, which only this user can read.
    """

    def __init__(
        self, name: str, argv: Sequence[str], log: Path, environment: Mapping[str, str]
    ) -> None:
        self.name, self._argv, self._log = name, argv, log
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of its process."""
        assert self._process is not None
        return self._process.pid

    def start(self, answers: Callable[[], bool]) -> None:
        """Start it and wait until it answers.

        Raises:
            ProgramError: if it ends, or does not answer in ``START_SECONDS``.
        """
        with self._log.open("ab") as log:
            # A session of its own: Ctrl-C reaches us alone, and we end the servers in order.
            self._process = subprocess.Popen(
                self._argv,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                self.stop()
                raise ProgramError(
                    f"{self.name} does not answer after {START_SECONDS:.0f} s; see {self._log}"
                )
            time.sleep(POLL_SECONDS)
        self.check()  # it was another's server that answered, if ours could not have the port

    def check(self) -> None:
        """Check that it runs.

        Raises:
            ProgramError: if it has ended; with the end of its log.
        """
        if self._process is None or self._process.poll() is None:
            return
        said = self._log.read_text(errors="replace").strip()[-TAIL_CHARS:]
        last = said.rpartition("\n")[2]
        raise ProgramError(
            f"{self.name} has ended with code {self._process.returncode} ({last}); see {self._log}"
        )

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it by a signal, and kill it if it has not ended after ``STOP_SECONDS``."""
        if self._process is None:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def bound_to_us(argv: Sequence[str], user: str = "") -> list[str]:
    """Return a command line that ends when this process is gone.

    Args:
        argv: the command line.
        user: the user as whom it runs, if that is not this one.
    """
    words = [found("setpriv", "util-linux"), f"--pdeathsig={signal.SIGINT.name[3:]}"]
    if user:
        words += [f"--reuid={user}", f"--regid={user}", "--init-groups"]
    return [*words, "--", *argv]


def found(name: str, package: str) -> str:
    """Return the path of a program of this environment or machine.

    Raises:
        ConfigError: if there is none; the text names the package that brings it.
    """
    path = shutil.which(name, path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if path is None:
        raise ConfigError(f"{name} is not installed; expected that of the package {package}")
    return path
