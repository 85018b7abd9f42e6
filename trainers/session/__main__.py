"""The main job: a market, its learners, MLflow and the page, as one session.

    python -m trainers.session [--name value ...]

    session ── exchange (source sim or tape), feed, trainer, page, MLflow's own UI

All settings are checked before anything starts: a wrong one is one line and exit code 2.
"""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.environment import LOOPBACK
from streaming.program.process import on_end
from trainers.config import SessionConfig, session_folder
from trainers.names import EXPERIMENT
from trainers.recording.files import CONFIG, TAPE
from trainers.replay.earlier import replay_at_the_end
from trainers.replay.runs import not_replayed_yet
from trainers.session.access import Passwords
from trainers.session.addresses import Announcer, addresses_of
from trainers.session.end import finish, register_afterwards, tell_the_end
from trainers.session.processes.children import children_of, workers_here
from trainers.session.processes.supervisor import Child, Supervisor
from trainers.session.resume import to_record
from trainers.session.start import begin
from trainers.states import State
from trainers.tracking.reader import SessionReader
from trainers.tracking.store import STORE_ERRORS, before_the_start
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.summary import resume_command

Workers = Callable[[Path], list[Child]]


def take_passwords(environ: MutableMapping[str, str]) -> Passwords:
    """Remove the page's passwords from the environment: no other process should inherit them."""
    passwords = Passwords.of(environ)
    for name in passwords.environ:
        del environ[name]
    return passwords


def with_exchange(config: SessionConfig) -> SessionConfig:
    """Return the settings with a free port for the built-in exchange, if that is the venue.

    A session that is resumed has the port that it had, if that is free: the shards of a fleet have
    gone on meanwhile, and look for it there.
    """
    if not config.plays_locally:
        return config
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its last user has just gone
        try:
            probe.bind((LOOPBACK, urlsplit(config.venue_ws).port or 0))
        except OSError:
            probe.bind((LOOPBACK, 0))
        host = f"{LOOPBACK}:{probe.getsockname()[1]}"
    return dataclasses.replace(config, venue_ws=f"ws://{host}", venue_rest=f"http://{host}")


def run(config: SessionConfig, root: Path, workers: Workers = workers_here) -> int:
    """Run a session in the project at ``root`` until it ends; return the exit code.

    Args:
        config: the session's settings.
        root: the project's folder.
        workers: returns the processes that follow the markets and train them, given the session's
            folder.

    Raises:
        TickloopError: if a setting, a port, a folder or the store is unusable.
    """
    passwords = take_passwords(os.environ)
    on_end(_interrupt)
    try:
        with before_the_start():
            client, run_id, config = begin(config, root, passwords)
        return _run(client, run_id, config, root, passwords, workers)
    except KeyboardInterrupt:
        return 0


def _run(
    client: MlflowClient,
    run_id: str,
    config: SessionConfig,
    root: Path,
    passwords: Passwords,
    workers: Workers,
) -> int:
    """Run the processes of a session that has its run; end the run, however they end."""
    session, code = session_folder(root, run_id), 1
    try:
        with before_the_start():
            (session / TAPE).mkdir(parents=True, exist_ok=True)
            resolved = with_exchange(config)
            to_record(resolved, session).save(session / CONFIG)
            to_replay = not_replayed_yet(client, root) if config.parity else []
            children = children_of(
                resolved, session, client.tracking_uri, passwords, to_replay, workers
            )
            supervisor = Supervisor(session, children)
            experiment = client.get_experiment_by_name(EXPERIMENT)
            assert experiment is not None
        say(f"session    {run_id}  ({config.source}, {config.symbols})")
        on_end(lambda *_: supervisor.stop())
        addresses = addresses_of(config, experiment.experiment_id, run_id)
        code = supervisor.run(Announcer(addresses))
    except KeyboardInterrupt:
        code = 0
        on_end(lambda *_: None)  # it ends already
        raise
    finally:
        ended = finish(client, session, code)
    if ended.state == State.STOPPED:
        register_afterwards(session, resolved)
    if ended.in_mlflow:
        tell_the_end(client, SessionReader(root), session, ended.state)
    else:
        say(f"session    {ended.state}; go on with: {resume_command(run_id)}")
    if ended.state == State.ENDED and resolved.parity and not supervisor.stopped:
        say("replay     checks that the record gives the same values again; Ctrl-C skips it")
        replay_at_the_end(session, lambda: supervisor.stopped)
    return code


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


@entry_point("tickloop", outside=STORE_ERRORS)
def main() -> int:
    """Run a session from the command line."""
    return run(SessionConfig.from_args(), Path.cwd())


if __name__ == "__main__":
    main()
