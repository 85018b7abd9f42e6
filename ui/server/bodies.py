"""Reads a request's body before the application does, which then gets it as if nobody had."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import Message, Receive

LARGEST_CALL = 1_000_000  # bytes of a call of the API


class TooLargeError(Exception):
    """A request's body is larger than allowed; the text says how large that is."""


async def body_of(request: Request, most: int) -> bytes:
    """Return a request's body.

    Raises:
        TooLargeError: if it has more than ``most`` bytes.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > most:
            raise TooLargeError(f"body: expected at most {most:,} bytes")
    return body


def again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives ``body`` first, which was read already."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
