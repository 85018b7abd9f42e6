"""Makes torch and BLAS compute the same bits each time, on any number of cores."""

from __future__ import annotations

import os

# A limit reaches only what is loaded: this brings scipy's BLAS and an OpenMP of its own.
import sklearn.linear_model  # noqa: F401
import torch
from threadpoolctl import threadpool_limits

# Without this the order of MKL's sums depends on where in memory a matrix begins, which is never
# twice the same. MKL reads it at its first product. Source: its guide, chapter Conditional
# Numerical Reproducibility.
os.environ.setdefault("MKL_CBWR", "AUTO")


def deterministic() -> None:
    """Make torch and BLAS deterministic for the whole process, one thread each.

    At these sizes threads gain nothing. The threads of scipy's BLAS spin while they wait for each
    other, which on a busy machine takes longer than the computation.
    """
    torch.set_num_threads(1)
    threadpool_limits(1)
    torch.use_deterministic_algorithms(True)
