"""A small JSON file of the page, which only this user may read.

It is replaced whole, so that a reader never sees half of it, and changed under a lock, so that
the pages of two sessions do not undo each other's changes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

LOCK_SECONDS = 5.0


class PrivateFile:
    """A JSON value in a file, which need not be there yet.

    Args:
        path: the file's path; its folder is made when something is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS, mode=0o600)

    def read(self) -> Any:
        """Return what is in the file, None if there is none.

        Raises:
            ValueError: if it is not JSON; the text is one line with the file's name.
        """
        try:
            return json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (ValueError, RecursionError) as e:
            text = f"{self.path}: expected JSON, it was cut off or changed; remove it to begin anew"
            raise ValueError(text) from e

    def change(self, change: Callable[[Any], Any]) -> Any:
        """Replace the value by ``change(value)``, unless that is the same; return the new one.

        Raises:
            OSError: if the file cannot be written (a lock that stays taken included).
            ValueError: if what is there is not JSON.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock:
            old = self.read()
            new = change(old)
            if new != old:
                self._write(json.dumps(new, indent=1))
        return new

    def _write(self, text: str) -> None:
        draft = self.path.with_name(f"{self.path.name}.new")
        draft.unlink(missing_ok=True)  # left by a process that was killed
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.path)
