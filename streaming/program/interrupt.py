"""Ctrl-C, told apart from a ``KeyboardInterrupt`` that somebody's own code raises.

Where a learner of the user's runs, whatever it raises is its own failure. The one exception is what
ends the process: processes of a session set a flag on a signal; all others call ``install``.
"""

from __future__ import annotations

import signal
from typing import NoReturn


class Interrupt(KeyboardInterrupt):
    """Somebody has pressed Ctrl-C: end this process."""


def install() -> None:
    """Raise ``Interrupt`` on Ctrl-C from now on; called by the main thread."""
    signal.signal(signal.SIGINT, _interrupt)


def _interrupt(*_: object) -> NoReturn:
    raise Interrupt
