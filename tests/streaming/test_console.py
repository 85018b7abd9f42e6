"""Printing never ends a process, whatever its standard files are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys
from streaming.program.console import flush, prepare, say
prepare()
sys.stderr.isatty()
say("0.5 \\u00b1 0.1")
say("to the end", error=True)
kept = open(os.environ["KEPT"], "w")
kept.write("its own")
kept.flush()
for out in (sys.stdout, sys.stderr):
    print("a model's own words \\u00b1 " * 9999, file=out, flush=True)
flush()
say("again")
"""


def run(tmp_path: Path, shell: str, **environ: str) -> tuple[int, bytes, str]:
    """Run the program with its standard files as ``shell`` says; return code, stderr, the file."""
    kept = tmp_path / "kept"
    done = subprocess.run(
        ["bash", "-c", f'"$0" -c "$PROGRAM" {shell}', sys.executable],
        env={
            **os.environ,
            "PYTHONUNBUFFERED": "",
            "PROGRAM": PROGRAM,
            "KEPT": str(kept),
            **environ,
        },
        capture_output=True,
    )
    return done.returncode, done.stderr, kept.read_text()


@pytest.mark.parametrize(
    "shell",
    [
        ">&-",
        ">&- 2>&-",
        "<&- >&- 2>&-",
        ">/dev/full",
        ">/dev/full 2>/dev/full",
        "| true; exit ${PIPESTATUS[0]}",
    ],
)
def test_no_closed_or_full_standard_file_ends_a_process_or_gets_into_its_files(
    tmp_path: Path, shell: str
) -> None:
    code, errors, kept = run(tmp_path, shell)
    assert (code, kept) == (0, "its own")
    assert b"Traceback" not in errors
    assert b"Exception ignored" not in errors


STARTS_ANOTHER = """
import subprocess, sys
from streaming.program.console import prepare
prepare()
told = "import os, sys; open(os.environ['KEPT'], 'w').write(str(sys.stdout is None))"
subprocess.run([sys.executable, "-c", told])
"""


def test_a_process_started_by_one_whose_output_is_closed_has_an_output(tmp_path: Path) -> None:
    code, _, kept = run(tmp_path, ">&- 2>&-", PROGRAM=STARTS_ANOTHER)
    assert (code, kept) == (0, "False")


@pytest.mark.parametrize("encoding", ["ascii", "iso8859-2", "cp1251"])
def test_a_character_that_the_encoding_lacks_is_a_question_mark(
    tmp_path: Path, encoding: str
) -> None:
    shell = '> "$KEPT.out"'
    code, _, _ = run(tmp_path, shell, PYTHONIOENCODING=encoding)
    lines = (tmp_path / "kept.out").read_bytes().decode(encoding).splitlines()
    assert (code, lines[2]) == (0, "again")
    assert lines[0] in ("0.5 ? 0.1", "0.5 ± 0.1")
    assert lines[1].startswith(("a model's own words ? a", "a model's own words ± a"))
