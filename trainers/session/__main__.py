"""The main job: a market, its learners, MLflow and the page, as one session.

    python -m trainers.session [--name value ...]

    session ── exchange (source sim or tape), feed, trainer, page, MLflow's own UI

All settings are checked before anything starts: a wrong one is one line and exit code 2.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import socket
import sys
import time
from collections.abc import MutableMapping
from pathlib import Path

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from streaming.console import prepare, say
from streaming.errors import TickloopError, reason_of
from trainers.config import SessionConfig, session_folder
from trainers.names import EXPERIMENT, Tag
from trainers.recording.files import CONFIG, TAPE
from trainers.replay.earlier import replay_at_the_end
from trainers.replay.runs import not_replayed_yet
from trainers.session.access import Passwords
from trainers.session.addresses import Announcer, addresses_of
from trainers.session.preflight import LOOPBACK, PortError, check
from trainers.session.processes.children import children_of
from trainers.session.processes.supervisor import POLL_SECONDS, Supervisor
from trainers.session.resume import (
    LAST_SECONDS,
    resumed_config,
    session_to_resume,
    wait_for_the_last,
)
from trainers.tracking.runs import close_orphans, end_runs, resume_session, start_session
from trainers.tracking.store import StoreError, ensure_store
from trainers.tracking.uploads import leave_nothing_behind, undelivered


def take_passwords(environ: MutableMapping[str, str]) -> Passwords:
    """Remove the page's passwords from the environment: no other process should inherit them."""
    passwords = Passwords.of(environ)
    for name in passwords.environ:
        del environ[name]
    return passwords


def with_exchange(config: SessionConfig) -> SessionConfig:
    """Return the settings with a free port for the built-in exchange, if that is the venue."""
    if not config.plays_locally:
        return config
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        host = f"{LOOPBACK}:{probe.getsockname()[1]}"
    return dataclasses.replace(config, venue_ws=f"ws://{host}", venue_rest=f"http://{host}")


def run(config: SessionConfig, root: Path) -> int:
    """Run a session in the project at ``root`` until it ends; return the exit code.

    Raises:
        TickloopError, PortError, StoreError: if a setting, a port or the store is unusable.
    """
    passwords = take_passwords(os.environ)
    if not config.resume:
        config = check(config, passwords)
    uri = ensure_store(root)
    client = MlflowClient(uri)
    dead = [session_folder(root, run_id) for run_id in close_orphans(client)]
    for left in {*dead, *undelivered(session_folder(root, ""))}:
        _give_store_the_rest(client, left)
    run_id, config = _begin(client, config, root, passwords)
    session = session_folder(root, run_id)
    resolved = with_exchange(config)
    resolved.save(session / CONFIG)
    say(f"session    {run_id}  ({config.source}, {config.symbols})")
    to_replay = not_replayed_yet(client, root) if config.parity else []
    supervisor = Supervisor(session, children_of(resolved, session, uri, passwords, to_replay))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: supervisor.stop())
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    code = 1
    try:
        code = supervisor.run(Announcer(addresses_of(config, experiment.experiment_id)))
    finally:
        _finish(client, session, code)
    if code == 0 and resolved.parity and resolved.cycles and not supervisor.stopped:
        replay_at_the_end(session, lambda: supervisor.stopped)
    return code


def _begin(
    client: MlflowClient, config: SessionConfig, root: Path, passwords: Passwords
) -> tuple[str, SessionConfig]:
    """Create a session, or resume one; return its run id and its settings."""
    if config.resume:
        run_id = session_to_resume(client, root, config.resume)
        session = session_folder(root, run_id)
        wait_for_the_last(session)
        config = resumed_config(config, session)
        _check_patiently(config, passwords)
        resume_session(client, run_id)
        return run_id, config
    run_id = start_session(client, config, root)
    (session_folder(root, run_id) / TAPE).mkdir(parents=True)
    return run_id, config


def _check_patiently(config: SessionConfig, passwords: Passwords) -> None:
    """Check the settings, waiting for ports: the page of a killed session ends a moment later."""
    deadline = time.monotonic() + LAST_SECONDS
    while True:
        try:
            check(config, passwords)
        except PortError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)
        else:
            return


def _finish(client: MlflowClient, session: Path, code: int) -> None:
    """Deliver the rest of the session's record to the store, and end the session's runs."""
    if _give_store_the_rest(client, session):
        text = "ended" if code == 0 else f"ended with code {code}"
        client.set_tag(session.name, Tag.STATUS_TEXT, text)
        end_runs(client, session.name, "FINISHED" if code == 0 else "FAILED")


def _give_store_the_rest(client: MlflowClient, session: Path) -> bool:
    """Deliver the rest of a session's record to the store; return whether that succeeded."""
    try:
        leave_nothing_behind(client, session)
    except (TickloopError, MlflowException, SQLAlchemyError, OSError) as e:
        say(
            f"the MLflow store lacks a part of session {session.name} ({reason_of(e)});"
            f" it is kept in {session}, and is delivered when the next session starts",
            error=True,
        )
        return False
    return True


def main() -> None:
    """Run a session from the command line."""
    prepare()
    config = SessionConfig.from_args()
    try:
        sys.exit(run(config, Path.cwd()))
    except (TickloopError, PortError, StoreError) as e:
        say(f"tickloop: {e}", error=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
