"""The artifact store: its address, whether it can be used, and its errors as one kind.

Where artifacts are is a property of MLflow's experiment: it is given once, when the experiment is
made, and everybody else finds it in the store. ``MLFLOW_DEFAULT_ARTIFACT_ROOT`` is the name that
MLflow's own server has for it. Keys are never part of it: libraries take them from the environment.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import mlflow.artifacts

from streaming.errors import reason_of
from trainers.names import EXPERIMENT
from trainers.tracking.stores.client import MlflowClient, MlflowException, StoreError

VARIABLE = "MLFLOW_DEFAULT_ARTIFACT_ROOT"
ENDPOINT = "MLFLOW_S3_ENDPOINT_URL"
EXTRA = "pip install -r requirements-cloud.txt"

# Libraries that speak to artifact stores and have errors of their own.
LIBRARIES = ("botocore", "boto3", "s3transfer", "urllib3", "google", "azure")

# Fail fast, as uploads are tried again anyway: botocore would take up to 15 s for five attempts.
os.environ.setdefault("AWS_RETRY_MODE", "standard")
os.environ.setdefault("AWS_MAX_ATTEMPTS", "2")
if os.environ.get(ENDPOINT):  # servers that are not Amazon's may refuse its newest checksums
    os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
    os.environ.setdefault("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")


class ArtifactStoreError(MlflowException):
    """The artifact store does not answer, or refuses: keep the file and try again later."""


def given_root() -> str | None:
    """Return the address for artifacts that the environment gives, without a slash at its end.

    Raises:
        StoreError: if it is no address of a store, or has a user in it.
    """
    address = os.environ.get(VARIABLE, "").rstrip("/")
    if not address:
        return None
    parts = urlsplit(address)
    if "@" in parts.netloc:
        raise StoreError(
            f"{VARIABLE}: got an address with a user in it, which everybody with the store could"
            " read; expected s3://BUCKET/FOLDER, and keys in variables such as AWS_ACCESS_KEY_ID"
        )
    if not address.startswith("/") and not (parts.scheme and parts.netloc):
        raise StoreError(
            f"{VARIABLE}: got {address!r}; expected s3://BUCKET/FOLDER, or an absolute path"
        )
    return address


def is_local(address: str) -> bool:
    """Return whether artifacts are files of this machine.

    >>> is_local("/a/mlruns"), is_local("file:///a"), is_local("s3://bucket/a")
    (True, True, False)
    """
    return address.startswith(("/", "file:"))


def dataset_source(address: str) -> tuple[str, str]:
    """Return the type and the JSON text by which MLflow finds a dataset at an artifact's address.

    >>> dataset_source("s3://bucket/a.parquet")
    ('s3', '{"uri": "s3://bucket/a.parquet"}')
    """
    kind = "local" if is_local(address) else urlsplit(address).scheme
    if kind in ("mlflow-artifacts", "http", "https"):
        return "http", json.dumps({"url": address})
    return kind, json.dumps({"uri": address})


@contextlib.contextmanager
def artifact_store() -> Iterator[None]:
    """Make ``ArtifactStoreError`` of whatever the artifact store's own library raises."""
    try:
        yield
    except MlflowException:
        raise
    except Exception as e:
        # Known by where they come from: importing each library only to name its errors takes long.
        if type(e).__module__.partition(".")[0] not in LIBRARIES:
            raise
        raise ArtifactStoreError(f"the artifact store: {reason_of(e)}") from e


def check_artifacts(client: MlflowClient) -> None:
    """Check that the artifact store answers and takes our keys, before anything is recorded.

    Raises:
        StoreError: if it does not.
    """
    experiment = client.get_experiment_by_name(EXPERIMENT)
    address = experiment.artifact_location if experiment else ""
    if is_local(address) or urlsplit(address).scheme in ("", "mlflow-artifacts"):
        return  # files, or behind MLflow's server, which answers for them
    try:
        with artifact_store():
            mlflow.artifacts.list_artifacts(artifact_uri=f"{address}/none")
    except (MlflowException, OSError, ImportError, ValueError) as e:
        advice = f"; it needs: {EXTRA}" if isinstance(e, ImportError) else ""
        raise StoreError(
            f"the artifacts of this store, {address}, cannot be used ({reason_of(e)}){advice};"
            f" keys are taken from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, and a server that is"
            f" not Amazon's from {ENDPOINT}"
        ) from e
