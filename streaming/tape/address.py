"""What a user says about a tape: ``tape:PATH?venue=NAME&columns=id,price,-,time&unit=ms&sort=id``.

Each part after the path may be left out: then the file is looked at.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NamedTuple

from streaming.errors import ConfigError
from streaming.tape.tables.columns import FIELDS, UNUSED
from streaming.tape.tables.times import UNITS

SORTS = ("id", "time", "file")
OPTIONS = ("venue", "columns", "unit", "sort")


class TapeAddress(NamedTuple):
    """Where a tape is, and what its user says it is.

    Attributes:
        path: the file or folder.
        venue: the one whose trades are read; if empty, the first that has the symbol.
        columns: the field in each column of the file, in order; if empty, the file's header names
            them.
        unit: the unit of the times, one of ``UNITS``; if empty, their size tells.
        sort: by what the rows are sorted, one of ``SORTS``; if empty, ids and times tell.
    """

    path: Path
    venue: str = ""
    columns: tuple[str, ...] = ()
    unit: str = ""
    sort: str = ""


def parse_address(text: str) -> TapeAddress:
    """Return what ``PATH?option=value&...`` says.

    If there is a file of that whole name, it is meant.

    >>> parse_address("a.csv?columns=price,size,time,-&unit=s").columns
    ('price', 'size', 'time', '-')
    >>> parse_address("what?.csv").path.name, parse_address("a?b=c.csv?venue=").path.name
    ('what?.csv', 'a?b=c.csv')

    Raises:
        ConfigError: if an option or its value is none; the text says what is allowed.
    """
    path, mark, query = text.rpartition("?")
    if not mark or not re.match(r"\w+=", query) or os.path.exists(text):
        return TapeAddress(Path(text))
    given: dict[str, str] = {}
    for option in query.split("&"):
        name, _, value = option.partition("=")
        if name not in OPTIONS or name in given:
            raise ConfigError(
                f"source: got {option!r} in {text!r}; allowed, each once: "
                f"{', '.join(f'{one}=...' for one in OPTIONS)}"
            )
        given[name] = value.strip()
    return TapeAddress(
        Path(path),
        given.get("venue", ""),
        _columns(given.get("columns", "")),
        _one_of("unit", given.get("unit", ""), tuple(UNITS)),
        _one_of("sort", given.get("sort", ""), SORTS),
    )


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value and value not in allowed:
        raise ConfigError(f"source: {name}: got {value!r}; allowed: {', '.join(allowed)}")
    return value


def _columns(text: str) -> tuple[str, ...]:
    if not text:
        return ()
    columns = tuple(name.strip() or UNUSED for name in text.split(","))
    used = [name for name in columns if name != UNUSED]
    for name in used:
        if name not in FIELDS:
            raise ConfigError(
                f"source: columns: got {name!r}; allowed: {', '.join(FIELDS)}, and {UNUSED} for a"
                " column that is not used"
            )
    twice = [name for name in FIELDS if used.count(name) > 1]
    missing = [name for name in ("price", "size", "time") if name not in used]
    if twice or missing or {"side", "maker"} <= set(used):
        raise ConfigError(
            f"source: columns: got {text!r}; expected price, size and time, each field once, and"
            " one of side and maker at most"
        )
    return columns
