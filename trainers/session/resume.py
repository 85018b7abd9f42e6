"""Resuming a session that has ended or was killed: finds it and merges its settings."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import psutil

from streaming.errors import ConfigError
from trainers.config import SessionConfig, session_folder
from trainers.config.fleet import FleetConfig
from trainers.recording.decision_log import check_logs, cycles_done
from trainers.recording.files import CONFIG, SHARES, check_format
from trainers.session.processes.programs import WRITERS
from trainers.tracking.runs.search import last_session
from trainers.tracking.stores.client import MlflowClient

# The settings that a resume may change. The total number of cycles is one of them.
FREE = ("resume", "cycles", "shards")

LAST_SECONDS = 15.0  # how long to wait for the processes of a killed session to end

PORTS = ("page_port", "mlflow_ui_port")  # 0 for none

# May be changed too, as a venue may have moved and a port be taken.
ADDRESSES = ("venue_ws", "venue_rest", "page_host", "page_port", "page_names", "mlflow_ui_port")


def session_to_resume(client: MlflowClient, root: Path, resume: str) -> str:
    """Return the run id of the session to resume.

    Args:
        client: the MLflow store's client.
        root: the project's folder.
        resume: a run id, or ``last`` for the newest session.

    Raises:
        ConfigError: if there is no such session, or its folder is not on this machine.
        RecordError: if a version of Tickloop wrote it whose format is no longer read.
    """
    run_id = last_session(client) if resume == "last" else resume
    if run_id is None:
        raise ConfigError("resume: got 'last'; there is no session in this store yet")
    known = re.fullmatch(r"[0-9a-zA-Z]+", run_id) and session_folder(root, run_id)
    if not known or not (known / CONFIG).exists():
        there = sorted(path.parent.name for path in session_folder(root, "").glob(f"*/{CONFIG}"))
        raise ConfigError(
            f"resume: got {resume!r}; there is no such session in {session_folder(root, '')}; "
            f"allowed: last, or one of {', '.join(there[-5:]) or 'none yet'}"
        )
    check_format(known)
    check_logs(known)
    return run_id


def wait_for_the_last(session: Path) -> None:
    """Wait until a session's processes have ended; after a kill they end by themselves.

    Raises:
        ConfigError: if some still run after ``LAST_SECONDS``.
    """
    every = list(psutil.process_iter(["cmdline"]))
    there = [process for process in every if _works_on(process, session)]
    _, left = psutil.wait_procs(there, timeout=LAST_SECONDS)
    if left:
        raise ConfigError(
            f"resume: session {session.name} runs (process {left[0].pid}); end it first"
        )


def _works_on(process: psutil.Process, session: Path) -> bool:
    # The title that a forked trainer gives itself is a single argument, and a path may have blanks.
    line = " ".join([*(process.info["cmdline"] or ()), ""])
    return f" {session} " in line and any(f"-m {module} " in line for module in WRITERS)


def resumed_config(given: SessionConfig, session: Path) -> SessionConfig:
    """Return the session's recorded settings, with those that may change replaced.

    An address that is left at its default is the one that the session had. Where it had no page
    or no UI of MLflow (port 0), the default brings one.

    Args:
        given: the settings of the command line.
        session: the folder of the session to resume.

    Raises:
        ConfigError: if one of the two is a fleet's and the other is not: their records differ in
            where they go on.
    """
    if (session / SHARES).exists() != isinstance(given, FleetConfig):
        goes_on = "make" if isinstance(given, FleetConfig) else "make fleet"
        raise ConfigError(
            f"resume: got {session.name}, which began as another kind of session; expected it from:"
            f' {goes_on} ARGS="--resume {session.name}"'
        )
    recorded = SessionConfig.load(session / CONFIG)
    free = {name: getattr(given, name) for name in FREE}
    free |= {name: _address(name, given, recorded) for name in ADDRESSES}
    return dataclasses.replace(
        recorded, **free | {"cycles": goal(given.cycles, cycles_done(session))}
    )


def _address(name: str, given: SessionConfig, recorded: SessionConfig) -> Any:
    chosen = getattr(given, name)
    # `mlflow run` gives every setting, so that a default cannot be told from a choice.
    is_chosen = chosen != getattr(SessionConfig, name)
    return chosen if is_chosen else getattr(recorded, name) or chosen


def to_record(config: SessionConfig, session: Path) -> SessionConfig:
    """Return the settings of a session to record; a port that it does without now stays recorded.

    The page's Start resumes a session without a page of its own; a later resume has it again.

    Args:
        config: the settings to run with.
        session: the session's folder.
    """
    if not (session / CONFIG).exists():
        return config
    before = SessionConfig.load(session / CONFIG)
    ports = {name: getattr(config, name) or getattr(before, name) for name in PORTS}
    return dataclasses.replace(config, **ports)


def goal(cycles: int, done: int) -> int:
    """Return the cycle after which to end: ``cycles`` in total, or as many more if those are done.

    >>> goal(20, done=7), goal(20, done=20), goal(0, done=7)
    (20, 40, 0)
    """
    return cycles if cycles == 0 or cycles > done else done + cycles
