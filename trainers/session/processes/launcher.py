"""Starts the session's trainers as forks of a process that has imported everything already.

    python -m trainers.session.processes.launcher SESSION_FOLDER [--markets SYMBOL,...]

    session ── launcher: imports torch, Lightning, MLflow ─┬─ trainer ── trainer, again
                                                           ├─ trainer of other markets
                                                           └─ candidate, while files wait for it

Imports take longer than anything else a trainer does before its first forecast. The launcher does
them once, so that a trainer that was killed is back within a second or two, and models register
without imports of their own. The launcher has one thread and keeps no file or socket open, so that
a fork of it is as good as a new process.
"""

from __future__ import annotations

import contextlib
import functools
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
from trainers.recording.files import CONFIG, waiting_candidates
from trainers.session.processes.fork import exit_after, run_program
from trainers.session.processes.programs import CANDIDATE, TRAINER
from trainers.session.processes.restarts import GAVE_UP, MOST_FAILURES, Restarts, how_it_ended
from trainers.session.processes.shards import shares_of

POLL_SECONDS = 0.05
CANDIDATES_SECONDS = 1.0  # how often is looked whether candidates wait

# Becomes a program, given the session's folder, the launcher's process id and markets; it must not
# return.
Become = Callable[[Path, int, Sequence[str]], NoReturn]

# The modules that a trainer imports, directly or when it makes its learners.
PRELOADED = (
    f"{TRAINER}.__main__",
    CANDIDATE,
    "trainers.learners.cnn.learner",
    "trainers.learners.dqn.learner",
    "trainers.learners.baselines.logistic",
    "trainers.learners.baselines.naive",
    "trainers.learners.baselines.permuted_labels",
)


class Fork:
    """A trainer, or what registers candidates: a process that is forked again if it dies.

    Args:
        name: the name in events.
        markets: the markets that it is for.
        become: called in the fork.

    Attributes:
        restarts: its backoff.
        pid: its process id; 0 while there is no process.
        done: whether it has nothing left to do.
    """

    def __init__(self, name: str, markets: Sequence[str], become: Become) -> None:
        self.name, self.markets, self.become = name, markets, become
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
        become_trainer: called in the fork of a trainer.
        become_candidate: called in a fork while candidates wait; it registers them.
    """

    def __init__(
        self,
        session: Path,
        shares: Sequence[Sequence[str]],
        become_trainer: Become,
        become_candidate: Become,
    ) -> None:
        self._session = session
        self._parent = int(os.environ.get(PARENT) or os.getppid())
        names = ["the trainer"] if len(shares) == 1 else [
            f"trainer {i} of {len(shares)}" for i in range(1, len(shares) + 1)
        ]  # fmt: skip
        self._forks = [
            Fork(name, share, become_trainer) for name, share in zip(names, shares, strict=True)
        ]
        markets = [market for share in shares for market in share]
        self._candidate = Fork("candidate", markets, become_candidate)
        self._look_at = 0.0  # time.monotonic() from which on is looked for candidates
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
            self._register_candidates()
            time.sleep(POLL_SECONDS)
        return self._code

    @property
    def _are_done(self) -> bool:
        return all(fork.done for fork in self._forks)

    def _register_candidates(self) -> None:
        """Fork a process for candidates that wait, one at a time; later again if it failed."""
        fork, now = self._candidate, time.monotonic()
        if fork.ended():
            fork.restarts.later()
        if fork.pid or self._stopping or now < self._look_at or not fork.restarts.due:
            return
        self._look_at = now + CANDIDATES_SECONDS
        if any(waiting_candidates(self._session, market) for market in fork.markets):
            self._start(fork)

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
            fork.become(self._session, launcher, fork.markets)

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


def _become(
    program: str, main: str, session: Path, launcher: int, markets: Sequence[str]
) -> NoReturn:
    """Run a program for some of a session's markets in this process, then exit."""
    words = [str(session), "--markets", ",".join(markets)]
    exit_after(lambda: run_program(program, words, launcher, main))


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
    trainer = functools.partial(_become, TRAINER, f"{TRAINER}.__main__")
    candidate = functools.partial(_become, CANDIDATE, CANDIDATE)
    return Launcher(given.session, shares, trainer, candidate).run()


if __name__ == "__main__":
    main()
