"""Every program: one line and an exit code for what is not its fault; a traceback for what is."""

from __future__ import annotations

import errno
import os

import pytest

from streaming.entry_point import entry_point
from streaming.errors import ConfigError, RingError


class AwayError(Exception):
    """An error of a library."""


def ends(capsys, error, **options):
    """Run a program that raises; return its exit code and what it said."""

    @entry_point("it", **options)
    def main():
        if error:
            raise error
        return 3

    with pytest.raises(SystemExit) as e:
        main()
    out, err = capsys.readouterr()
    assert out == ""
    return e.value.code, err


@pytest.mark.parametrize(
    "error, code, said",
    [
        (ConfigError("speed: got 0"), 2, "it: speed: got 0\n"),
        (RingError("a.ticks: in use"), 1, "it: a.ticks: in use\n"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "mlruns/a"), 1,
         "it: mlruns/a: No space left on device\n"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), 1, "it: Read-only file system\n"),
        (AwayError("no answer\nBackground on this error at"), 1, "it: no answer\n"),
        (AwayError(), 1, "it: AwayError\n"),
        (KeyboardInterrupt(), 1, "it: stopped\n"),
        (None, 3, ""),
    ],
)  # fmt: skip
def test_a_cause_outside_the_program_is_one_line_and_a_code(capsys, error, code, said):
    assert ends(capsys, error, outside=(AwayError,)) == (code, said)


def test_a_program_may_have_a_code_of_its_own(capsys):
    code, _ = ends(capsys, RingError("a.ticks: damaged"), codes={RingError: 2})
    assert code == 2


def test_a_fault_of_the_program_shows_where_it_is():
    @entry_point("it")
    def main():
        return len(3)

    with pytest.raises(TypeError):
        main()
