"""A checkpoint: the state from which a killed trainer resumes, as one file of plain data.

A new one replaces it whole, so that there is one at any time. It holds only numbers, text, arrays
and tensors, which torch's safe loader reads: no code is ever unpickled. The first bytes are the
SHA-256 of the rest: torch would not notice a bit of a weight that was changed.
"""

from __future__ import annotations

import hashlib
import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from streaming.errors import reason_of
from streaming.program.whole_file import write_whole
from trainers.recording.errors import CheckpointError

FORMAT = 2
DIGEST_BYTES = hashlib.sha256().digest_size
ARRAY = "__ndarray__"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint at ``path`` by ``state``.

    Raises:
        TypeError: if ``state`` holds anything but plain data, arrays and tensors.
        OSError: if the disk does not take it; the old checkpoint is still there.
    """
    content = io.BytesIO()
    torch.save({"format": FORMAT, "state": _encoded(state)}, content)
    data = content.getvalue()
    write_whole(path, hashlib.sha256(data).digest() + data)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the saved state; None if there is no checkpoint yet.

    Raises:
        CheckpointError: if the file cannot be read, or has another version's format.
    """
    if not path.exists():
        return None
    try:
        data = path.read_bytes()
        content = data[DIGEST_BYTES:]
        if hashlib.sha256(content).digest() != data[:DIGEST_BYTES]:
            raise EOFError("cut off or changed since it was written")
        found = torch.load(io.BytesIO(content), weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as e:
        raise CheckpointError(
            f"{path}: expected a whole checkpoint, it cannot be read ({reason_of(e)}); remove it,"
            " and the session is learned again from its decision log and tape"
        ) from e
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        wrong = found.get("format") if isinstance(found, dict) else type(found).__name__
        raise CheckpointError(
            f"{path}: expected a checkpoint of format {FORMAT}, found {wrong!r}; resume with the"
            " version of tickloop that wrote it, or begin another session"
        )
    state: dict[str, Any] = _decoded(found["state"])
    return state


def _encoded(value: Any) -> Any:
    """Replace arrays, which torch's safe loader refuses, by tensors marked as arrays."""
    if isinstance(value, np.ndarray):
        return {ARRAY: torch.from_numpy(np.ascontiguousarray(value))}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _encoded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_encoded(part) for part in value)
    if value is None or isinstance(value, bool | int | float | str | Tensor):
        return value
    raise TypeError(f"a checkpoint holds plain data; got {type(value).__name__}")


def _decoded(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {ARRAY}:
            return value[ARRAY].numpy()
        return {key: _decoded(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_decoded(part) for part in value)
    return value
