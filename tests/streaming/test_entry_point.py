"""Every program: one line and an exit code for what is not its fault; a traceback for what is."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from streaming.errors import ConfigError, RingError
from streaming.program.entry_point import entry_point


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
        (KeyboardInterrupt(), 130, "it: stopped\n"),
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


ROOT = Path(__file__).parents[2]
# They only start other programs, or are for developers.
OTHERS = {
    "streaming/program/process.py", "trainers/replay/earlier.py",
    "trainers/session/mlproject.py", "trainers/session/fleet/node/fork_server.py",
    "trainers/session/fleet/node/forked.py",
}  # fmt: skip


def test_every_program_is_an_entry_point():
    for folder in ("streaming", "datamodules", "trainers", "ui"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text, name = path.read_text(), path.relative_to(ROOT).as_posix()
            if '__name__ == "__main__"' in text and name not in OTHERS:
                assert re.search(r"@entry_point\(.*\)\ndef main\(\)", text), name
