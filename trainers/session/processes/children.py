"""The child processes of a session: their commands, in the order in which they start."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from streaming.program.environment import ONE_THREAD
from trainers.config import SessionConfig
from trainers.session.access import Passwords
from trainers.session.processes.programs import EXCHANGE, FEED, LAUNCHER, PAGE
from trainers.session.processes.supervisor import Child


def workers_here(session: Path) -> list[Child]:
    """Return the processes that follow a session's markets and train them on this machine."""
    return [
        Child("feed", ["-m", FEED, str(session)]),
        Child("trainer", ["-m", LAUNCHER, str(session)], env=ONE_THREAD),
    ]


def children_of(
    config: SessionConfig,
    session: Path,
    uri: str,
    passwords: Passwords,
    to_replay: Sequence[str] = (),
    workers: Callable[[Path], list[Child]] = workers_here,
) -> list[Child]:
    """Return the processes that the settings require, in the order in which to start them.

    Args:
        config: the session's settings.
        session: the session's folder.
        uri: the URI of the MLflow store.
        passwords: the passwords of the page.
        to_replay: run ids of earlier sessions that have not been replayed yet.
        workers: returns the processes that follow the markets and train them, given the session's
            folder; the last one is named ``trainer``.
    """
    children = workers(session)
    if config.plays_locally:
        exchange = Child("exchange", ["-m", EXCHANGE, str(session)])
        children.insert(0, exchange)
    if config.page_port:
        children.append(_page(config, session, passwords))
    if config.mlflow_ui_port and "://" in uri and not uri.startswith("http"):
        children.append(_mlflow_ui(config.mlflow_ui_port, session, uri))
    if to_replay:
        words = _program("trainers.replay.earlier", *to_replay)
        log = session / "parity.log"
        children.append(Child("replay of earlier sessions", words, patience=0.5, log=log))
    return children


def _page(config: SessionConfig, session: Path, passwords: Passwords) -> Child:
    arguments = {
        "session": session.name,
        "page_host": config.page_host,
        "page_port": str(config.page_port),
        "page_names": config.page_names,
    }
    flags = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    return Child("page", ["-m", PAGE, *flags], env=passwords.environ)


def _mlflow_ui(port: int, session: Path, uri: str) -> Child:
    # One worker: several take 3 GB, and each answer comes 40 ms later (uvicorn#3149).
    words = _program("mlflow", "ui", "--port", str(port), "--workers", "1")
    # The address may hold a password, and everyone may read a command line.
    env = {"MLFLOW_BACKEND_STORE_URI": uri, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    # It has nothing to save, and shutting down takes it seconds.
    log = session / "mlflow-ui.log"
    return Child("MLflow UI", words, env=env, patience=0.5, log=log)


def _program(module: str, *arguments: str) -> list[str]:
    """Return the arguments by which our own process starts a module in a process of its own."""
    return ["-m", "streaming.program.process", sys.executable, "-m", module, *arguments]
