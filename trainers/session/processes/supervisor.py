"""Keeps the processes of a session alive, and ends them together.

Each child has a process group of its own, so that Ctrl-C reaches only the session, which then ends
its children. A child that dies is started again after a backoff, and an event says so. The session
ends when the trainer is done, when a child reports a wrong setting (exit code 2), or when a child
keeps failing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from streaming.events import Code, EventWriter
from streaming.program.console import say
from streaming.program.process import PARENT
from trainers.session.processes.restarts import GAVE_UP, MOST_FAILURES, Restarts, how_it_ended

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 2.5  # from SIGTERM to SIGKILL: a session ends within 5 s
KILLED_SECONDS = 5.0  # from SIGKILL to the process's end: freeing its memory takes a moment


class Child:
    """A child process that can be started again.

    Args:
        name: the name in events.
        argv: the arguments after the Python interpreter.
        env: additions to the environment.
        patience: time from SIGTERM to SIGKILL, s.
        log: the file for its output; None leaves it on the session's own.

    Attributes:
        argv: its whole command line.
        restarts: its backoff.
        process: the running process, or one that has ended; None before a start.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        env: dict[str, str] | None = None,
        patience: float = PATIENCE_SECONDS,
        log: Path | None = None,
    ) -> None:
        self.name, self.patience = name, patience
        self._log = log
        self.argv = [sys.executable, *argv]
        self._env = {**os.environ, **(env or {}), PARENT: str(os.getpid())}
        self.restarts = Restarts()
        self.process: subprocess.Popen[bytes] | None = None
        self._own_children: list[psutil.Process] = []

    def start(self) -> None:
        """Start the process."""
        self.restarts.started()
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(self._log.open("ab")) if self._log else None
            self.process = subprocess.Popen(
                self.argv, env=self._env, stdout=out, stderr=out, start_new_session=True
            )

    def ended(self) -> int | None:
        """Return the exit code, negative after a signal; None if the process has not ended."""
        return self.process.poll() if self.process is not None else None

    def restart_later(self) -> float:
        """Forget the dead process; return the seconds until ``restart_if_due`` starts a new one."""
        self.process = None
        return self.restarts.later()

    def restart_if_due(self) -> None:
        """Start the process again once its backoff is over."""
        if self.process is None and self.restarts.due:
            self.start()

    def signal(self, number: int) -> None:
        """Send a signal to the process and its own children."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Kill the process and its own children."""
        if self.ended() is None and self.process is not None:
            with contextlib.suppress(psutil.Error):
                self._own_children = psutil.Process(self.process.pid).children(recursive=True)
        self.signal(signal.SIGKILL)

    def wait(self) -> None:
        """Wait for the end of what was killed, for ``KILLED_SECONDS`` at most."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(KILLED_SECONDS)
            psutil.wait_procs(self._own_children, KILLED_SECONDS)


class Supervisor:
    """Runs the child processes of one session.

    Args:
        session: the session's folder.
        children: the children in the order in which to start them; when the one named ``trainer``
            exits with code 0, the session ends.

    Attributes:
        stopped: whether ``stop`` was called.
    """

    def __init__(self, session: Path, children: Sequence[Child]) -> None:
        self._children = children
        self._events = EventWriter(session, "supervisor")
        self.stopped = False

    def stop(self) -> None:
        """End the session soon; safe to call from a signal handler."""
        self.stopped = True

    def run(self, on_tick: Callable[[], None]) -> int:
        """Run until the session ends or ``stop`` is called; return the session's exit code.

        Args:
            on_tick: called about ten times a second.
        """
        try:
            for child in self._children:
                child.start()
            while not self.stopped:
                on_tick()
                for child in self._children:
                    code = self._look_after(child)
                    if code is not None:
                        return code
                time.sleep(POLL_SECONDS)
            return 0
        finally:
            self._end()

    def _look_after(self, child: Child) -> int | None:
        """Restart a child that died; return the session's exit code if it has to end."""
        code = child.ended()
        if code is None:
            child.restart_if_due()
            return None
        if code == GAVE_UP:
            return 1  # the child has printed the reason
        if code == 2 or (code == 0 and child.name == "trainer"):
            return code
        if code == 0:
            return None  # the child's work is done, as when a tape was played to its end
        if child.restarts.hopeless(code):
            self._say(
                Code.PROCESS_FAILED,
                f"the {child.name} failed {MOST_FAILURES} times in a row; the session ends",
            )
            return 1
        delay = child.restart_later()
        self._say(
            Code.PROCESS_RESTARTED,
            f"the {child.name} ended ({how_it_ended(code)}); starting it again in {delay:.1f} s",
        )
        return None

    def _end(self) -> None:
        """End all children: SIGTERM first, SIGKILL after their patience."""
        for child in self._children:
            child.signal(signal.SIGTERM)
        started = time.monotonic()
        waiting = [child for child in self._children if child.process is not None]
        while waiting:
            time.sleep(0.02)
            for child in list(waiting):
                if child.ended() is not None or time.monotonic() - started >= child.patience:
                    child.kill()
                    waiting.remove(child)
        for child in self._children:
            child.wait()  # files stay locked until those who have them are gone
        self._events.close()

    def _say(self, code: Code, text: str) -> None:
        self._events.say(code, text, time.time_ns())
        say(text)
