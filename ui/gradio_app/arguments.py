"""The arguments of the page's functions, checked before any of them runs.

Gradio takes every value of JSON for every argument, and what a function then raises is told to
nobody. So types are checked here, by the hints of the function.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from ui.server.refusals import shown

# The titles of errors; ``ui.gradio_app.answers`` makes them codes.
WRONG, ENDED, AWAY = "Wrong value", "Session has ended", "MLflow does not answer"

LARGEST = 2**53  # up to which every whole number is one in JSON


class RefusedError(gr.Error):
    """A call that is not carried out; the text says why.

    Args:
        text: what was expected, and what came.
        title: ``WRONG``, ``ENDED`` or ``AWAY``.
    """

    def __init__(self, text: str, title: str = WRONG) -> None:
        super().__init__(text, title=title, print_exception=False)


def checked(function: Callable[..., Any], values: Sequence[Any]) -> list[Any]:
    """Return the arguments of a call, the missing ones with their defaults.

    Raises:
        RefusedError: if there are too many, or one is not what the function's hints say.
    """
    parameters = list(inspect.signature(function).parameters.values())
    hints = typing.get_type_hints(function)
    names = [parameter.name for parameter in parameters]
    if len(values) > len(names):
        raise RefusedError(f"data: expected {_listed(names)}; got {len(values)} values")
    given = [_typed(name, hints[name], value) for name, value in zip(names, values, strict=False)]
    return [*given, *(parameter.default for parameter in parameters[len(given) :])]


def _typed(name: str, hint: type, value: Any) -> Any:
    if hint is str and isinstance(value, str):
        return value
    if hint is int and _is_whole(value):
        return int(value)
    wanted = {str: "text", int: "a whole number"}[hint]
    raise RefusedError(f"{name}: expected {wanted}; got {shown(value)}")


def _is_whole(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return -LARGEST <= value <= LARGEST and value == int(value)


def _listed(names: list[str]) -> str:
    return f"at most {', '.join(names)}" if names else "no value"
