"""Begins or resumes a session: all checks, then its run in MLflow; no process is started yet."""

from __future__ import annotations

import time
from pathlib import Path

from streaming.program.console import say
from trainers.config import SessionConfig, session_folder
from trainers.config.pretraining.start import with_start
from trainers.session.access import Passwords
from trainers.session.end import finish, give_store_the_rest
from trainers.session.preflight import PortError, check, check_folder
from trainers.session.processes.supervisor import POLL_SECONDS
from trainers.session.resume import (
    LAST_SECONDS,
    resumed_config,
    session_to_resume,
    wait_for_the_last,
)
from trainers.tracking.arena.model_uris import with_versions
from trainers.tracking.runs.lifecycle import resume_session, start_session
from trainers.tracking.runs.orphans import close_orphans
from trainers.tracking.store import ensure_store
from trainers.tracking.stores.artifacts import check_artifacts
from trainers.tracking.stores.client import MlflowClient
from trainers.tracking.uploads import undelivered


def begin(
    config: SessionConfig, root: Path, passwords: Passwords
) -> tuple[MlflowClient, str, SessionConfig]:
    """Create a session, or resume one; return the store's client, its run id and its settings."""
    given = config
    if not config.resume:
        config = with_start(check(with_versions(config, root), passwords))
        say(f"starting   {market_in_words(config)}; Ctrl-C ends it")
    client = MlflowClient(ensure_store(root))
    check_artifacts(client)
    check_folder(session_folder(root, ""))
    _close_the_dead(client, root)
    if not config.resume:
        return client, start_session(client, config, root, given), config
    run_id = session_to_resume(client, root, config.resume)
    session = session_folder(root, run_id)
    say(f"resuming   session {run_id}; Ctrl-C ends it")
    wait_for_the_last(session)
    resumed = with_start(resumed_config(config, session))
    _check_patiently(resumed, passwords)
    try:
        resume_session(client, run_id, config, root)
    except BaseException:
        finish(client, session, 1)
        raise
    return client, run_id, resumed


def market_in_words(config: SessionConfig) -> str:
    """Return what market a session follows.

    >>> market_in_words(SessionConfig()), market_in_words(SessionConfig(source="sim:ar1"))
    ('the simulated market, BTCUSDT', 'the simulated market ar1, BTCUSDT')
    >>> market_in_words(SessionConfig(source="tape:ticks.zip"))
    'the tape ticks.zip, BTCUSDT'
    """
    kind, _, name = config.source.partition(":")
    words = {"sim": "the simulated market", "tape": "the tape"}.get(kind, f"the venue {kind}")
    return f"{words} {name}".rstrip() + f", {config.symbols}"


def _close_the_dead(client: MlflowClient, root: Path) -> None:
    """End the runs of killed sessions, and deliver what they and others have left."""
    dead = [session_folder(root, run_id) for run_id in close_orphans(client)]
    for left in {*dead, *undelivered(session_folder(root, ""))}:
        give_store_the_rest(client, left)


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
