"""Ends a session: what its processes have left to deliver, its runs in MLflow, its models."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mlflow.tracking import MlflowClient

from streaming.console import say
from streaming.errors import TickloopError, reason_of
from trainers.config import SessionConfig
from trainers.names import Tag
from trainers.recording.files import CHECKPOINT, of_market
from trainers.tracking.runs.lifecycle import end_runs
from trainers.tracking.store import STORE_ERRORS
from trainers.tracking.uploads import leave_nothing_behind

REGISTERED_LOG = "registered.log"


def finish(client: MlflowClient, session: Path, code: int) -> None:
    """Deliver the rest of the session's record to the store, and end the session's runs."""
    delivered = give_store_the_rest(client, session)
    try:
        end(client, session, code)
    except (*STORE_ERRORS, OSError) as e:
        if delivered:  # else it was said that the store is away
            text = f"the runs of session {session.name} could not be ended: {reason_of(e)}"
            say(text, error=True)


def end(client: MlflowClient, session: Path, code: int) -> None:
    """End the runs of a session as an exit code says.

    Raises:
        MlflowException: if the store does not answer.
    """
    text = "ended" if code == 0 else f"ended with code {code}"
    client.set_tag(session.name, Tag.STATUS_TEXT, text)
    end_runs(client, session.name, "FINISHED" if code == 0 else "FAILED")


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


def register_afterwards(session: Path, config: SessionConfig) -> None:
    """Have a process that outlives the session register what its learners have learned."""
    checkpoints = [of_market(session, name, CHECKPOINT) for name in config.symbol_list]
    if not config.learner_list or not any(path.exists() for path in checkpoints):
        return
    words = [sys.executable, "-m", "trainers.promotion.at_end", str(session)]
    with (session / REGISTERED_LOG).open("ab") as log:
        process = subprocess.Popen(
            ["nice", "-n", "19", *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    say(
        f"models     {', '.join(config.learner_list)}: being registered in the background, by"
        f" process {process.pid}; the result will be in {session / REGISTERED_LOG}"
    )
