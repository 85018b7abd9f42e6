"""What every program of the project has in common: how it begins, and how it ends.

    @entry_point("replay")
    def main() -> int: ...

An error whose cause lies outside the program (a wrong setting, a full disk, a store that is away)
is one line and an exit code; so is a signal that ends the program before its time (128 + the
signal, as shells have it). A fault of the program itself shows its traceback.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NoReturn

from streaming.errors import TickloopError, one_line, reason_of
from streaming.program.console import prepare, say
from streaming.program.environment import reach_this_machine_directly
from streaming.program.interrupt import Interrupt

Main = Callable[[], int | None]


def entry_point(
    name: str,
    *,
    outside: tuple[type[Exception], ...] = (),
    codes: Mapping[type[Exception], int] | None = None,
) -> Callable[[Main], Callable[[], NoReturn]]:
    """Make a program of a function that returns the exit code, or None for 0.

    Args:
        name: what its lines begin with.
        outside: further errors whose cause lies outside the program, besides ``OSError``.
        codes: exit codes by error, where they are others than the errors' own.
    """
    expected: tuple[type[Exception], ...] = (TickloopError, OSError, *outside)

    def decorate(main: Main) -> Callable[[], NoReturn]:
        @functools.wraps(main)
        def run() -> NoReturn:
            prepare()
            reach_this_machine_directly(os.environ)
            try:
                code = main() or 0
            except KeyboardInterrupt as e:
                number = e.number if isinstance(e, Interrupt) else signal.SIGINT
                code = _told(name, "stopped", 128 + number)
            except expected as e:
                code = _told(name, reason_of(e), _code_of(e, codes or {}))
            sys.exit(code)

        return run

    return decorate


def _code_of(error: Exception, codes: Mapping[type[Exception], int]) -> int:
    own = error.exit_code if isinstance(error, TickloopError) else 1
    return next((code for kind, code in codes.items() if isinstance(error, kind)), own)


def _told(name: str, text: str, code: int) -> int:
    say(one_line(f"{name}: {text}"), error=True)
    return code


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """Do not look for garbage within the ``with``, nor ever among what it has made.

    Modules stay. To look through them again and again takes a fifth of the time of an import; what
    is never looked at also stays one copy for all forks of this process.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def import_all(modules: Iterable[str]) -> None:
    """Import modules by their names."""
    with importing():
        for module in modules:
            importlib.import_module(module)
