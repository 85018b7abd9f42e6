"""What tests of the stream share: files that are closed."""

from __future__ import annotations

import contextlib

import pytest


@pytest.fixture
def closing():
    """Return what it is given, and close that when the test ends."""
    with contextlib.ExitStack() as stack:
        yield lambda opened: stack.enter_context(contextlib.closing(opened))
