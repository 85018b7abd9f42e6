"""What a program and the person who started it tell each other: its lines never end the process.

A terminal may be closed, a pipe cut, a disk full, or a character unknown to the encoding. None of
these is a reason to stop learning from a market.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import sys
from typing import Any, NoReturn, TextIO

from streaming.errors import one_line

STANDARD_FILES = {"stdin": "r", "stdout": "w", "stderr": "w"}


def prepare() -> None:
    """Make printing safe in this process; every entry point calls it first.

    A standard file that is closed is opened on nothing: else the next file that the process opens
    would get its number, and take what is meant for the terminal.
    """
    for number, (name, mode) in enumerate(STANDARD_FILES.items()):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            os.set_inheritable(nothing, True)  # for the processes that this one starts
        if getattr(sys, name) is None:  # as Python has it where the file was closed
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    logging.raiseExceptions = False  # or a log line that cannot be written prints a traceback


def say(text: str, *, error: bool = False, end: str = "\n") -> None:
    """Print a line, if it can be printed; a character that the encoding lacks becomes ``?``.

    Args:
        text: the line.
        error: whether it goes to stderr; else to stdout.
        end: what follows the text.
    """
    stream = sys.stderr if error else sys.stdout
    if stream is None:  # it was closed, and the program is none of ours
        return
    encoding = stream.encoding or "utf-8"
    try:
        stream.write((text + end).encode(encoding, "replace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        _discard(stream)


class Parser(argparse.ArgumentParser):
    """Reads a command line: takes no abbreviations; what is wrong is one line, exit code 2."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        say(one_line(f"{self.prog}: {message}"), error=True)
        raise SystemExit(2)


def flush() -> None:
    """Empty the buffers of stdout and stderr, as a process does before it forks or ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _discard(stream)


def _discard(stream: TextIO) -> None:
    """Empty the buffer of a stream that cannot be written, or it would fail again at the exit."""
    with contextlib.suppress(OSError, ValueError):
        number = stream.fileno()
        real, nothing = os.dup(number), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nothing, number)
            stream.flush()
        finally:
            os.dup2(real, number)
            os.close(real)
            os.close(nothing)
