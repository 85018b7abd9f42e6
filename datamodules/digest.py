"""Hashes of what a cycle computes: equal hashes mean equal bits. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

DIGEST_BYTES = 8


def digest(*values: Any) -> str:
    """Return the hash of plain data, 16 hexadecimal digits.

    >>> digest(1, "a", [None]) == digest(1, "a", [None]), digest(1) == digest(1.0)
    (True, False)

    Args:
        values: numbers, text, None, arrays (of records too: field by field, since padding bytes
            mean nothing), torch tensors, and lists, tuples and mappings of these.

    Raises:
        TypeError: if they contain anything else.
    """
    state = hashlib.blake2b(digest_size=DIGEST_BYTES)
    for value in values:
        _feed(state, value)
    return state.hexdigest()


def _feed(state: Any, value: Any) -> None:
    if hasattr(value, "detach"):  # a tensor: torch is not imported for it
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        _feed_array(state, np.asarray(value))
    elif isinstance(value, Mapping):
        state.update(b"{%d" % len(value))
        for key in sorted(value, key=str):
            _feed(state, str(key))
            _feed(state, value[key])
    elif isinstance(value, list | tuple):
        state.update(b"[%d" % len(value))
        for part in value:
            _feed(state, part)
    elif value is None or isinstance(value, bool | int | float | str | bytes):
        state.update(f"{type(value).__name__}:{value!r};".encode())
    else:
        raise TypeError(f"expected plain data, got {type(value).__name__}: give numbers and arrays")


def _feed_array(state: Any, array: np.ndarray) -> None:
    for name in array.dtype.names or ():
        _feed_array(state, array[name])
    if not array.dtype.names:
        state.update(f"{array.dtype.str}{array.shape}".encode())
        state.update(np.ascontiguousarray(array).data)
