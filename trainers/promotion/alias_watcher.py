"""Watches the alias ``champion`` of each learner's registered model, and fetches its versions.

A copy of each version is kept in the session's folder, so that a restarted trainer needs no store.
"""

from __future__ import annotations

import queue
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import mlflow.artifacts
import mlflow.pytorch
import torch

from datamodules.target import NEXT_BAR, Target
from streaming.errors import reason_of
from streaming.events import Code
from streaming.symbols import file_name
from trainers.learners.learner import Model
from trainers.names import CHAMPION_ALIAS, model_name, source_name
from trainers.promotion.registry import RegistryError, next_challenge, source_of, version_of
from trainers.tracking.stores.artifacts import artifact_store
from trainers.tracking.stores.client import MlflowClient, MlflowException

MODELS = "models"
RETRY_SECONDS = 30.0  # after a version could not be loaded


class Arrival(NamedTuple):
    """A version that has become champion.

    Attributes:
        symbol: the market.
        learner: name of the learner that the version belongs to.
        version: the version's number; 0 if there is no champion any more.
        model: the version's model; None if there is no champion any more.
        challenge: the number of the challenge that begins, from 1.
    """

    symbol: str
    learner: str
    version: int
    model: Model | None
    challenge: int


class Versions:
    """The models of registered versions, each downloaded once.

    Args:
        client: the MLflow store's client.
        folder: the folder for the copies; created if missing.
        source: the source of the session whose models they are.
        target: what its forecasters forecast.

    Attributes:
        source: the session's source.
    """

    def __init__(
        self, client: MlflowClient, folder: Path, source: str, target: Target = NEXT_BAR
    ) -> None:
        self._client, self._folder, self.source = client, folder, source
        self._target = target

    def name(self, symbol: str, learner: str) -> str:
        """Return the name of the session's registered model."""
        return model_name(self.source, symbol, learner, self._target)

    def load(self, symbol: str, learner: str, version: int) -> Model | None:
        """Return a version's model; None for version 0.

        Raises:
            RegistryError: if the version cannot be downloaded, or is no exported torch program.
        """
        if version == 0:
            return None
        name = self.name(symbol, learner)
        copy = self._folder / f"{file_name(name)}-{version}"
        try:
            if not copy.exists():
                self._fetch(name, version, copy)
            return _program(copy)
        except (MlflowException, OSError, RuntimeError, ValueError) as e:
            shutil.rmtree(copy, ignore_errors=True)  # a store that is away may give an empty folder
            raise RegistryError(
                f"{name} version {version}: expected an exported program, it cannot be loaded"
                f" ({reason_of(e)})"
            ) from e

    def _fetch(self, name: str, version: int, copy: Path) -> None:
        """Download a version to ``copy``, completely or not at all."""
        self._folder.mkdir(exist_ok=True)
        mlflow.set_tracking_uri(self._client.tracking_uri)  # MLflow resolves models:/ with it
        source = self._client.get_model_version(name, str(version)).source
        with artifact_store(), tempfile.TemporaryDirectory(dir=self._folder) as unfinished:
            found = mlflow.artifacts.download_artifacts(
                artifact_uri=source, dst_path=unfinished, tracking_uri=self._client.tracking_uri
            )
            shutil.move(found, copy)


def _program(folder: Path) -> Model:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded: Any = mlflow.pytorch.load_model(str(folder))
    model: Model = loaded
    if not isinstance(loaded, torch.nn.Module):
        raise ValueError(f"it is a {type(loaded).__name__}")
    return model


class AliasWatcher:
    """Watches which versions of some learners are champion.

    A version that was made on another source counts as no champion, which is reported once.

    Args:
        client: the MLflow store's client.
        versions: loads the versions' models.
        tell: reports an event, given its code and a text.

    Attributes:
        arrivals: the versions that have become champion and wait to be installed.
    """

    def __init__(
        self, client: MlflowClient, versions: Versions, tell: Callable[[Code, str], object]
    ) -> None:
        self._client, self._versions, self._tell = client, versions, tell
        self._known: dict[tuple[str, str], int] = {}
        self._ours: dict[tuple[str, int], bool] = {}  # whether a version is of this source
        self._next_tries: dict[tuple[str, int], float] = {}  # of versions that failed, monotonic
        self.arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()

    def know(self, symbol: str, learner: str, version: int) -> None:
        """Note that an earlier trainer of the session has installed a version."""
        self._known[symbol, learner] = version

    def look(self, learners: Iterable[tuple[str, str]]) -> None:
        """Check the aliases of some learners, each a pair of market and name.

        A version that cannot be loaded is reported once, and tried again every 30 s: the store of
        its files may be away for a while. Until then the champion before it continues.
        """
        for symbol, learner in learners:
            name = self._versions.name(symbol, learner)
            version = version_of(self._client, name, CHAMPION_ALIAS)
            if not self._is_ours(name, version):
                version = 0
            if self._known.get((symbol, learner)) == version or self._rests(name, version):
                continue
            try:
                model = self._versions.load(symbol, learner, version)
            except RegistryError as e:
                if (name, version) not in self._next_tries:
                    self._tell(Code.VERSION_UNUSABLE, f"{e}; the champion before it continues")
                self._next_tries[name, version] = time.monotonic() + RETRY_SECONDS
                continue
            challenge = next_challenge(self._client, name, version)
            self.arrivals.put(Arrival(symbol, learner, version, model, challenge))
            self._known[symbol, learner] = version

    def _is_ours(self, name: str, version: int) -> bool:
        """Return whether a version may serve this session; report one that may not."""
        if version and (name, version) not in self._ours:
            made_on, ours = source_of(self._client, name, version), self._versions.source
            self._ours[name, version] = made_on == source_name(ours)
            if not self._ours[name, version]:
                self._tell(
                    Code.VERSION_UNUSABLE,
                    f"{name} version {version} does not serve: it was made on"
                    f" {made_on or 'an unknown source'}, and this session's source is {ours};"
                    " promote a version of this source",
                )
        return self._ours.get((name, version), True)

    def _rests(self, name: str, version: int) -> bool:
        """Return whether the version could not be loaded a moment ago."""
        return time.monotonic() < self._next_tries.get((name, version), 0.0)
