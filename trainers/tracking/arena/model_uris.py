"""Fixes the versions of MLflow's models that a session has as entrants: an alias may move."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TypeVar

from streaming.errors import ConfigError, reason_of
from trainers.config import SessionConfig
from trainers.config.entries import entry_of
from trainers.tracking.store import STORE_ERRORS, ensure_store
from trainers.tracking.stores.client import MlflowClient

SCHEME = "models:/"

Config = TypeVar("Config", bound=SessionConfig)


def with_versions(config: Config, root: Path) -> Config:
    """Return the settings with a version's number instead of each alias of a model.

    So a replay has the models of the session, whatever the registry says by then. A learner keeps
    the name that its alias gives it.

    Args:
        config: the settings.
        root: the project's folder.

    Raises:
        ConfigError: if there is no such alias.
    """
    entries = [_fixed(entry, root) for entry in config.learner_list]
    if entries == config.learner_list:
        return config
    return dataclasses.replace(config, learners=",".join(entries))


def _fixed(text: str, root: Path) -> str:
    entry = entry_of(text)
    uri, at, alias = entry.path.partition("@")
    if entry.library != "mlflow" or not at or not uri.startswith(SCHEME):
        return text
    client = MlflowClient(ensure_store(root))
    try:
        found = client.get_model_version_by_alias(uri.removeprefix(SCHEME).strip("/"), alias)
    except STORE_ERRORS as e:
        raise ConfigError(
            f"learners: got {text!r}, which is no model of this store ({reason_of(e)})"
        ) from e
    return f"{entry.name}=mlflow:{uri}/{found.version}"
