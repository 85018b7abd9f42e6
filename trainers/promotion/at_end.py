"""Registers what the learners of a session had learned when it was ended by hand.

    python -m trainers.promotion.at_end --session RUN_ID [--seconds 120]

A session that is told to end does so within 5 s, and exports take longer on a busy machine: hence
a process of its own, at a low priority, that outlives the session. It starts from the
checkpoints of the last cycles, so that a trainer that had to be killed loses no version either.
The markets are shared out among processes, one a core. What is registered already is left alone, so
the command can be given again for what time did not suffice for.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import re
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import NamedTuple

from streaming.cache import bar_ring
from streaming.errors import ConfigError, TickloopError, reason_of
from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.settings import Settings, setting
from trainers.config import SessionConfig, session_folder
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.learners.determinism import deterministic
from trainers.promotion.versions import register_learners
from trainers.recording.checkpoint import load_checkpoint
from trainers.recording.decision_log import DecisionLog, was_left
from trainers.recording.files import CHECKPOINT, CONFIG, DECISIONS, of_market
from trainers.recording.ledger import read_ledger
from trainers.recording.record import read_runs
from trainers.tracking.store import STORE_ERRORS, begin_process, tracking_uri
from trainers.tracking.stores.client import MlflowClient

FORK = multiprocessing.get_context("fork")
COMMAND = "python -m trainers.promotion.at_end --session"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AtEndConfig(Settings):
    """Register what the learners of a session that has ended had learned."""

    session: str = setting("", "run id of the session")
    seconds: float = setting(
        0.0, "end after this time, whatever is left; 0: once all is done", unit="s",
        low=0, high=86_400,
    )  # fmt: skip
    workers: int = setting(
        0, "processes at once, each with some of the markets; 0: one a core", low=0, high=64
    )


def trainer_of(session: Path, config: SessionConfig, market: str) -> MarketTrainer | None:
    """Return a market's engine as it was after its last cycle; None before the first.

    Args:
        session: the session's folder.
        config: the session's settings.
        market: the market's symbol.

    Raises:
        CheckpointError: if the checkpoint cannot be read.
    """
    saved = load_checkpoint(of_market(session, market, CHECKPOINT))
    if saved is None:
        return None
    trainer = MarketTrainer(config, market, make_roster(config, market))
    taken = saved["state"]["next_bar"]
    bars = bar_ring(session, market).read(taken - config.history_bars, taken).rows
    _, outcomes, forecasts = read_ledger(session, market)
    # Champions are not asked for anything here, so their models are left out.
    trainer.restore(saved["state"], bars, (outcomes, forecasts), lambda *_: None)
    return trainer


def unregistered(session: Path, config: SessionConfig) -> list[str]:
    """Return the markets whose trainers have not registered what they had learned."""
    every = config.symbol_list
    return [market for market in every if not was_left(of_market(session, market, DECISIONS))]


class EndReport(NamedTuple):
    """What a process tells of a market: a result in words, or that it is done with it."""

    market: str
    text: str = ""
    done: bool = False


def told_of(session: Path, config: SessionConfig, markets: Sequence[str]) -> Iterator[EndReport]:
    """Register the learners of some markets, one after the other; yield what came of it."""
    client = MlflowClient(tracking_uri(Path.cwd()))
    for market in markets:
        try:
            if (trainer := trainer_of(session, config, market)) is not None:
                runs = read_runs(session, market)
                for _, text in register_learners(client, session.name, trainer, runs):
                    yield EndReport(market, text)
            yield EndReport(market, done=True)
        except (TickloopError, *STORE_ERRORS, OSError) as e:  # the other markets go on
            yield EndReport(market, f"{market} is not registered: {reason_of(e)}")


def share_out(
    work: Callable[[Sequence[str]], Iterator[EndReport]],
    markets: Sequence[str],
    workers: int,
    seconds: float,
    tell: Callable[[str], object],
) -> list[str]:
    """Work on the markets in processes of their own; return those that are not done.

    Args:
        work: works on some markets; called in a process.
        markets: all of them.
        workers: how many processes, at most.
        seconds: after this time the processes are ended; infinite for never.
        tell: called with each line to be shown.
    """
    deadline = time.monotonic() + seconds
    left = list(markets)
    running: dict[Connection, ForkProcess] = {}
    for i in range(min(workers, len(markets))):
        ours, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=_work, args=(work, markets[i::workers], theirs))
        process.start()
        theirs.close()
        running[ours] = process
    while running:
        rest = None if seconds == float("inf") else max(0.0, deadline - time.monotonic())
        ready = [pipe for pipe in wait(list(running), rest) if isinstance(pipe, Connection)]
        for pipe in ready:
            _hear(pipe, running, left, len(markets), tell)
        if not ready:
            for process in running.values():
                process.kill()  # half an export is no version
            break
    for process in running.values():
        process.join()
    return left


def _hear(
    pipe: Connection,
    running: dict[Connection, ForkProcess],
    left: list[str],
    of: int,
    tell: Callable[[str], object],
) -> None:
    try:
        told: EndReport = pipe.recv()
    except EOFError:
        running.pop(pipe).join()
        return
    if told.text:
        tell(told.text)
    if told.done:
        left.remove(told.market)
        tell(f"models     {of - len(left)} of {of} markets")


def _work(
    work: Callable[[Sequence[str]], Iterator[EndReport]],
    markets: Sequence[str],
    pipe: Connection,
) -> None:
    """Run in a process of its own, which ends soon after its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    for told in work(markets):
        if os.getppid() != parent:
            return
        pipe.send(told)


def session_of(given: AtEndConfig, root: Path) -> Path:
    """Return the folder of a session that has ended.

    Raises:
        ConfigError: if there is no such session here.
        DecisionLogError: if it runs.
    """
    folder = session_folder(root, given.session)
    if not re.fullmatch(r"\w+", given.session) or not (folder / CONFIG).exists():
        raise ConfigError(
            f"session: got {given.session!r}; expected the run id of a session in {folder.parent}"
        )
    if log := next(folder.glob(f"*{DECISIONS}"), None):
        DecisionLog(log).close()  # as a trainer locks all of its markets' logs
    return folder


@entry_point("models", outside=STORE_ERRORS)
def main() -> int:
    """Run after a session."""
    given = AtEndConfig.from_args()
    begin_process("models")
    session = session_of(given, Path.cwd())
    deterministic()
    config = SessionConfig.load(session / CONFIG)
    workers = given.workers or len(os.sched_getaffinity(0))
    left = share_out(
        lambda markets: told_of(session, config, markets),
        unregistered(session, config),
        workers,
        given.seconds or float("inf"),
        say,
    )
    if left:
        within = f" within {given.seconds:g} s" if given.seconds else ""
        say(
            f"models     of {len(left)} markets not all was registered{within}: {', '.join(left)};"
            f" do it with: {COMMAND} {session.name}",
            error=True,
        )
    return 1 if left else 0


if __name__ == "__main__":
    main()
