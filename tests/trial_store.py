"""A PostgreSQL server and an S3 server for tests: real ones, on ports of their own."""

from __future__ import annotations

import contextlib
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3

from tests.ports import free_port
from trainers.tracking.trial.store import PASSWORD, TrialStore


@contextlib.contextmanager
def trial_store() -> Iterator[TrialStore]:
    """Run the store for as long as the ``with`` lasts."""
    boto3.DEFAULT_SESSION = None  # it keeps the keys that it has once found: those of another store
    # Not in pytest's folder: nobody else may enter that, and as root PostgreSQL is somebody else.
    with tempfile.TemporaryDirectory(prefix="tickloop-store-") as name:
        Path(name).chmod(0o711)
        with TrialStore(Path(name), free_port(), free_port()) as store:
            yield store
            crash(store, "postgres")  # what it would still write to the disk, nobody reads


def address_with_password(store: TrialStore) -> str:
    """Return the address as people write it who do not know of better places for a password."""
    return store.postgres.uri.replace("@", f":{store.environment[PASSWORD]}@")


def crash(store: TrialStore, server: str) -> None:
    """End a server, ``postgres`` or ``s3``, as a crash would: nothing is said to its clients."""
    # The children of a PostgreSQL that is killed go on for a while, and would keep the port.
    signals = {"postgres": signal.SIGQUIT, "s3": signal.SIGKILL}
    getattr(store, server).program.stop(signals[server])
