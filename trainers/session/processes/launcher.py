"""Starts the session's trainers as forks of a process that has imported everything already.

    python -m trainers.session.processes.launcher SESSION_FOLDER [--markets SYMBOL,...]

    session ── launcher: imports torch, Lightning, MLflow ─┬─ trainer ── trainer, again
                                                           └─ trainer of other markets

Imports take longer than anything else a trainer does before its first forecast. The launcher does
them once, so that a trainer that was killed is back within a second or two. The launcher has one
thread and keeps no file or socket open, so that a fork of it is as good as a new process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from streaming.errors import RingError
from streaming.events import Code, EventWriter
from streaming.program.console import Parser, say
from streaming.program.entry_point import entry_point, import_all
from streaming.program.process import PARENT, end_signals, on_end
from trainers.config import SessionConfig
from trainers.recording.files import CONFIG
from trainers.session.processes.fork import exit_after, run_program
from trainers.session.processes.programs import TRAINER
from trainers.session.processes.restarts import GAVE_UP, MOST_FAILURES, Restarts, how_it_ended
from trainers.session.processes.shards import shares_of

POLL_SECONDS = 0.05

# The modules that a trainer imports, directly or when it makes its learners.
PRELOADED = (
    f"{TRAINER}.__main__",
    "trainers.learners.cnn.learner",
    "trainers.learners.dqn.learner",
    "trainers.learners.baselines.logistic",
    "trainers.learners.baselines.naive",
    "trainers.learners.baselines.permuted_labels",
)


class Fork:
    """One of the trainers: a process that is forked again if it dies.

    Args:
        name: the name in events.
        markets: the markets that it trains.

    Attributes:
        restarts: its backoff.
        pid: its process id; 0 while there is no process.
        done: whether it has nothing left to do.
    """

    def __init__(self, name: str, markets: Sequence[str]) -> None:
        self.name, self.markets = name, markets
        self.restarts = Restarts()
        self.pid = 0
        self.done = False

    def ended(self) -> int | None:
        """Return the exit code, negative after a signal; None while it runs or was not started."""
        if not self.pid:
            return None
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if not pid:
            return None
        self.pid = 0
        return os.waitstatus_to_exitcode(status)


class Launcher:
    """Keeps the training processes of a session alive.

    Args:
        session: the session's folder.
        shares: the markets of each training process.
        become_trainer: called in the fork with the folder, the launcher's process id and the
            markets; it must not return.
    """

    def __init__(
        self,
        session: Path,
        shares: Sequence[Sequence[str]],
        become_trainer: Callable[[Path, int, Sequence[str]], NoReturn],
    ) -> None:
        self._session, self._become_trainer = session, become_trainer
        self._parent = int(os.environ.get(PARENT) or os.getppid())
        names = ["the trainer"] if len(shares) == 1 else [
            f"trainer {i} of {len(shares)}" for i in range(1, len(shares) + 1)
        ]  # fmt: skip
        self._forks = [Fork(name, share) for name, share in zip(names, shares, strict=True)]
        self._stopping = False
        self._code = 0

    def stop(self, number: int, _frame: FrameType | None) -> None:
        """Pass a signal on to the trainers; the launcher ends after them. A signal handler."""
        self._stopping = True
        for fork in self._forks:
            if fork.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(fork.pid, number)

    def run(self) -> int:
        """Run until all trainers are done or one has failed too often; return the exit code."""
        on_end(self.stop)
        while any(fork.pid for fork in self._forks) or not (self._stopping or self._are_done):
            if os.getppid() != self._parent and not self._stopping:
                self.stop(signal.SIGTERM, None)
            for fork in self._forks:
                if (code := fork.ended()) is not None:
                    self._has_ended(fork, code)
                elif not (fork.pid or fork.done or self._stopping) and fork.restarts.due:
                    self._start(fork)
            time.sleep(POLL_SECONDS)
        return self._code

    @property
    def _are_done(self) -> bool:
        return all(fork.done for fork in self._forks)

    def _start(self, fork: Fork) -> None:
        fork.restarts.started()
        launcher, ends = os.getpid(), end_signals()
        # Held back, or one that comes now would be passed on to a fork that is not known yet, or
        # be handled in the fork.
        signal.pthread_sigmask(signal.SIG_BLOCK, ends)
        if self._stopping:  # one came just before: nothing is forked after it
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
            return
        fork.pid = os.fork()
        if fork.pid == 0:
            for number in ends:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
        if fork.pid == 0:
            self._become_trainer(self._session, launcher, fork.markets)

    def _has_ended(self, fork: Fork, code: int) -> None:
        """Fork a trainer that died again; end the others if that is hopeless."""
        if self._stopping:
            self._code = max(self._code, code)
        elif code == 0:
            fork.done = True
        elif code == 2:
            self._give_up(code)
        elif fork.restarts.hopeless(code):
            self._say(
                Code.PROCESS_FAILED,
                f"{fork.name} failed {MOST_FAILURES} times in a row; the session ends",
            )
            self._give_up(GAVE_UP)
        else:
            delay = fork.restarts.later()
            self._say(
                Code.PROCESS_RESTARTED,
                f"{fork.name} ended ({how_it_ended(code)}); starting it again in {delay:.1f} s",
            )

    def _give_up(self, code: int) -> None:
        self.stop(signal.SIGTERM, None)
        self._code = code

    def _say(self, code: Code, text: str) -> None:
        say(text)
        with contextlib.suppress(RingError, OSError):  # a full disk, which the trainer waits for
            events = EventWriter(self._session, "launcher")
            events.say(code, text, time.time_ns())
            events.close()


def _become_trainer(session: Path, launcher: int, markets: Sequence[str]) -> NoReturn:
    """Run a trainer in this process, then exit."""
    words = [str(session), "--markets", ",".join(markets)]
    exit_after(lambda: run_program(TRAINER, words, launcher, f"{TRAINER}.__main__"))


@entry_point("launcher")
def main() -> int:
    """Run as a process of a session."""
    parser = Parser(prog="launcher")
    parser.add_argument("session", type=Path, help="the session's folder")
    parser.add_argument("--markets", default="", help="the markets of one trainer, if not all")
    given = parser.parse_args()
    config = SessionConfig.load(given.session / CONFIG)
    import_all(PRELOADED)
    importlib.import_module("trainers.learners.determinism").deterministic()
    shares = shares_of(config.symbol_list, config.shards)
    if given.markets:
        shares = [given.markets.split(",")]
    return Launcher(given.session, shares, _become_trainer).run()


if __name__ == "__main__":
    main()
