"""How the page says no: a code and one line, ``{"error": "<what was expected, what came>"}``.

``detail`` holds the same line, since Gradio's page and client read that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

WRONG = 422
SHOWN_CHARS = 100  # of a wrong value


def refusal(code: int, text: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer that refuses a request."""
    # One line, and none of the halves of characters that JSON may hold and UTF-8 may not.
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return JSONResponse({"error": line, "detail": line}, code, dict(headers or {}))


def add_refusals(app: FastAPI) -> None:
    """Answer every wrong request to ``app`` in this way."""

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return refusal(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        return refusal(WRONG, wrong_value(error.errors()[0]))


def wrong_value(error: Mapping[str, Any]) -> str:
    """Return one of pydantic's errors as a line: where, what was expected, what came."""
    place = [str(part) for part in error["loc"] if part not in ("body", "query", "path", "header")]
    came = "nothing" if error["type"] == "missing" else shown(error.get("input"))
    return f"{'.'.join(place) or 'body'}: {_expected(error)}; got {came}"


def shown(value: Any) -> str:
    """Return a value as a short text."""
    try:
        text = repr(value)
    except RecursionError:
        text = "..."
    return text if len(text) <= SHOWN_CHARS else f"{text[:SHOWN_CHARS]}..."


def _expected(error: Mapping[str, Any]) -> str:
    text = str(error["msg"])
    if error["type"] == "missing":
        return "expected a value"
    return text.replace("Input should be", "expected", 1)
