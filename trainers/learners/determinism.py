"""The same bits each time, on one core or many."""

from __future__ import annotations

import torch
from threadpoolctl import threadpool_limits


def deterministic() -> None:
    """Make torch and BLAS deterministic for the whole process, one thread each.

    Threads gain nothing at these sizes. Those of scipy's BLAS wait for each other by spinning,
    which on a busy machine takes longer than all they compute.
    """
    torch.set_num_threads(1)
    threadpool_limits(1)
    torch.use_deterministic_algorithms(True)
