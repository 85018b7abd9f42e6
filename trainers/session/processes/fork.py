"""A fork of a process that has imported everything becomes a program of its own."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

from setproctitle import setproctitle

from streaming.program.console import flush
from streaming.program.process import PARENT


def run_program(program: str, words: Sequence[str], parent: int, main: str = "") -> None:
    """Run a program in this process, as ``python -m`` would.

    Args:
        program: its module.
        words: its arguments.
        parent: the id of the process with which it ends.
        main: the module that has its ``main``, if that is another.
    """
    os.environ[PARENT] = str(parent)
    sys.argv = [program, *words]
    setproctitle(" ".join([sys.executable, "-m", *sys.argv]))
    importlib.import_module(main or program).main()


def exit_after(work: Callable[[], object]) -> NoReturn:
    """Do the work, then exit with the code that a program would: a fork never goes on."""
    code = 1
    try:
        work()
        code = 0
    except SystemExit as e:
        code = e.code if isinstance(e.code, int) else 1
    except BaseException:  # noqa: BLE001  (a fork must not go on as its parent)
        sys.excepthook(*sys.exc_info())
    finally:
        flush()
        os._exit(code)
