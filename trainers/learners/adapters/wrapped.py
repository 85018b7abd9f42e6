"""What an adapter's entry names: the class or function itself, its settings, its seed."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import numpy as np

from datamodules.snapshot import NotEnoughBarsError, entropy
from streaming.errors import ConfigError, reason_of
from streaming.program.settings import Settings
from trainers.config.entries import LIBRARIES, Entry
from trainers.config.learners import flat_name
from trainers.learners.learner import Context
from trainers.learners.own_code import LearnerError, own_code

WORDS = {"true": True, "false": False, "none": None}

Record = TypeVar("Record", bound=Settings)


def find(entry: Entry) -> Callable[..., Any]:
    """Import what an entry names: a part of its library, or ``module:name`` of the user.

    Raises:
        ConfigError: if there is no such thing.
    """
    module, _, name = entry.path.rpartition(":" if ":" in entry.path else ".")
    if ":" not in entry.path:
        module = f"{entry.library}.{module}".rstrip(".")
    with refusing(entry, "cannot be imported"):
        found = getattr(importlib.import_module(module), name)
    if not callable(found):
        raise ConfigError(f"learners: got {entry.text!r}; expected a class, found {found!r}")
    callable_found: Callable[..., Any] = found
    return callable_found


def settings_of(
    entry: Entry, record: type[Record], given: Mapping[str, Any], known: Mapping[str, Any]
) -> tuple[Record, dict[str, Any]]:
    """Tell an adapter's settings from those of what it wraps.

    Args:
        entry: the entry.
        record: the adapter's settings.
        given: all that are given.
        known: the names that what it wraps takes.

    Raises:
        ConfigError: if one is unknown or wrong; the text names the flag.
    """
    ours = [field.name for field in dataclasses.fields(record)]
    for name in given:
        if name not in ours and name not in known:
            allowed = ", ".join(flat_name(entry.name, each) for each in [*ours, *known])
            raise ConfigError(f"{flat_name(entry.name, name)}: unknown; allowed: {allowed}")
    try:
        settings = record(**{name: value for name, value in given.items() if name in ours})
    except ConfigError as e:
        name, _, rest = str(e).partition(":")
        raise ConfigError(f"{flat_name(entry.name, name)}:{rest}") from e
    return settings, {name: value for name, value in given.items() if name not in ours}


@contextlib.contextmanager
def refusing(entry: Entry, what: str) -> Iterator[None]:
    """Make a ``ConfigError`` of what a library's or a user's own code raises."""
    try:
        with own_code():
            yield
    except (LearnerError, NotEnoughBarsError) as e:
        text = f"learners: got {entry.text!r}, which {what} ({reason_of(e)})"
        raise ConfigError(text) from e


def value_of(text: Any) -> Any:
    """Return what a setting's text stands for: a number, word, tuple, or else the text.

    >>> [value_of(text) for text in ("0.5", "16", "(16, 8)", "true", "None", "log_loss", 2)]
    [0.5, 16, (16, 8), True, None, 'log_loss', 2]
    """
    if not isinstance(text, str):
        return text
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def arguments_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of what is wrapped, as values."""
    return {name: value_of(value) for name, value in given.items()}


def check_installed(entry: Entry) -> None:
    """Check that an entry's library can be imported.

    Raises:
        ConfigError: if it cannot; the text names the package.
    """
    try:
        importlib.import_module(entry.library)
    except ImportError as e:
        raise ConfigError(
            f"learners: got {entry.text!r}, which needs {entry.library} ({reason_of(e)}); install"
            f" it: pip install {LIBRARIES[entry.library]}"
        ) from e


def seed_of(entry: Entry, context: Context) -> int:
    """Return a seed of 31 bits, which all libraries take."""
    sequence = np.random.SeedSequence(entropy(context.seed, context.market, entry.name))
    return int(sequence.generate_state(1)[0] >> 1)
