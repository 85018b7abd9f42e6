"""The one way in: who you are, and whether that role may do this.

request -> SameOrigin -> Gate -> everything the page serves

nobody, a browser's tab     to the login page
nobody, anything else       401
viewer who would change     403 with the reason
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from trainers.session.access import VIEWER
from ui.access.origin import SAFE_METHODS, SameOrigin
from ui.access.visitors import TooManyAttemptsError, Visitor, Visitors

LOGIN, LOGOUT = "/login", "/logout"
OPEN = {("GET", LOGIN), ("POST", LOGIN), ("POST", LOGOUT)}  # to anybody: they tell nothing
LARGEST_CALL = 1_000_000  # bytes of a viewer's call
NOT_LOGGED_IN = 4401
START = "http.response.start"  # the answer to a request that came in while it was allowed
REASON = "this changes something, which needs the operator's password; you are a viewer"

# Whether a viewer may send this: path and body of a POST.
MayView = Callable[[str, bytes], Awaitable[bool]]


class Gate:
    """The innermost layer.

    Args:
        app: what it protects.
        visitors: tells who is who.
        may_view: tells which POST only reads.
    """

    def __init__(self, app: ASGIApp, *, visitors: Visitors, may_view: MayView) -> None:
        self.app, self.visitors, self.may_view = app, visitors, may_view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope.get("method"), scope["path"]) in OPEN:
            await self.app(scope, receive, send)
            return
        visitor = self._who(scope)
        if isinstance(visitor, Response):
            await _refuse(scope, receive, send, visitor)
            return
        scope.setdefault("state", {})["role"] = visitor.role
        if visitor.role == VIEWER and scope.get("method", "GET") not in SAFE_METHODS:
            receive, allowed = await self._look_inside(scope, receive)
            if not allowed:
                await _refuse(scope, receive, send, _reason(403, REASON))
                return
        await self.app(scope, receive, self._while_logged_in(visitor, scope, send))

    def _who(self, scope: Scope) -> Visitor | Response:
        """Return who asks, or what to answer if that is not known."""
        try:
            return self.visitors.who(HTTPConnection(scope)) or _who_are_you(scope)
        except TooManyAttemptsError as e:
            return _reason(429, str(e), e.headers)

    async def _look_inside(self, scope: Scope, receive: Receive) -> tuple[Receive, bool]:
        """Return whether a viewer may send this, and the request as if it had not been read."""
        body = b""
        async for part in Request(scope, receive).stream():
            body += part
            if len(body) > LARGEST_CALL:
                return receive, False
        is_call = scope["method"] == "POST" and await self.may_view(scope["path"], body)
        return _again(body, receive), is_call

    def _while_logged_in(self, visitor: Visitor, scope: Scope, send: Send) -> Send:
        """End a socket or a stream whose visitor logs out, or whose time is over."""
        last: Message = {"type": "http.response.body"}
        if scope["type"] == "websocket":
            last = {"type": "websocket.close", "code": NOT_LOGGED_IN}
        ended = False

        async def sending(message: Message) -> None:
            nonlocal ended
            if not ended and not self.visitors.still(visitor) and message["type"] != START:
                ended = True
                await send(last)
            if not ended:
                await send(message)

        return sending


def guard(
    app: FastAPI,
    visitors: Visitors,
    may_view: MayView,
    *,
    local: bool,
    names: Collection[str] = (),
) -> None:
    """Put all layers in front of everything ``app`` serves."""
    app.add_middleware(Gate, visitors=visitors, may_view=may_view)
    app.add_middleware(SameOrigin, local=local, names=names)


def _reason(code: int, text: str, headers: dict[str, str] | None = None) -> Response:
    # Gradio's page and client read `detail`.
    return JSONResponse({"detail": text}, code, headers)


def _who_are_you(scope: Scope) -> Response:
    headers = HTTPConnection(scope).headers
    if scope["type"] == "http" and "text/html" in headers.get("accept", ""):
        return _to_login(scope)
    # A browser would ask for name and password in a window of its own.
    basic = {} if "sec-fetch-mode" in headers else {"WWW-Authenticate": 'Basic realm="Tickloop"'}
    return _reason(401, "log in at /login, or send HTTP Basic: operator or viewer", basic)


def _to_login(scope: Scope) -> Response:
    headers = HTTPConnection(scope).headers
    if headers.get("sec-fetch-site") == "cross-site":
        # A strict cookie does not come along with a link from elsewhere, but with the next step.
        return HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0">')
    query = scope["query_string"].decode("latin-1")
    wanted = quote(scope["path"] + f"?{query}" * bool(query), safe="/")
    return RedirectResponse(LOGIN if wanted == "/" else f"{LOGIN}?next={wanted}", 303)


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "http":
        await response(scope, receive, send)
    else:
        await WebSocket(scope, receive, send).send_denial_response(response)


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a ``receive`` that gives ``body`` first, as it was read already."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
