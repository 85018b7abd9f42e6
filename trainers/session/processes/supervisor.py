"""Keeps the processes of a session alive, and ends them together.

Each process is one child in a process group of its own, so that Ctrl-C reaches the session
alone, which then ends them in order. A child that dies is started again after a backoff, and
that is an event. The session ends when the trainer is done, when a child says that a setting is
wrong (code 2), or when one fails by itself again and again.
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

from streaming.events import Code, EventWriter
from streaming.process import PARENT
from trainers.session.processes.restarts import GAVE_UP, MOST_FAILURES, Restarts, how_it_ended

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 2.5  # from SIGTERM to SIGKILL: a session ends within 5 s
KILLED_SECONDS = 5.0  # from SIGKILL to its being gone: some 100 MB take a moment


class Child:
    """One process and how to start it again.

    Args:
        name: for the events.
        argv: arguments after the Python interpreter.
        env: additions to the environment.
        patience: seconds it is given to end by itself.
        log: where its output goes; None lets it speak to the person who started the session.
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
        self._argv = [sys.executable, *argv]
        self._env = {**os.environ, **(env or {}), PARENT: str(os.getpid())}
        self.restarts = Restarts()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process."""
        self.restarts.started()
        with contextlib.ExitStack() as stack:
            out = stack.enter_context(self._log.open("ab")) if self._log else None
            self.process = subprocess.Popen(
                self._argv, env=self._env, stdout=out, stderr=out, start_new_session=True
            )

    def ended(self) -> int | None:
        """Return the exit code if the process has ended; negative after a signal."""
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
        """Send a signal to the process and those it started."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def wait(self) -> None:
        """Wait for the end of a process that was told to end."""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(KILLED_SECONDS)


class Supervisor:
    """The children of one session.

    Args:
        session: the session's folder.
        children: in the order to start them; the end of the one named ``trainer`` is the end.

    Attributes:
        stopped: the end was asked for.
    """

    def __init__(self, session: Path, children: Sequence[Child]) -> None:
        self._children = children
        self._events = EventWriter(session, "supervisor")
        self.stopped = False

    def stop(self) -> None:
        """Ask for the end of the session."""
        self.stopped = True

    def run(self, on_tick: Callable[[], None]) -> int:
        """Run until the trainer ends or ``stop`` is called; return the exit code.

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
        """Restart a child that died; return the exit code if that is the session's end."""
        code = child.ended()
        if code is None:
            child.restart_if_due()
            return None
        if code == GAVE_UP:
            return 1  # it has said why
        if code == 2 or (code == 0 and child.name == "trainer"):
            return code
        if code == 0:
            return None  # its work is done: the tape was played to its end
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
        """End every child: first with SIGTERM, at last with SIGKILL."""
        for child in self._children:
            child.signal(signal.SIGTERM)
        started = time.monotonic()
        waiting = [child for child in self._children if child.process is not None]
        while waiting:
            time.sleep(0.02)
            for child in list(waiting):
                if child.ended() is not None or time.monotonic() - started >= child.patience:
                    child.signal(signal.SIGKILL)  # also what it started itself
                    waiting.remove(child)
        for child in self._children:
            child.wait()  # until one that was killed is gone, its files are locked
        self._events.close()

    def _say(self, code: Code, text: str) -> None:
        self._events.say(code, text, time.time_ns())
        print(text, flush=True)  # noqa: T201  (what the person who started the session reads)
