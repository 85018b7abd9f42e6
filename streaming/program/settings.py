"""Frozen config records whose fields are settings: help, unit, bounds and default in one place.

Command-line flags, MLproject parameters and MLflow params derive from the fields, so that a
default lives once. A wrong value is one line: the field, the value, what is allowed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import inspect
import json
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from streaming.errors import ConfigError, reason_of
from streaming.program.console import Parser
from streaming.program.whole_file import write_whole

METAVARS = {int: "N", float: "X", bool: "BOOL"}  # what stands for a value in the help text


def setting(
    default: Any,
    help: str,
    *,
    unit: str = "",
    low: float = -math.inf,
    high: float = math.inf,
    choices: Sequence[str] = (),
) -> Any:
    """Declare one field of a config record.

    Args:
        default: also gives the type: str, int, float or bool.
        help: one line, what the setting does and why the default.
        unit: the unit of a number, for the help text.
        low: the smallest value allowed.
        high: the largest value allowed.
        choices: the texts allowed, where only some are.
    """
    metadata = {"help": help, "unit": unit, "low": low, "high": high, "choices": tuple(choices)}
    return dataclasses.field(default=default, metadata=metadata)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Base of the config records.

    Raises:
        ConfigError: if a field has the wrong type or is out of its bounds.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if not field.metadata:
                continue  # a section, which checks itself
            value = _typed(field, getattr(self, field.name))
            _check(field, value)
            object.__setattr__(self, field.name, value)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Return the record of some values; what is not given is the default."""
        return cls(**values)

    examples: ClassVar[Sequence[str]] = ()  # command lines, which end the help text

    @classmethod
    def flags(cls) -> dict[str, dict[str, Any]]:
        """Return the command-line flags by name, as ``argparse`` takes them."""
        return {field.name: flag_of(field) for field in dataclasses.fields(cls)}

    @classmethod
    def group_of(cls, name: str) -> str:
        """Return the heading of a flag in the help text: what a record that it is from is about."""
        records = [base for base in cls.__mro__ if name in vars(base).get("__annotations__", {})]
        if not records:
            return "settings of single learners"
        return "options" if records[-1] is cls else _headline(records[-1])

    @classmethod
    def from_args(cls, argv: Sequence[str] | None = None) -> Self:
        """Parse ``--name value`` flags, one a field; print one line and exit 2 if wrong."""
        return cls.parse(argv)

    @classmethod
    def parse(cls, argv: Sequence[str] | None, free: str = "(?!)") -> Self:
        """Parse flags; those whose names match the pattern ``free`` are taken as they are."""
        parser = Parser(
            prog=_program(),
            usage="%(prog)s [--SETTING VALUE ...]",
            description=inspect.getdoc(cls),
            epilog="\n  ".join(["examples:", *cls.examples]) if cls.examples else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        groups: dict[str, Any] = {"options": parser}
        for name, flag in cls.flags().items():
            heading = cls.group_of(name)
            if heading not in groups:
                groups[heading] = parser.add_argument_group(heading)
            groups[heading].add_argument(f"--{name}", **flag)
        for word in sys.argv[1:] if argv is None else argv:
            name = word.partition("=")[0].removeprefix("--")
            if word.startswith("--") and re.fullmatch(free, name):
                with contextlib.suppress(argparse.ArgumentError):  # it was given twice
                    parser.add_argument(f"--{name}", dest=name)
        given = vars(parser.parse_args(argv))
        try:
            return cls.of(**given)
        except ConfigError as e:
            parser.error(str(e))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the record that ``save`` wrote; fields of a larger record are left out.

        Raises:
            ConfigError: if the file is missing or damaged, or a setting in it is wrong.
        """
        names = {field.name for field in dataclasses.fields(cls)}
        try:
            values = json.loads(path.read_bytes())
            given = {name: value for name, value in values.items() if name in names}
        except (OSError, ValueError, RecursionError, AttributeError) as e:
            raise ConfigError(
                f"{path}: expected a session's settings in JSON, as it wrote them"
                f" ({_first_fault(e)}); restore it from the artifacts of the session's run,"
                " or begin another session"
            ) from e
        try:
            return cls(**given)
        except (ConfigError, TypeError, AttributeError, ValueError) as e:
            raise ConfigError(f"{path}: {reason_of(e)}") from e

    def save(self, path: Path) -> None:
        """Write the record as JSON, whole or not at all."""
        write_whole(path, json.dumps(dataclasses.asdict(self), indent=1).encode())


def _first_fault(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or reason_of(error)
    return "it holds something else" if isinstance(error, AttributeError) else reason_of(error)


def flag_of(field: dataclasses.Field[Any]) -> dict[str, Any]:
    """Return the options of a field's command-line flag, as ``argparse`` takes them."""
    value = METAVARS.get(type(field.default), "TEXT")
    return {"default": field.default, "help": _help(field), "metavar": value}


def _headline(record: type) -> str:
    """Return the first sentence of a record's description, as a heading."""
    words = (record.__doc__ or "").partition("\n")[0].rstrip(".").removeprefix("The settings of ")
    return words[:1].lower() + words[1:]


def _program() -> str | None:
    """Return how the program was called, ``python -m PACKAGE``; None if it was not."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return f"python -m {spec.name.removesuffix('.__main__')}" if spec else None


def _help(field: dataclasses.Field[Any]) -> str:
    meta = field.metadata
    unit = f" [{meta['unit']}]" if meta["unit"] else ""
    text = f"{meta['help']}{unit}{_allowed(field)} (default: {field.default!r})"
    return text.replace("%", "%%")


def _allowed(field: dataclasses.Field[Any]) -> str:
    meta = field.metadata
    if meta["choices"]:
        return f", one of {', '.join(meta['choices'])}"
    if meta["low"] == -math.inf and meta["high"] == math.inf:
        return ""
    return f", {meta['low']:g} to {meta['high']:g}"


def _typed(field: dataclasses.Field[Any], value: Any) -> Any:
    return typed(field.name, value, type(field.default), _allowed(field))


def typed(name: str, value: Any, kind: Any, allowed: str = "") -> Any:
    """Return a setting's value as ``kind``: str, int, float or bool.

    Raises:
        ConfigError: if it is none; ``allowed`` ends the sentence that says so.
    """
    if isinstance(value, str) and not is_text(value):
        raise ConfigError(f"{name}: got {value!r}; allowed: text and names of files in UTF-8")
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    try:
        if kind is bool:
            return {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError
        return kind(value)
    except (KeyError, OverflowError, TypeError, ValueError):
        names = {int: "a whole number", float: "a number", bool: "true or false"}
        wanted = names.get(kind, "text")
        raise ConfigError(f"{name}: expected {wanted}{allowed}; got {value!r}") from None


def is_text(value: str) -> bool:
    """Return whether a text is UTF-8, as MLflow keeps it; names of files may have any bytes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _check(field: dataclasses.Field[Any], value: Any) -> None:
    meta = field.metadata
    if meta["choices"] and value not in meta["choices"]:
        raise ConfigError(f"{field.name}: got {value!r}; allowed: {', '.join(meta['choices'])}")
    if isinstance(value, int | float) and not meta["low"] <= value <= meta["high"]:
        raise ConfigError(f"{field.name}: got {value!r}; allowed:{_allowed(field)[1:]}")
