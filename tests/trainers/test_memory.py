"""Memory that a process keeps once it is free."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Prints the page faults of 100 arrays of 16 MB, each freed before the next.
PROGRAM = """
import resource, numpy as np
from trainers.research.workers import keep_freed_memory
{first}
np.ones(2**21)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    np.ones(2**21)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(first: str) -> int:
    code = PROGRAM.format(first=first)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's mallopt")
def test_memory_that_is_freed_is_not_asked_of_the_system_again() -> None:
    assert page_faults("keep_freed_memory()") < 100 < page_faults("")
