"""The tree of errors in ARCHITECTURE.md is that of the code, exit codes included."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("streaming", "datamodules", "trainers", "ui", "tickloop")
BUILT_IN = ("Error", "Exception", "Interrupt", "KeyboardInterrupt")  # how names of errors end
LINE = re.compile(r"(?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+)(?: +(?P<code>\d))?(?:  +\S.*)?")


class Found(NamedTuple):
    """An error's base class and exit code; None where it has the code of its base class."""

    base: str
    code: str | None


def exit_code_of(node: ast.ClassDef) -> str | None:
    for line in node.body:
        if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "exit_code":
            return ast.unparse(line.value)
    return None


@pytest.fixture(scope="module")
def errors():
    """All errors of the code by name."""
    sources = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    classes = [
        node
        for path in sources
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ClassDef)
    ]
    return {
        node.name: Found(ast.unparse(node.bases[0]), exit_code_of(node))
        for node in classes
        if node.bases and ast.unparse(node.bases[0]).endswith(BUILT_IN)
    }


@pytest.fixture(scope="module")
def told():
    """Name -> (parent, exit code), as ARCHITECTURE.md has them."""
    section = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("\n## Errors\n")[1]
    found, above = {}, []
    for line in filter(None, section.split("```")[1].splitlines()):
        shape = LINE.fullmatch(line)
        assert shape, line
        depth = len(shape["branch"]) // 4
        above = [*above[:depth], shape["name"]]
        found[shape["name"]] = (above[-2] if depth else None, shape["code"])
    return found


def test_every_error_is_told_and_none_that_has_gone(errors, told):
    assert set(told) - {"Exception"} == set(errors)


def test_every_error_stands_under_the_one_that_it_is_a_kind_of(errors, told):
    for name, (base, _) in errors.items():
        ours = base if base in errors else None
        assert told[name][0] in ((ours,) if ours else (None, "Exception")), name


def test_every_error_that_ends_a_program_has_the_exit_code_that_is_told(errors, told):
    for name, (base, own) in errors.items():
        inherited = told[base][1] if base in errors else None
        assert told[name][1] == (own or inherited), name
