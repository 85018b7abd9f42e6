"""What ``streaming`` raises, and what its caller should do about it; what every room may raise.

TickloopError
├── ConfigError    a setting is wrong: show the line, exit with code 2
├── TapeError      a tape cannot be read: show the line, exit with code 2
├── RingError      a ring file is another version's, in use or has no room: stop, say which file
├── ProgramError   a program that was started does not run: show the line, exit with code 1
└── RepairError    the venue would not give the missing trades: mark the gap, go on
    └── UnknownSymbolError    it has no such symbol

A bad message raises nothing: it is dropped and counted by reason (``venues``). The errors of all
rooms are in ARCHITECTURE.md under "Errors".
"""

from __future__ import annotations


def reason_of(error: BaseException) -> str:
    """Return an error in one line: its text's first, with the file of an ``OSError`` before it.

    >>> reason_of(OSError(28, "No space left on device", "mlruns/a"))
    'mlruns/a: No space left on device'
    >>> reason_of(ValueError())
    'ValueError'
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error).strip().partition("\n")[0] or type(error).__name__


def one_line(text: str) -> str:
    r"""Return a text with what cannot be printed escaped: a path may have any characters.

    >>> print(one_line("a\nb.csv: damaged"))
    a\nb.csv: damaged
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


class TickloopError(Exception):
    """Base class of every error raised on purpose; the text is one line.

    Attributes:
        exit_code: with what a program exits that it ends: 2 if something is to be changed before
            it is started again, else 1.
    """

    exit_code = 1


class ConfigError(TickloopError):
    """A setting is unknown, of the wrong type, or out of range."""

    exit_code = 2


class TapeError(TickloopError):
    """A recorded tape is missing, of an unknown format, or damaged."""

    exit_code = 2

    def __init__(self, text: str) -> None:
        super().__init__(one_line(text))


class RingError(TickloopError):
    """A ring file has another layout, another process writes it, or it cannot take more."""


class ProgramError(TickloopError):
    """A program that this one has started does not start, or has failed; the text names its log."""


class RepairError(TickloopError):
    """The venue's REST interface did not give what was asked for."""


class UnknownSymbolError(RepairError):
    """The venue has no such symbol."""
