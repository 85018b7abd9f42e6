"""What a program and the person who started it tell each other: its lines never end the process.

A terminal may be closed, a pipe cut, a disk full, or a character unknown to the encoding. None of
these is a reason to stop learning from a market.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from streaming.errors import one_line

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STANDARD_FILES = ("stdin", "stdout", "stderr")
# What becomes of a character that the encoding lacks.
LACKING = {"stdout": "replace", "stderr": "backslashreplace"}


class Taking(io.FileIO):
    """A standard file that takes all that is written; what it cannot pass on is lost.

    So nobody fails who prints: no line of ours, and none of a learner's.
    """

    def write(self, data: ReadableBuffer, /) -> int:
        size = memoryview(data).nbytes
        try:
            return super().write(data) or size
        except OSError:
            return size


def prepare() -> None:
    """Make printing safe in this process; every entry point calls it first.

    A standard file that is closed is opened on nothing: else the next file that the process opens
    would get its number, and take what is meant for the terminal.
    """
    for number, name in enumerate(STANDARD_FILES):
        try:
            os.fstat(number)
        except OSError:
            nothing = os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
            os.set_inheritable(nothing, True)  # for the processes that this one starts
        if name in LACKING:
            _take_all(name, number)
        elif sys.stdin is None:  # as Python has it where the file was closed
            sys.stdin = os.fdopen(number, encoding="utf-8", closefd=False)
    logging.raiseExceptions = False  # or a log line that cannot be written prints a traceback


def _take_all(name: str, number: int) -> None:
    """Put a stream that takes all in the place of stdout or stderr, unless that is not a file's."""
    stream = getattr(sys, name)
    if stream is not getattr(sys, f"__{name}__"):
        return
    if stream is not None:
        _flush(stream)
    taking = io.TextIOWrapper(
        io.BufferedWriter(Taking(number, "w", closefd=False)),
        encoding=getattr(stream, "encoding", "utf-8"),
        errors=LACKING[name],
        line_buffering=getattr(stream, "line_buffering", False),
        write_through=getattr(stream, "write_through", False),
    )
    setattr(sys, name, taking)


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
    with contextlib.suppress(OSError, ValueError):
        stream.write((text + end).encode(encoding, "replace").decode(encoding))
        stream.flush()


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
        _flush(stream)


def _flush(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
