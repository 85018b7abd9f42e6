"""Ends a session: what its processes have left to deliver, its runs in MLflow, its models."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

from streaming.errors import ConfigError, TickloopError, reason_of
from streaming.program.console import say
from streaming.program.process import LOW_PRIORITY
from trainers.config import SessionConfig
from trainers.names import Kind, Tag
from trainers.recording.files import CHECKPOINT, CONFIG, of_market
from trainers.states import State
from trainers.tracking.arena.leaderboard import leaderboards, lines_of, log_leaderboards
from trainers.tracking.reader import SessionReader, TrackingAwayError
from trainers.tracking.runs.lifecycle import describe_the_end, end_runs
from trainers.tracking.store import STORE_ERRORS
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.summary import summary_of
from trainers.tracking.uploads import leave_nothing_behind

REGISTERED_LOG = "registered.log"
REGISTER_SECONDS = 300  # so long a process outlives a session, to register its models
SEVERAL = 3  # learners; the two of a plain session are of different kinds


class End(NamedTuple):
    """How a session has ended.

    Attributes:
        state: one of ``OVER``.
        in_mlflow: whether the store has taken it, and all that came before.
    """

    state: State
    in_mlflow: bool


def finish(client: MlflowClient, session: Path, code: int) -> End:
    """Deliver the rest of a session's record to the store, and end the session's runs.

    Args:
        client: the MLflow store's client.
        session: the session's folder.
        code: the session's exit code.
    """
    delivered = give_store_the_rest(client, session)
    tell_standings(client, session)
    try:
        return End(end(client, session, code), delivered)
    except (*STORE_ERRORS, OSError) as e:
        if delivered:  # else it was said that the store is away
            text = f"the runs of session {session.name} could not be ended: {reason_of(e)}"
            say(text, error=True)
    return End(State.FAILED if code else State.STOPPED, in_mlflow=False)


def end(client: MlflowClient, session: Path, code: int) -> State:
    """End the runs of a session; return how it ended.

    Raises:
        MlflowException: if the store does not answer.
    """
    run = client.get_run(session.name)
    if code:
        state = State.FAILED
    else:  # a trainer that has nothing left to do has said so
        state = State.ENDED if run.data.tags.get(Tag.STATE) == State.ENDED else State.STOPPED
    text = f"{state} with code {code}" if code else str(state)
    client.set_tag(session.name, Tag.STATUS_TEXT, text)
    end_runs(client, session.name, state)
    return state


def give_store_the_rest(client: MlflowClient, session: Path) -> bool:
    """Deliver the rest of a session's record to the store; return whether that succeeded."""
    try:
        leave_nothing_behind(client, session)
    except (TickloopError, *STORE_ERRORS, OSError) as e:
        say(
            f"the MLflow store lacks a part of session {session.name} ({reason_of(e)});"
            f" it is kept in {session}, and is delivered when the next session starts",
            error=True,
        )
        return False
    return True


def tell_standings(client: MlflowClient, session: Path) -> None:
    """Log a session's leaderboards; say them where it has several learners."""
    try:
        config = SessionConfig.load(session / CONFIG)
        boards = leaderboards(session, config)
        log_leaderboards(client, session.name, boards)
    except ConfigError:
        return  # it has not begun
    except (*STORE_ERRORS, OSError) as e:
        say(f"the leaderboard could not be logged: {reason_of(e)}", error=True)
        return
    if len(config.learner_list) >= SEVERAL:
        for market, standings in boards.items():
            for line in (f"leaderboard of {market}", *lines_of(standings)):
                say(f"arena      {line}")


def register_afterwards(session: Path, config: SessionConfig) -> None:
    """Start a process that outlives the session and registers what its learners have learned."""
    checkpoints = [of_market(session, name, CHECKPOINT) for name in config.symbol_list]
    if not config.learner_list or not any(path.exists() for path in checkpoints):
        return
    words = [sys.executable, "-m", "trainers.promotion.at_end", "--session", session.name]
    words += ["--seconds", f"{REGISTER_SECONDS}"]
    with (session / REGISTERED_LOG).open("ab") as log:
        process = subprocess.Popen(
            ["nice", "-n", str(LOW_PRIORITY), *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    say(
        f"models     {', '.join(config.learner_list)}: being registered in the background, by"
        f" process {process.pid}, for {REGISTER_SECONDS} s at most; the result will be in"
        f" {session / REGISTERED_LOG}"
    )


def tell_the_end(client: MlflowClient, reader: SessionReader, session: Path, state: State) -> None:
    """Say what came of a session, where to look at it, and how to go on; MLflow is told too."""
    try:
        run = reader.session_run(session.name)
        runs = reader.learner_runs(session.name)
    except TrackingAwayError as e:
        say(f"session    {state}; its scores cannot be read now ({e})")
        return
    learners = [run for run in runs if run.tags.get(Tag.KIND) == Kind.LEARNER]
    told = summary_of(run, learners, state, time.time())
    with contextlib.suppress(*STORE_ERRORS, OSError):  # they were read from it a moment ago
        describe_the_end(client, told, session.name, learners)
    say(f"session    {told.title}")
    for line in told.learners:
        say(f"           {line}")
    say(f"page       again with: python -m ui.app --session {run.run_id}")
    say(f"its runs   mlflow ui; in the experiment tickloop: tags.session = '{run.run_id}'")
    say(f"go on      {told.resume}")
