"""Folders in which the shards of a machine work, one for each start of a shard.

    mlruns/fleet/shard-*    held (flock) by the actor that has made it; without a holder it is waste
    mlruns/fleet/gone-*     waste that is being deleted

What a shard that has ended leaves there is in the store, or refused by whoever took its markets
over: nobody reads it again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

GONE = "gone-"
PREFIX, KEPT = "shard-", "kept-"  # kept: a record that could not be brought to the store
LOCK = ".lock"


class Home:
    """An empty folder of our own, held until ``close``.

    Making it deletes the folders that nobody holds.

    Args:
        parent: the folder of all of them; made if missing.

    Attributes:
        path: the folder.
    """

    def __init__(self, parent: Path) -> None:
        parent.mkdir(parents=True, exist_ok=True)
        with _alone(parent):  # between making a folder and holding it, nobody may look
            for path in parent.glob(f"{PREFIX}*"):
                if (held := _hold(path)) is not None:
                    _delete(path)
                    os.close(held)
            for path in parent.glob(f"{GONE}*"):  # of a process that was killed meanwhile
                shutil.rmtree(path, ignore_errors=True)
            self.path = Path(tempfile.mkdtemp(dir=parent, prefix=PREFIX))
            self._held = _hold(self.path)

    def close(self) -> None:
        """Let go of the folder, and delete it unless it was kept."""
        _delete(self.path)
        if self._held is not None:
            os.close(self._held)
            self._held = None


def keep(home: Path) -> Path:
    """Keep a shard's folder for people, under another name; return it."""
    return home.rename(home.with_name(KEPT + home.name.removeprefix(PREFIX)))


def _delete(path: Path) -> None:
    """Delete a folder, for whoever looks at once: its trainer may live on for a moment."""
    gone = path.with_name(GONE + path.name)
    with suppress(OSError):  # it was kept
        path.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _hold(path: Path) -> int | None:
    """Hold a folder; None if another does, or it is gone."""
    try:
        found = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(found)
        return None
    return found


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    with (parent / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
