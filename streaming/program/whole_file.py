"""Writes a small file whole or not at all: a kill or a full disk leaves the old one."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace the file at ``path`` by ``data``.

    Raises:
        OSError: if the disk does not take it, with the file's name; the file is as it was.
    """
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.write_bytes(data)
        os.replace(unfinished, path)
    except OSError as e:
        with contextlib.suppress(OSError):
            unfinished.unlink()
        raise OSError(e.errno, e.strerror, str(path)) from e
