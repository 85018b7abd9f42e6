"""A symbol's lane with all who sit in it, for a live session and for a replay alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from threadpoolctl import threadpool_limits

from trainers.config import SessionConfig
from trainers.drivers.schedule import Schedule
from trainers.drivers.streams import Stream
from trainers.engine.champion_challenger import Contest
from trainers.engine.learner_runner import Log, Seat
from trainers.engine.market_trainer import Lane
from trainers.learners.champion import Champion, Model
from trainers.learners.learner import Learner
from trainers.learners.registry import make_baselines, make_learners
from trainers.recording.decision_log import Entry
from trainers.recording.ledger import Ledger

# How the symbols' stream metrics become the session's, where that is not their sum.
OF_SYMBOLS: dict[str, Callable[[list[float]], float]] = {"lag_ms": max, "span_seconds": min}


class RunOf(Protocol):
    """Tells the MLflow run of a learner."""

    def __call__(self, symbol: str, learner: str, kind: str) -> str:
        """Return its id; ``kind`` is learner, champion or baseline."""


def deterministic() -> None:
    """Have the same bits each time, on one core or many: threads gain nothing at these sizes.

    Those of scipy's BLAS wait for each other by spinning, which on a busy machine takes longer than
    all they compute.
    """
    torch.set_num_threads(1)
    threadpool_limits(1)
    torch.use_deterministic_algorithms(True)


def make_lane(
    config: SessionConfig,
    symbol: str,
    stream: Stream,
    schedule: Schedule,
    run_of: RunOf,
    log: Log,
    open_ledger: Callable[[Sequence[str]], Ledger],
) -> Lane:
    """Make learners, champions and baselines, and seat them.

    Args:
        config: names the learners.
        symbol: the market.
        stream: its ticks and bars.
        schedule: decides when things happen.
        run_of: tells each one's run.
        log: where metrics go.
        open_ledger: makes the ledger of those names.

    Raises:
        KnobError: if a learner cannot be made.
        LedgerError: if the ledger is in use, or of other learners.
    """
    learners = make_learners(config)
    baselines = make_baselines(config) if learners else {}

    def seats(some: Sequence[Learner], kind: str) -> list[Seat]:
        return [Seat(one, run_of(symbol, one.name, kind), config.confidence, log) for one in some]

    compared = [one for name, one in baselines.items() if name not in learners]
    taught, rivals = seats(list(learners.values()), "learner"), seats(compared, "baseline")
    contests = []
    for seat in taught:
        if speak := getattr(seat.learner, "speak", None):
            champion = Champion(seat.learner.name, seat.learner.kind, speak)
            contests.append(Contest(seat, seats([champion], "champion")[0], config.fee_bps))
    champions = [contest.champion for contest in contests]
    ledger = open_ledger([seat.learner.name for seat in (*taught, *champions, *rivals)])
    return Lane(config, symbol, stream, ledger, taught, contests, rivals, log, schedule)


def session_metrics(lanes: Sequence[Lane]) -> dict[str, float]:
    """Return the stream's metrics of all symbols that have had a cycle, taken together."""
    every = [lane.stream_metrics for lane in lanes if lane.cycle]
    return {
        f"stream/{name}": OF_SYMBOLS.get(name, sum)([metrics[name] for metrics in every])
        for name in every[0]
    }


class Loads(Protocol):
    """Gives registered versions."""

    def load(self, symbol: str, learner: str, version: int) -> Model | None:
        """Return a version's program; None for version 0."""


def install_again(lane: Lane, entry: Entry, versions: Loads) -> None:
    """Have the version that a journal's entry names forecast as champion.

    Raises:
        StreamingError: if it cannot be had any more.
    """
    (contest,) = (one for one in lane.contests if one.name == entry["learner"])
    model = versions.load(lane.symbol, contest.name, entry["version"])
    contest.install(entry["version"], model, entry["challenge"], entry["after_bar"])
