"""What tests of the stream share: hypothesis without a deadline, and files that are closed."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import settings

# No deadline, since the machine may be busy with others.
settings.register_profile("streaming", deadline=None)
settings.load_profile("streaming")


@pytest.fixture
def closing():
    """Return what it is given, and close that when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda opened: stack.enter_context(contextlib.closing(opened))
