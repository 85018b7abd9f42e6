"""Everything ``streaming`` raises, and what its caller should do about it.

TickloopError
├── ConfigError    a setting is wrong: show the line, exit with code 2
├── TapeError      a tape cannot be read: show the line, exit with code 2
├── RingError      a ring file is another version's or in use: stop, say which file
└── RepairError    the venue would not give the missing trades: mark the gap, go on

A bad message raises nothing: it is dropped and counted by reason (``venues``).
"""

from __future__ import annotations


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's text, or its class if it has no text."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def one_line(text: str) -> str:
    r"""Return a text with what cannot be printed escaped: a path may have any characters.

    >>> print(one_line("a\nb.csv: damaged"))
    a\nb.csv: damaged
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class TickloopError(Exception):
    """Base class of every error raised on purpose by ``streaming``."""


class ConfigError(TickloopError):
    """A setting is unknown, of the wrong type, or out of range."""


class TapeError(TickloopError):
    """A recorded tape is missing, of an unknown format, or damaged."""

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class RingError(TickloopError):
    """A ring file has another layout, or another process writes it."""


class RepairError(TickloopError):
    """The venue's REST interface did not give the trades asked for."""
