"""The model registry: who is champion, how that changes, and what is told of it for good.

Aliases ``champion``, ``challenger`` and ``previous`` of ``tickloop-<symbol>-<learner>`` are the one
truth. Evidence, a person's command and MLflow's own UI all move them; a session looks at them and
has the version forecast. Each move by us is a tag ``audit.N`` of the version, never changed.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any, NamedTuple

from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from streaming.errors import TickloopError
from trainers.names import AUDIT, CHALLENGER_ALIAS, CHAMPION_ALIAS, PREVIOUS_ALIAS
from trainers.tracking.model_reader import audit_of

CHALLENGES = "challenges"  # how many have been judged against a champion, or for the empty seat
CANDIDATE = "candidate"  # of which cycle of which session a version is

# Registered versions without an alias that never were champion: the newest are kept.
VERSIONS_KEPT = 10


class RegistryError(TickloopError):
    """The registry cannot do what was asked: say why, change nothing."""


class Move(NamedTuple):
    """What is told of a move of an alias.

    Attributes:
        action: ``register``, ``promote`` or ``rollback``.
        by: ``evidence`` or ``hand``.
        session: run id of the session that it happened in; empty if none did.
        cycle: of that session.
        verdict: what the evidence said then, if anything.
    """

    action: str
    by: str
    session: str = ""
    cycle: int = 0
    verdict: dict[str, Any] | None = None


def version_of(client: MlflowClient, name: str, alias: str) -> int:
    """Return the version that an alias names; 0 if there is none."""
    try:
        return int(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as e:
        if e.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return 0
        raise


def promote(client: MlflowClient, name: str, version: int, move: Move) -> None:
    """Make a version the champion; the champion before it is then ``previous``."""
    before = version_of(client, name, CHAMPION_ALIAS)
    if before == version:
        return
    record(client, name, version, move)
    if before:
        client.set_registered_model_alias(name, PREVIOUS_ALIAS, str(before))
    client.set_registered_model_alias(name, CHAMPION_ALIAS, str(version))
    if version_of(client, name, CHALLENGER_ALIAS) == version:
        client.delete_registered_model_alias(name, CHALLENGER_ALIAS)


def roll_back(client: MlflowClient, name: str, move: Move) -> int:
    """Make the previous champion the champion again; return its version, 0 if there is none.

    Raises:
        RegistryError: if there is no champion.
    """
    champion, previous = (
        version_of(client, name, alias) for alias in (CHAMPION_ALIAS, PREVIOUS_ALIAS)
    )
    if not champion:
        raise RegistryError(f"{name}: there is no champion to roll back")
    record(client, name, champion, move)
    if previous:
        client.set_registered_model_alias(name, CHAMPION_ALIAS, str(previous))
        client.delete_registered_model_alias(name, PREVIOUS_ALIAS)
    else:
        client.delete_registered_model_alias(name, CHAMPION_ALIAS)
    return previous


def record(client: MlflowClient, name: str, version: int, move: Move) -> None:
    """Add to what is told of a version; what was told is never changed."""
    tags = client.get_model_version(name, str(version)).tags
    number = 1 + sum(tag.startswith(AUDIT) for tag in tags)
    told = {"ts": time.time(), **move._asdict()}
    client.set_model_version_tag(name, str(version), f"{AUDIT}{number}", json.dumps(told))


def next_challenge(client: MlflowClient, name: str, version: int) -> int:
    """Count a challenger against a champion, or for the empty seat; return its number, from 1."""
    try:
        if version:
            tags = client.get_model_version(name, str(version)).tags
        else:
            tags = client.get_registered_model(name).tags
    except MlflowException:
        return 1  # nothing is registered under that name yet
    challenge = int(tags.get(CHALLENGES, "0")) + 1
    if version:
        client.set_model_version_tag(name, str(version), CHALLENGES, str(challenge))
    else:
        client.set_registered_model_tag(name, CHALLENGES, str(challenge))
    return challenge


def version_of_candidate(client: MlflowClient, name: str, candidate: str) -> int:
    """Return the version registered for a candidate; 0 if it is not yet."""
    found = [v for v in versions_of(client, name) if v.tags.get(CANDIDATE) == candidate]
    return int(found[0].version) if found else 0


def versions_of(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Return all versions of a model, newest first, with their aliases."""
    found = client.search_model_versions(f"name='{name}'", max_results=10_000)
    whole = [client.get_model_version(name, version.version) for version in found]
    return sorted(whole, key=lambda version: -int(version.version))


def prune(client: MlflowClient, name: str, keep: int = VERSIONS_KEPT) -> list[int]:
    """Delete old candidates and their models; return the versions that are gone.

    Kept are the newest, those with an alias, and all that ever were champion: replays need them.
    A model goes only if no version of any name is left that is made of it.
    """
    gone = []
    for version in versions_of(client, name)[keep:]:
        # Made champion by us, or by someone in MLflow's own UI: then a session has judged it.
        promoted = any(told["action"] == "promote" for told in audit_of(version))
        was_champion = promoted or CHALLENGES in version.tags
        if version.aliases or was_champion:
            continue
        client.delete_model_version(name, version.version)
        gone.append(int(version.version))
        if version.source and not _used(client, version.source):
            with contextlib.suppress(MlflowException):  # its run was deleted with it
                client.delete_logged_model(version.source.removeprefix("models:/"))
    return gone


def _used(client: MlflowClient, source: str) -> bool:
    return any(version.source == source for version in client.search_model_versions("", 10_000))
