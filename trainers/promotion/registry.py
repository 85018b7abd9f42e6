"""The model registry: which version is champion, how that changes, and the record of it.

The aliases ``champion``, ``challenger`` and ``previous`` of ``tickloop-<symbol>-<learner>`` (for
other sources than the simulated market ``tickloop-<source>-<symbol>-<learner>``) are the single
source of truth. Evidence, a person's command and MLflow's own UI all move them; a session
watches them and forecasts with the version they name. Every move made here is recorded in a tag
``audit.N`` of the version, which is never changed.
"""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any, NamedTuple

from streaming.errors import TickloopError
from trainers.names import AUDIT, CHAMPION_ALIAS, PREVIOUS_ALIAS, SOURCE, source_name
from trainers.tracking.model_reader import audit_of
from trainers.tracking.stores.client import MlflowClient, MlflowException, ModelVersion

# A tag with the number of challenges so far: on a version, those against it as champion; on a
# registered model, those while it had no champion.
CHALLENGES = "challenges"
CANDIDATE = "candidate"  # a version's tag with the session and cycle that it was made of

VERSIONS_KEPT = 10  # the newest versions, which are never pruned


class RegistryError(TickloopError):
    """The registry cannot do what was asked and has changed nothing: show the reason."""

    exit_code = 2


class AliasMove(NamedTuple):
    """The audit record of one move of an alias.

    Attributes:
        action: ``register``, ``promote`` or ``rollback``.
        by: the reason, ``evidence`` or ``hand``.
        session: run id of the session that made the move; empty if a person did, without one.
        cycle: the cycle of that session.
        verdict: the fields of the ``Verdict`` at that time; None if there was none.
    """

    action: str
    by: str
    session: str = ""
    cycle: int = 0
    verdict: dict[str, Any] | None = None


def version_of(client: MlflowClient, name: str, alias: str) -> int:
    """Return the number of the version with an alias; 0 if there is none."""
    try:
        return int(client.get_model_version_by_alias(name, alias).version)
    except MlflowException as e:
        if e.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return 0
        raise


def source_of(client: MlflowClient, name: str, version: int) -> str:
    """Return the ``source_name`` of the session that made a version; empty if nothing tells it.

    A version that was registered before versions had the tag is known by its run.
    """
    found = client.get_model_version(name, str(version))
    if SOURCE in found.tags:
        return str(found.tags[SOURCE])
    try:
        return source_name(client.get_run(found.run_id or "").data.params.get(SOURCE, ""))
    except MlflowException as e:
        if e.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return ""  # its run was deleted, or it has none
        raise


def promote(client: MlflowClient, name: str, version: int, move: AliasMove) -> None:
    """Make a version the champion; the champion before it becomes ``previous``.

    It keeps the alias ``challenger``, if it has it, until a newer version takes that.
    """
    before = version_of(client, name, CHAMPION_ALIAS)
    if before == version:
        return
    record(client, name, version, move)
    if before:
        client.set_registered_model_alias(name, PREVIOUS_ALIAS, str(before))
    client.set_registered_model_alias(name, CHAMPION_ALIAS, str(version))


def roll_back(client: MlflowClient, name: str, move: AliasMove) -> int:
    """Make the previous champion the champion again; return its version.

    Without a previous champion there is no champion afterwards, and 0 is returned.

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


def record(client: MlflowClient, name: str, version: int, move: AliasMove) -> None:
    """Add an audit record to a version; earlier records are never changed."""
    tags = client.get_model_version(name, str(version)).tags
    number = 1 + sum(tag.startswith(AUDIT) for tag in tags)
    told = {"ts": time.time(), **move._asdict()}
    client.set_model_version_tag(name, str(version), f"{AUDIT}{number}", json.dumps(told))


def next_challenge(client: MlflowClient, name: str, version: int) -> int:
    """Count one more challenge of a champion, or of having none; return its number, from 1.

    Args:
        client: the MLflow store's client.
        name: the registered model.
        version: the champion's version; 0 if there is none.
    """
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
    """Return the version that was registered for a candidate; 0 if there is none yet."""
    found = [v for v in versions_of(client, name) if v.tags.get(CANDIDATE) == candidate]
    return int(found[0].version) if found else 0


def versions_of(client: MlflowClient, name: str) -> list[ModelVersion]:
    """Return all versions of a model, newest first, with their aliases."""
    found = client.search_model_versions(f"name='{name}'", max_results=10_000)
    whole = [client.get_model_version(name, version.version) for version in found]
    return sorted(whole, key=lambda version: -int(version.version))


def prune(client: MlflowClient, name: str, keep: int = VERSIONS_KEPT) -> list[int]:
    """Delete old versions and their logged models; return the numbers of the deleted versions.

    The newest ``keep`` stay, and those with an alias, and those that ever were champion, as replays
    need them. A logged model is deleted only when no version of any registered model uses it.
    """
    gone = []
    for version in versions_of(client, name)[keep:]:
        # The audit record shows promotions made here. A version promoted in MLflow's own UI has
        # none, but a count of challenges, once a session has installed it.
        promoted = any(told["action"] == "promote" for told in audit_of(version))
        was_champion = promoted or CHALLENGES in version.tags
        if version.aliases or was_champion:
            continue
        client.delete_model_version(name, version.version)
        gone.append(int(version.version))
        if version.source and not _used(client, version.source):
            with contextlib.suppress(MlflowException):  # it is gone already if its run was deleted
                client.delete_logged_model(version.source.removeprefix("models:/"))
    return gone


def _used(client: MlflowClient, source: str) -> bool:
    return any(version.source == source for version in client.search_model_versions("", 10_000))
