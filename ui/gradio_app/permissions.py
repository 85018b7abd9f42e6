"""Whether a viewer may run the function that a request asks Gradio for.

Gradio's ``api_visibility`` only hides a function: anybody can still run it by its number, on any
of several paths. So the function is found as Gradio finds it, and a viewer may run those that are
marked with ``for_viewers``, and no other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

import gradio as gr
from gradio.data_classes import PredictBody
from gradio.route_utils import get_fn

Function = TypeVar("Function", bound=Callable[..., Any])

RUN = re.compile(r"/gradio_api/(?:run|api)/([^/]+)/?")
CALL = re.compile(r"/gradio_api/call/(?:v2/)?([^/]+)/?")
JOIN = re.compile(r"/gradio_api/queue/join")
MARK = "__for_viewers__"


def for_viewers(function: Function) -> Function:
    """Mark a function that only reads."""
    setattr(function, MARK, True)
    return function


def may_view(blocks: gr.Blocks, path: str, body: bytes) -> bool:
    """Return whether a POST runs a function that only reads.

    Args:
        blocks: the page.
        path: the path of the request.
        body: the whole body of the request.
    """
    try:
        function = function_of(blocks, path, body)
    except Exception:  # noqa: BLE001  (whatever went wrong: it is not known to be harmless)
        return False
    return bool(getattr(function, MARK, False))


def function_of(blocks: gr.Blocks, path: str, body: bytes) -> Any:
    """Return the function, found as Gradio's own routes find it.

    Raises:
        Exception: any exception of Gradio's, if there is no such function.
    """
    if named := CALL.fullmatch(path):  # takes no number
        return get_fn(blocks, named[1], PredictBody(data=[])).fn
    named = RUN.fullmatch(path)
    if not named and not JOIN.fullmatch(path):
        return None
    asked = PredictBody(**json.loads(body))
    return get_fn(blocks, named[1] if named else None, asked).fn
