"""The signals that end a process, told apart from a ``KeyboardInterrupt`` of somebody's own code.

Where a learner of the user's runs, whatever it raises is its own failure. The one exception is what
ends the process: processes of a session set a flag on a signal; all others call ``install``.
"""

from __future__ import annotations

import signal
from typing import NoReturn

from streaming.program.process import end_signals, on_end


class Interrupt(KeyboardInterrupt):
    """Somebody has pressed Ctrl-C, or ends this process in another way.

    Args:
        number: the signal.
    """

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


def install() -> None:
    """Raise ``Interrupt`` on the signals that end a process; called by the main thread.

    The process may then end its runs and take away its temporary files; who sends a second signal
    does not want to wait for that.
    """
    on_end(_interrupt)


def _interrupt(number: int, _: object) -> NoReturn:
    for other in end_signals():
        signal.signal(other, signal.SIG_DFL)
    raise Interrupt(number)
