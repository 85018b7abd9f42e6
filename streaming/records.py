"""Arrays of records, joined and copied as the bytes that they are.

NumPy's own ``concatenate`` works out a common type on each call, and its ``copy`` goes from field
to field: of the few rows of a batch that takes longer than all else that is done with them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Records = NDArray[np.void]


def bytes_of(rows: Records) -> NDArray[np.uint8]:
    """Return the bytes of rows, ``(n * size,)``; a view, unless the rows lie apart."""
    return np.ascontiguousarray(rows).view(np.uint8)


def copied(rows: Records) -> Records:
    """Return a new array of the same rows, ``(n,)``."""
    return bytes_of(rows).copy().view(rows.dtype)


def join(*parts: Records) -> Records:
    """Return a new array of the rows of ``parts``, each ``(n,)`` and all of one type.

    >>> id = np.dtype([("id", "i8")])
    >>> join(np.array([(1,)], id), np.array([], id), np.array([(2,), (3,)], id))["id"].tolist()
    [1, 2, 3]
    """
    return np.concatenate([bytes_of(part) for part in parts]).view(parts[0].dtype)
