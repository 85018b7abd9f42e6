"""The memory fence that rings need between two of their counters' steps.

A writer's stores must become visible in the order in which it made them, and a reader's loads must
be made in order. x86-64 keeps both by itself (Intel's manual, volume 3, section 9.2: stores are not
reordered with stores, nor loads with loads). ARM and others keep neither: there C's
``atomic_thread_fence`` stands between the steps, from the library that compilers call for it. No
compiler moves anything across these calls, as Python makes each step by itself.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable

from streaming.errors import RingError

ORDERED = ("x86_64", "amd64", "i386", "i686")  # what machines call themselves
LIBRARY = "libatomic.so.1"
SEQ_CST = 5  # C11's memory_order_seq_cst: a full fence


def make_fence(machine: str = "", library: str = LIBRARY) -> Callable[[], object]:
    """Return what keeps loads and stores before it from those after it.

    Args:
        machine: the kind of processor, as ``platform.machine`` names it; "" for this one.
        library: the library that has the fence.

    Raises:
        RingError: if the processor needs a fence and there is none.
    """
    machine = machine or platform.machine()
    if machine.lower() in ORDERED:
        return _nothing
    try:
        fence = ctypes.CDLL(library).atomic_thread_fence
    except (OSError, AttributeError) as e:
        raise RingError(
            f"rings on {machine} need a memory fence from {library}, which is not here;"
            " install libatomic1"
        ) from e
    return lambda: fence(SEQ_CST)


def _nothing() -> None:
    """Do nothing: the processor keeps the order."""
