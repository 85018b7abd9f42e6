"""A checkpoint: the state from which a killed trainer resumes, as one file of plain data.

It is written under another name and then renamed, so that a whole one exists at any time. It holds
only numbers, text, arrays and tensors, which torch's safe loader reads: no code is ever unpickled.
"""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trainers.recording.errors import CheckpointError

FORMAT = 2
ARRAY = "__ndarray__"


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Replace the checkpoint at ``path`` by ``state``.

    Raises:
        TypeError: if ``state`` holds anything but plain data, arrays and tensors.
    """
    unfinished = path.with_suffix(".unfinished")
    torch.save({"format": FORMAT, "state": _encoded(state)}, unfinished)
    os.replace(unfinished, path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Return the saved state; None if there is no checkpoint yet.

    Raises:
        CheckpointError: if the file cannot be read, or has another version's format.
    """
    if not path.exists():
        return None
    try:
        found = torch.load(path, weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile) as e:
        reason = str(e).strip().partition("\n")[0] or type(e).__name__
        raise CheckpointError(
            f"{path}: expected a whole checkpoint, it cannot be read ({reason}); remove it, and the"
            " session is learned again from its decision log and tape"
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
