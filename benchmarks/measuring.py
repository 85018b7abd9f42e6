"""Timing shared by the comparisons: interleaved rounds, medians, CPU of a process."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import psutil


class NotMeasuredError(Exception):
    """A comparison cannot be made here; its row says why and the others go on."""


def interleave(
    rounds: int, ours: Callable[[], Any], peer: Callable[[], Any]
) -> tuple[list[Any], list[Any]]:
    """Run both sides in turn, so that noise of the machine hits both; return their results.

    Who goes first alternates.
    """
    mine, theirs = [], []
    for i in range(rounds):
        for side, found in [(ours, mine), (peer, theirs)][:: 1 if i % 2 == 0 else -1]:
            found.append(side())
    return mine, theirs


def median(values: Iterable[float]) -> float:
    """Return the median."""
    return statistics.median(values)


def seconds(work: Callable[[], Any]) -> float:
    """Return how long ``work`` takes by the clock."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time that all threads of a process have used, in steps of 10 ms."""
    times = process.cpu_times()
    return float(times.user + times.system)


def one_thread() -> None:
    """Compute as the trainer does: one thread, deterministic algorithms."""
    from trainers.learners.determinism import deterministic

    deterministic()
