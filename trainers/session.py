"""The main job: a market, its learners, MLflow and the page, as one session.

    python -m trainers.session [--name value ...]

    session ── exchange (source sim or tape), feed, trainer, page, MLflow's own UI

Everything that can be wrong is looked at before anything starts: one line, exit code 2.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import sys
import time
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from streaming.errors import StreamingError
from streaming.exchange.sources import check_source
from trainers.access import Passwords, check_access
from trainers.config import SessionConfig, session_folder
from trainers.learners.registry import check_learners
from trainers.parity import replay_at_the_end
from trainers.recording.files import CONFIG, TAPE
from trainers.resuming import (
    LAST_SECONDS,
    resumed_config,
    session_to_resume,
    wait_for_the_last,
)
from trainers.supervisor import POLL_SECONDS, Child, Supervisor
from trainers.tracking.replays import not_replayed_yet
from trainers.tracking.runs import close_orphans, end_runs, resume_session, start_session
from trainers.tracking.store import EXPERIMENT, StoreError, ensure_store
from trainers.tracking.uploads import leave_nothing_behind, undelivered

LOOPBACK = "127.0.0.1"


class PortError(Exception):
    """A port that the session needs is taken."""


def check_port(knob: str, host: str, port: int) -> None:
    """Raise ``PortError`` if ``port`` (0 = not wanted) cannot be listened on."""
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as e:
            raise PortError(
                f"{knob}: port {port} on {host} cannot be used ({e.strerror}); "
                f"allowed: a free port, or 0 for none"
            ) from e


def check(config: SessionConfig, passwords: Passwords) -> None:
    """Raise what is wrong with ``config``, without starting anything.

    Raises:
        StreamingError, PortError: one line each.
    """
    if config.page_port:
        check_access(config.page_host, passwords)
    check_learners(config)
    if config.plays_locally:
        check_source(config)
    if config.page_port and config.page_port == config.mlflow_ui_port:
        raise PortError(
            f"mlflow_ui_port: got {config.mlflow_ui_port}, which is page_port too; allowed: another"
            " port, or 0 for none"
        )
    check_port("page_port", config.page_host, config.page_port)
    check_port("mlflow_ui_port", LOOPBACK, config.mlflow_ui_port)


def take_passwords(environ: MutableMapping[str, str]) -> Passwords:
    """Take the page's passwords out of the environment: no other process has a use for them."""
    passwords = Passwords.of(environ)
    for name in passwords.environ:
        del environ[name]
    return passwords


def with_exchange(config: SessionConfig) -> SessionConfig:
    """Give the built-in exchange a free port, if it is the venue."""
    if not config.plays_locally:
        return config
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        host = f"{LOOPBACK}:{probe.getsockname()[1]}"
    return dataclasses.replace(config, venue_ws=f"ws://{host}", venue_rest=f"http://{host}")


