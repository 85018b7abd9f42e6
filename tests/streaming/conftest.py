"""What tests of the stream share: no deadlines, one thread, and files that are closed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import settings
from threadpoolctl import threadpool_limits

# No deadline, since the machine may be busy with others.
settings.register_profile("streaming", deadline=None)
settings.load_profile("streaming")


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """The oracles' matrices are small: a second thread doubles the CPU and saves no time."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture
def closing():
    """Return what it is given, and close that when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda opened: stack.enter_context(contextlib.closing(opened))
