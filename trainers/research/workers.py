"""Backtests of several markets at once, each in a process of its own, forked from this one.

Only what they tell comes back: progress, metrics, the end. No result depends on how many run at
once, as no process knows of another.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from multiprocessing.synchronize import Event
from typing import NamedTuple, Protocol

from streaming.errors import ProgramError, TickloopError, reason_of
from streaming.program.console import flush
from trainers.research.market import CyclePoint

# Parameters of glibc's mallopt, from its malloc.h.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3

KEPT = 256 * 2**20  # bytes free at the heap's end, above which it is given back to the system
LARGEST = 32 * 2**20  # bytes of a block, from which it is mapped by itself; glibc allows no more

FORK = multiprocessing.get_context("fork")


def keep_freed_memory() -> None:
    """Keep freed memory for the next who asks, where the C library is glibc; else do nothing.

    By itself glibc gives arrays of a training step back to the system and takes them anew in each
    step: half a million page faults in the backtest of an hour, a twentieth of its CPU time.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(TRIM_THRESHOLD, KEPT)
        mallopt(MMAP_THRESHOLD, LARGEST)


class WorkerReport(NamedTuple):
    """What a process tells: how much of its market is played, s, new points; at the end a text."""

    seconds: float
    points: list[CyclePoint]
    end: str = ""
    error: str = ""


class Work(Protocol):
    """The backtest of one market, to be called in its process."""

    def __call__(
        self, tell: Callable[[float, list[CyclePoint]], object], stopped: Callable[[], bool]
    ) -> str:
        """Run; return what came of it."""


class Workers:
    """Runs work for each market, some at once.

    Args:
        work: by market, in the order in which they begin.
        at_once: how many processes, at most.
        take: called with each market and what its process tells.
    """

    def __init__(
        self, work: Mapping[str, Work], at_once: int, take: Callable[[str, WorkerReport], object]
    ) -> None:
        self._left, self._at_once, self._take = list(work.items()), at_once, take
        self._stop: Event = FORK.Event()
        self._running: dict[Connection, tuple[str, ForkProcess]] = {}
        self._errors: list[str] = []

    def stop(self) -> None:
        """End all markets after their current cycle; safe to call from a signal handler."""
        self._stop.set()
        self._left.clear()

    def run(self) -> None:
        """Run all work.

        Raises:
            ProgramError: if some of it has failed; the rest was done.
        """
        while self._left or self._running:
            while self._left and len(self._running) < self._at_once:
                self._begin(*self._left.pop(0))
            for pipe in wait(list(self._running)):
                assert isinstance(pipe, Connection)
                self._hear(pipe)
        if self._errors:
            raise ProgramError("; ".join(self._errors))

    def _begin(self, market: str, work: Work) -> None:
        ours, theirs = FORK.Pipe(duplex=False)
        flush()
        process = FORK.Process(target=_work, args=(work, theirs, self._stop), name=market)
        process.start()
        theirs.close()
        self._running[ours] = market, process

    def _hear(self, pipe: Connection) -> None:
        market, process = self._running[pipe]
        try:
            told = pipe.recv()
        except EOFError:
            process.join()
            told = WorkerReport(0.0, [], error=f"its process ended with code {process.exitcode}")
        if told.error:
            self._errors.append(f"{market}: {told.error}")
        if told.error or told.end:
            process.join()
            pipe.close()
            del self._running[pipe]
        self._take(market, told)


def _work(work: Work, pipe: Connection, stop: Event) -> None:
    """Run in a process of its own; Ctrl-C is its parent's, which tells it to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = os.getppid()

    def stopped() -> bool:
        return stop.is_set() or os.getppid() != parent

    try:
        text = work(lambda seconds, points: pipe.send(WorkerReport(seconds, points)), stopped)
        pipe.send(WorkerReport(0.0, [], end=text))
    except (TickloopError, OSError) as e:
        pipe.send(WorkerReport(0.0, [], error=reason_of(e)))
    except Exception:  # noqa: BLE001  (a bug: its traceback is the parent's to show)
        pipe.send(WorkerReport(0.0, [], error=f"a bug\n{traceback.format_exc()}"))


def cores(markets: Sequence[str], workers: int) -> int:
    """Return how many processes to run at once: what was asked for, or one a core."""
    return min(len(markets), workers or len(os.sched_getaffinity(0)))
