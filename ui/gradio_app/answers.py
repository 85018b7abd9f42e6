"""Makes Gradio's refusals the page's: a code that says whose fault it is, and one line.

Gradio answers 500 to every failed call, with ``{"error": null}`` or a traceback on the console
where the caller named a function that is not there. Calls are looked at before Gradio sees them,
and a refused one gets the code of its kind.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.data_classes import PredictBody
from pydantic import ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.gradio_app.arguments import AWAY, ENDED, WRONG
from ui.gradio_app.permissions import CALL, JOIN, RUN, function_of
from ui.server.bodies import LARGEST_CALL, TooLargeError, again, body_of
from ui.server.refusals import refusal, wrong_value

CODES = {WRONG: 422, ENDED: 409, AWAY: 503}
FAILED = "the page failed at this; its log says more"


class AnswerMiddleware:
    """A middleware around Gradio's application.

    Args:
        app: the application.
        blocks: the page that it serves.
    """

    def __init__(self, app: ASGIApp, *, blocks: gr.Blocks) -> None:
        self.app, self.blocks = app, blocks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        is_call = any(pattern.fullmatch(path) for pattern in (RUN, CALL, JOIN))
        if scope["type"] != "http" or scope["method"] != "POST" or not is_call:
            await self.app(scope, receive, send)
            return
        try:
            body = await body_of(Request(scope, receive), LARGEST_CALL)
        except TooLargeError as e:
            await refusal(413, str(e))(scope, receive, send)
            return
        except ClientDisconnect:
            return  # whoever asked has left
        if found := wrong_call(self.blocks, path, body):
            await refusal(*found)(scope, receive, send)
            return
        answer = _Answer(scope, receive, send)
        await self.app(scope, again(body, receive), answer)


class _Answer:
    """Passes an answer on; one that says that the call failed is held back and worded anew."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._code, self._body = 200, b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._code = message["status"]
        if self._code < 400:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._reworded()(self._scope, self._receive, self._send)

    def _reworded(self) -> JSONResponse:
        try:
            found = json.loads(self._body)
        except ValueError:
            found = None
        told: Mapping[str, Any] = found if isinstance(found, dict) else {}
        text = told.get("error") or told.get("detail")
        if not isinstance(text, str):
            return refusal(self._code, FAILED)
        return refusal(CODES.get(str(told.get("title")), self._code), text)


def wrong_call(blocks: gr.Blocks, path: str, body: bytes) -> tuple[int, str] | None:
    """Return the code and the line that refuse a call; None if there is such a function to call."""
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return 400, 'body: expected JSON, such as {"data": []}'
    if not isinstance(asked, dict):
        return 422, f'body: expected an object, such as {{"data": []}}; got {_kind(asked)}'
    try:
        if "/call/v2/" not in path:
            PredictBody(**asked)
    except (ValidationError, TypeError) as e:
        if isinstance(e, ValidationError):
            return 422, wrong_value(dict(e.errors()[0]))
        return 422, f"body: expected names of fields; got {e}"
    if asked.get("batched"):
        return 422, "batched: expected false; got true"
    try:
        function = function_of(blocks, path, body)
    except Exception:  # noqa: BLE001  (Gradio has no class for what is not there)
        function = None
    if function is None:
        names = ", ".join(f"/{fn.api_name}" for fn in blocks.fns.values())
        return 404, f"there is no such function; allowed: {names}"
    return None


def _kind(value: Any) -> str:
    return {list: "a list", str: "text", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )
