"""The parser of a program's command line: what is wrong with it is one line, exit code 2."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from streaming.errors import one_line
from streaming.program.console import say


class Parser(argparse.ArgumentParser):
    """An ``ArgumentParser`` that takes no abbreviations, and does not print its usage if wrong."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        say(one_line(f"{self.prog}: {message}"), error=True)
        raise SystemExit(2)