def children_of(
    config: SessionConfig,
    session: Path,
    uri: str,
    passwords: Passwords,
    to_replay: Sequence[str] = (),
) -> list[Child]:
    """Return the processes that ``config`` asks for, in the order to start them.

    Args:
        config: the session's settings.
        session: its folder.
        uri: of the store.
        passwords: of the page.
        to_replay: earlier sessions whose parity is not known yet.
    """
    folder = str(session)
    children = [
        Child("feed", ["-m", "streaming.feed", folder]),
        Child("trainer", ["-m", "trainers.trainer", folder]),
    ]
    if config.plays_locally:
        children.insert(0, Child("exchange", ["-m", "streaming.exchange", folder]))
    if config.page_port:
        arguments = {
            "session": session.name,
            "page_host": config.page_host,
            "page_port": str(config.page_port),
            "page_names": config.page_names,
        }
        flags = [word for name, value in arguments.items() for word in (f"--{name}", value)]
        children.append(Child("page", ["-m", "ui.app", *flags], env=passwords.environ))
    if config.mlflow_ui_port and "://" in uri and not uri.startswith("http"):
        # One worker: several answer 40 ms later each and take 3 GB (uvicorn#3149).
        options = {"backend-store-uri": uri, "port": str(config.mlflow_ui_port), "workers": "1"}
        flags = [word for name, value in options.items() for word in (f"--{name}", value)]
        children.append(
            Child(
                "MLflow UI",
                ["-m", "streaming.process", sys.executable, "-m", "mlflow", "ui", *flags],
                env={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                patience=0.5,  # it keeps nothing, and takes seconds to say goodbye
                log=session / "mlflow-ui.log",
            )
        )
    if to_replay:
        words = ["-m", "streaming.process", sys.executable, "-m", "trainers.parity", *to_replay]
        log = session / "parity.log"
        children.append(Child("replay of earlier sessions", words, patience=0.5, log=log))
    return children


class Announcer:
    """Prints each address once something answers there."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._waiting = addresses

    def __call__(self) -> None:
        for name, url in list(self._waiting.items()):
            parts = urlsplit(url)
            with contextlib.suppress(OSError):
                socket.create_connection((parts.hostname, parts.port), timeout=0.05).close()
                del self._waiting[name]
                print(f"{name:<10} {url}", flush=True)  # noqa: T201


def addresses_of(config: SessionConfig, experiment: str) -> dict[str, str]:
    """Return what to announce: name -> URL."""
    found = {}
    if config.page_port:
        found["page"] = f"http://{_reached_at(config.page_host)}:{config.page_port}"
    if config.mlflow_ui_port:
        # MLflow's UI opens in its GenAI view otherwise.
        view = f"/#/experiments/{experiment}/runs?workflowType=machine_learning"
        found["MLflow UI"] = f"http://{LOOPBACK}:{config.mlflow_ui_port}{view}"
    return found


def _reached_at(host: str) -> str:
    """Return where this machine reaches what listens on ``host``, as part of a URL."""
    if host in ("", "0.0.0.0", "::"):
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def run(config: SessionConfig, root: Path) -> int:
    """Run a session in the project at ``root``; return the exit code."""
    passwords = take_passwords(os.environ)
    if not config.resume:
        check(config, passwords)
    uri = ensure_store(root)
    client = MlflowClient(uri)
    dead = [session_folder(root, run_id) for run_id in close_orphans(client)]
    for left in {*dead, *undelivered(session_folder(root, ""))}:
        _give_store_the_rest(client, left)
    run_id, config = _begin(client, config, root, passwords)
    session = session_folder(root, run_id)
    resolved = with_exchange(config)
    resolved.save(session / CONFIG)
    print(f"session    {run_id}  ({config.source}, {config.symbols})", flush=True)  # noqa: T201
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
    """Make a session, or have one go on; return its run id and its settings."""
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
    """Check; the page of a session that was killed just now leaves its port a moment later."""
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
    """Give the store what it lacks of the session's record, and end its runs."""
    if _give_store_the_rest(client, session):
        text = "ended" if code == 0 else f"ended with code {code}"
        client.set_tag(session.name, "status_text", text)
        end_runs(client, session.name, "FINISHED" if code == 0 else "FAILED")


def _give_store_the_rest(client: MlflowClient, session: Path) -> bool:
    """Give the store what it lacks of a session's record; tell whether it took it."""
    try:
        leave_nothing_behind(client, session)
    except (StreamingError, MlflowException, SQLAlchemyError, OSError) as e:
        print(  # noqa: T201
            f"the MLflow store lacks a part of session {session.name} ({str(e).splitlines()[0]});"
            f" it is kept in {session}, and is delivered when the next session starts",
            file=sys.stderr,
        )
        return False
    return True


def main() -> None:
    """Run from the command line."""
    config = SessionConfig.from_args()
    try:
        sys.exit(run(config, Path.cwd()))
    except (StreamingError, PortError, StoreError) as e:
        print(f"tickloop: {e}", file=sys.stderr)  # noqa: T201
        sys.exit(2)


if __name__ == "__main__":
    main()
