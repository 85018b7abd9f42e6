"""Reads the registered models ``tickloop-…`` from MLflow as plain data.

MLflow registry -> read_models -> page
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from trainers.names import AUDIT, MODEL_PREFIX
from trainers.tracking.stores.client import MlflowClient, ModelVersion
from trainers.tracking.stores.paging import every_page

MOST_VERSIONS = 50


@dataclasses.dataclass(frozen=True)
class VersionRecord:
    """One version of a registered model."""

    version: int
    run_id: str
    created: float  # Unix seconds
    aliases: list[str]
    audit: list[dict[str, Any]]  # the audit records, oldest first


@dataclasses.dataclass(frozen=True)
class ModelRecord:
    """One registered model with its versions, newest first."""

    name: str
    versions: list[VersionRecord]


def read_models(client: MlflowClient) -> list[ModelRecord]:
    """Return Tickloop's registered models, sorted by name.

    Raises:
        MlflowException: if the store does not answer.
    """
    query = f"name LIKE '{MODEL_PREFIX}%'"
    found = every_page(
        lambda most, token: client.search_registered_models(query, most, page_token=token)
    )
    return [_model(client, model.name, dict(model.aliases)) for model in found]


def _model(client: MlflowClient, name: str, aliases: dict[str, Any]) -> ModelRecord:
    quoted = name.replace("'", "''")
    versions = client.search_model_versions(
        f"name = '{quoted}'", max_results=MOST_VERSIONS, order_by=["version_number DESC"]
    )
    return ModelRecord(name, [_version(version, aliases) for version in versions])


def _version(version: ModelVersion, aliases: dict[str, Any]) -> VersionRecord:
    number = int(version.version)
    return VersionRecord(
        number,
        version.run_id or "",
        version.creation_timestamp / 1000,
        sorted(alias for alias, of in aliases.items() if int(of) == number),
        audit_of(version),
    )


def audit_of(version: ModelVersion) -> list[dict[str, Any]]:
    """Return a version's audit records, oldest first; an unreadable one says so."""
    tags = version.tags
    numbered = [name.removeprefix(AUDIT) for name in tags if name.startswith(AUDIT)]
    return [_entry(tags[f"{AUDIT}{n}"]) for n in sorted(filter(str.isdigit, numbered), key=int)]


def _entry(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"action": "unreadable record"}
