"""Runs a learner's own code: whatever it raises, ``sys.exit`` included, is that learner's failure.

Nothing that ends the process for a reason of ours comes this way: a session's processes set a flag
on a signal, and Ctrl-C elsewhere is ``streaming.program.interrupt.Interrupt``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from datamodules.snapshot import NotEnoughBarsError
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


def _text_of(error: BaseException) -> str:
    try:
        return utf8(f"{type(error).__name__}: {error}")
    except BaseException:  # noqa: BLE001  (the text is the learner's own code as well)
        return type(error).__name__


def utf8(text: str) -> str:
    """Return a learner's text without halves of characters, which no file takes."""
    return text.encode("utf-8", "replace").decode()
