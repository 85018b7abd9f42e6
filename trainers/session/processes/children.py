"""The processes of a session: how each is started, in which order."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from trainers.config import SessionConfig
from trainers.session.access import Passwords
from trainers.session.processes.supervisor import Child

# A process with threads cannot be forked safely, and threads gain a trainer nothing.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


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
        Child("trainer", ["-m", "trainers.session.processes.launcher", folder], env=ONE_THREAD),
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
        words = [
            "-m",
            "streaming.process",
            sys.executable,
            "-m",
            "trainers.replay.earlier",
            *to_replay,
        ]
        log = session / "parity.log"
        children.append(Child("replay of earlier sessions", words, patience=0.5, log=log))
    return children
