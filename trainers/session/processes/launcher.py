"""Starts the session's trainer as a fork of a process that has imported everything already.

    python -m trainers.session.processes.launcher SESSION_FOLDER

    session ── launcher: imports torch, Lightning, MLflow ── trainer ── trainer, again

Imports take longer than anything else a trainer does before its first forecast. The launcher does
them once, so that a trainer that was killed is back within a second or two. The launcher has one
thread and keeps no file or socket open, so that a fork of it is as good as a new process.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from setproctitle import setproctitle

from streaming.console import say
from streaming.entry_point import entry_point
from streaming.errors import RingError
from streaming.events import Code, EventWriter
from streaming.process import PARENT, end_signals, on_end
from trainers.session.processes.restarts import GAVE_UP, MOST_FAILURES, Restarts, how_it_ended

POLL_SECONDS = 0.05
TRAINER = "trainers.session.trainer"

# The modules that a trainer imports, directly or when it makes its learners.
PRELOADED = (
    f"{TRAINER}.__main__",
    "trainers.learners.cnn.learner",
    "trainers.learners.dqn.learner",
    "trainers.learners.baselines.logistic",
    "trainers.learners.baselines.naive",
    "trainers.learners.baselines.permuted_labels",
)


class Launcher:
    """Keeps one training process alive.

    Args:
        session: the session's folder.
        become_trainer: called in the fork with the folder and the launcher's process id; it must
            not return.
    """

    def __init__(self, session: Path, become_trainer: Callable[[Path, int], NoReturn]) -> None:
        self._session, self._become_trainer = session, become_trainer
        self._parent = int(os.environ.get(PARENT) or os.getppid())
        self._restarts = Restarts()
        self._pid = 0
        self._stopping = False

    def stop(self, number: int, _frame: FrameType | None) -> None:
        """Pass a signal on to the trainer; the launcher ends after it. A signal handler."""
        self._stopping = True
        if self._pid:
            os.kill(self._pid, number)

    def run(self) -> int:
        """Run until the trainer is done or has failed too often; return the exit code."""
        on_end(self.stop)
        while os.getppid() == self._parent or self._pid:
            if not self._pid:
                if self._stopping:
                    return 0
                if self._restarts.due:
                    self._start()
            elif (code := self._ended()) is not None:
                self._pid = 0
                if code in (0, 2) or self._stopping:
                    return max(code, 0)
                if self._restarts.hopeless(code):
                    self._say(Code.PROCESS_FAILED, f"the trainer failed {MOST_FAILURES} times in a"
                              " row; the session ends")  # fmt: skip
                    return GAVE_UP
                delay = self._restarts.later()
                self._say(
                    Code.PROCESS_RESTARTED,
                    f"the trainer ended ({how_it_ended(code)}); starting it again in {delay:.1f} s",
                )
            elif os.getppid() != self._parent and not self._stopping:
                self.stop(signal.SIGTERM, None)
            time.sleep(POLL_SECONDS)
        return 0

    def _start(self) -> None:
        self._restarts.started()
        launcher = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            for number in end_signals():
                signal.signal(number, signal.SIG_DFL)
            self._become_trainer(self._session, launcher)

    def _ended(self) -> int | None:
        """Return the trainer's exit code, negative after a signal; None while it runs."""
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if pid else None

    def _say(self, code: Code, text: str) -> None:
        say(text)
        with contextlib.suppress(RingError, OSError):  # a full disk, which the trainer waits for
            events = EventWriter(self._session, "launcher")
            events.say(code, text, time.time_ns())
            events.close()


def _become_trainer(session: Path, launcher: int) -> NoReturn:
    """Run the trainer in this process, then exit."""
    code = 1
    try:
        os.environ[PARENT] = str(launcher)
        sys.argv = [TRAINER, str(session)]
        setproctitle(f"{sys.executable} -m {TRAINER} {session}")
        importlib.import_module(f"{TRAINER}.__main__").main()
        code = 0
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 1
    except BaseException:  # noqa: BLE001  (a fork must not go on as the launcher)
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in filter(None, (sys.stdout, sys.stderr)):  # None if it was closed
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


@entry_point("launcher")
def main() -> int:
    """Run as a process of a session."""
    for module in PRELOADED:
        importlib.import_module(module)
    importlib.import_module("trainers.learners.determinism").deterministic()
    gc.freeze()  # what was imported stays one copy for all forks
    return Launcher(Path(sys.argv[1]), _become_trainer).run()


if __name__ == "__main__":
    main()
