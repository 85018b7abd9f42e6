"""Runs a learner's own code: whatever it raises, ``sys.exit`` included, is that learner's failure.

Nothing that ends the process for a reason of ours comes this way: a session's processes set a flag
on a signal, and Ctrl-C elsewhere is ``streaming.program.interrupt.Interrupt``.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

from datamodules.snapshot import NotEnoughBarsError
from streaming.errors import ConfigError, reason_of
from streaming.program.interrupt import Interrupt


class LearnerError(Exception):
    """A learner's own code failed; ``__cause__`` is what it raised."""


@contextlib.contextmanager
def own_code() -> Iterator[None]:
    """Turn whatever is raised within into a ``LearnerError``.

    Raises:
        LearnerError: if a learner's code raises anything else than the following two.
        NotEnoughBarsError: if the learner needs more bars.
        Interrupt: on Ctrl-C.
    """
    try:
        yield
    except (Interrupt, NotEnoughBarsError):
        raise
    except BaseException as e:
        raise LearnerError(_text_of(e)) from e


def imported(setting: str, path: str, allowed: str) -> Any:
    """Return what ``module:name`` names.

    Args:
        setting: the setting's name, for the error's text.
        path: its value.
        allowed: what else the value may be, for the error's text.

    Raises:
        ConfigError: if ``path`` has another form, or cannot be imported.
    """
    module, _, name = path.partition(":")
    if not name:
        raise ConfigError(f"{setting}: got {path!r}; {allowed}")
    try:
        with own_code():
            return getattr(importlib.import_module(module), name)
    except LearnerError as e:
        raise ConfigError(
            f"{setting}: got {path!r}, which cannot be imported ({reason_of(e)}); {allowed}"
        ) from e


def _text_of(error: BaseException) -> str:
    try:
        return utf8(f"{type(error).__name__}: {error}")
    except BaseException:  # noqa: BLE001  (the text is the learner's own code as well)
        return type(error).__name__


def utf8(text: str) -> str:
    """Return a learner's text without halves of characters, which no file takes."""
    return text.encode("utf-8", "replace").decode()
