"""Watches the alias ``champion`` of each learner's model, and fetches the versions it names.

A copy of each version lies in the session's folder, so that a trainer started again needs no store.
"""

from __future__ import annotations

import queue
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import mlflow
import mlflow.artifacts
import mlflow.pytorch
import torch
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from streaming.events import Code
from trainers.learners.learner import Model
from trainers.names import CHAMPION_ALIAS, model_name
from trainers.promotion.registry import RegistryError, next_challenge, version_of

MODELS = "models"


class Arrival(NamedTuple):
    """A version that is champion now.

    Attributes:
        symbol: the market.
        learner: whose version it is.
        version: its number; 0 if there is no champion any more.
        model: the program; None if there is none.
        challenge: number of the challenger that the learner now is.
    """

    symbol: str
    learner: str
    version: int
    model: Model | None
    challenge: int


class Versions:
    """The programs of registered versions, each fetched once.

    Args:
        client: of the store.
        folder: of the copies; made if missing.
    """

    def __init__(self, client: MlflowClient, folder: Path) -> None:
        self._client, self._folder = client, folder

    def load(self, symbol: str, learner: str, version: int) -> Model | None:
        """Return a version's program; None for version 0.

        Raises:
            RegistryError: if there is no such version any more, or it is no exported program.
        """
        if version == 0:
            return None
        name = model_name(symbol, learner)
        copy = self._folder / f"{name}-{version}"
        try:
            if not copy.exists():
                self._fetch(name, version, copy)
            return _program(copy)
        except (MlflowException, OSError, RuntimeError, ValueError) as e:
            raise RegistryError(
                f"{name} version {version}: expected an exported program, it cannot be loaded"
                f" ({str(e).splitlines()[0]})"
            ) from e

    def _fetch(self, name: str, version: int, copy: Path) -> None:
        """Copy a version here, whole or not at all."""
        self._folder.mkdir(exist_ok=True)
        mlflow.set_tracking_uri(self._client.tracking_uri)  # what resolves models:/ asks no client
        source = self._client.get_model_version(name, str(version)).source
        with tempfile.TemporaryDirectory(dir=self._folder) as unfinished:
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
    """Looks at the aliases of some learners' models.

    Args:
        client: of the store.
        versions: fetches what they name.
        tell: takes what somebody should know.

    Attributes:
        arrivals: versions that have become champion, to be installed between two bars.
    """

    def __init__(
        self, client: MlflowClient, versions: Versions, tell: Callable[[Code, str], object]
    ) -> None:
        self._client, self._versions, self._tell = client, versions, tell
        self._known: dict[tuple[str, str], int] = {}
        self.arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()

    def know(self, symbol: str, learner: str, version: int) -> None:
        """Take a version as installed, by an earlier trainer of the session."""
        self._known[symbol, learner] = version

    def look(self, learners: Iterable[tuple[str, str]]) -> None:
        """Look once; a version that cannot be loaded is told of once and leaves all as it was."""
        for symbol, learner in learners:
            name = model_name(symbol, learner)
            version = version_of(self._client, name, CHAMPION_ALIAS)
            if self._known.get((symbol, learner)) == version:
                continue
            try:
                model = self._versions.load(symbol, learner, version)
            except RegistryError as e:
                self._tell(Code.VERSION_UNUSABLE, f"{e}; the champion stays who it was")
            else:
                challenge = next_challenge(self._client, name, version)
                self.arrivals.put(Arrival(symbol, learner, version, model, challenge))
            self._known[symbol, learner] = version
