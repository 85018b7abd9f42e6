from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _as_in_the_trainer():
    """One thread and deterministic algorithms, for fixtures of any scope too."""
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
