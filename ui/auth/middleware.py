"""Authentication and authorisation of every request.

request -> SameOrigin -> AuthMiddleware -> everything the page serves

nobody, a browser's tab     is sent to the login page
nobody, anything else       gets 401
viewer who would change     gets 403 with the reason
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import ClientDisconnect, HTTPConnection, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from trainers.session.access import VIEWER
from ui.auth.authenticator import Authenticator, Principal, TooManyAttemptsError
from ui.auth.prefix import prefix_of
from ui.auth.same_origin import SAFE_METHODS, SameOrigin
from ui.server.bodies import LARGEST_CALL, TooLargeError, again, body_of
from ui.server.refusals import refusal

LOGIN, LOGOUT = "/login", "/logout"
OPEN = {("GET", LOGIN), ("POST", LOGIN), ("POST", LOGOUT)}  # to anybody, as they reveal nothing
NOT_LOGGED_IN = 4401
START = "http.response.start"  # the answer to a request that was allowed when it came
REASON = "this changes something, which needs the operator's password; you are a viewer"

# Returns whether a viewer may send a POST, from its path and body.
MayView = Callable[[str, bytes], Awaitable[bool]]


class AuthMiddleware:
    """Lets through what a principal's role allows.

    Args:
        app: the application that it protects.
        authenticator: finds the principal of each request.
        may_view: returns whether a POST only reads.
    """

    def __init__(self, app: ASGIApp, *, authenticator: Authenticator, may_view: MayView) -> None:
        self.app, self.authenticator, self.may_view = app, authenticator, may_view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or (scope.get("method"), scope["path"]) in OPEN:
            await self.app(scope, receive, send)
            return
        principal = self._authenticate(scope)
        if isinstance(principal, Response):
            await _refuse(scope, receive, send, principal)
            return
        scope.setdefault("state", {})["role"] = principal.role
        if principal.role == VIEWER and scope.get("method", "GET") not in SAFE_METHODS:
            receive, allowed = await self._authorise(scope, receive)
            if not allowed:
                await _refuse(scope, receive, send, refusal(403, REASON))
                return
        await self.app(scope, receive, self._while_logged_in(principal, scope, send))

    def _authenticate(self, scope: Scope) -> Principal | Response:
        """Return the principal, or the answer if there is none."""
        try:
            return self.authenticator.authenticate(HTTPConnection(scope)) or _unauthenticated(scope)
        except TooManyAttemptsError as e:
            return refusal(429, str(e), e.headers)

    async def _authorise(self, scope: Scope, receive: Receive) -> tuple[Receive, bool]:
        """Return the request as if it had not been read, and whether a viewer may send it."""
        try:
            body = await body_of(Request(scope, receive), LARGEST_CALL)
        except (TooLargeError, ClientDisconnect):
            return receive, False
        is_call = scope["method"] == "POST" and await self.may_view(scope["path"], body)
        return again(body, receive), is_call

    def _while_logged_in(self, principal: Principal, scope: Scope, send: Send) -> Send:
        """End a socket or a stream whose principal logs out, or whose token ends."""
        last: Message = {"type": "http.response.body"}
        if scope["type"] == "websocket":
            last = {"type": "websocket.close", "code": NOT_LOGGED_IN}
        ended = False

        async def sending(message: Message) -> None:
            nonlocal ended
            if (
                not ended
                and not self.authenticator.is_valid(principal)
                and message["type"] != START
            ):
                ended = True
                await send(last)
            if not ended:
                await send(message)

        return sending


def add_auth(
    app: FastAPI,
    authenticator: Authenticator,
    may_view: MayView,
    *,
    local: bool,
    names: Collection[str] = (),
) -> None:
    """Put both middlewares in front of everything that ``app`` serves."""
    app.add_middleware(AuthMiddleware, authenticator=authenticator, may_view=may_view)
    app.add_middleware(SameOrigin, local=local, names=names)


def _unauthenticated(scope: Scope) -> Response:
    headers = HTTPConnection(scope).headers
    if scope["type"] == "http" and "text/html" in headers.get("accept", ""):
        return _to_login(scope)
    # A browser would ask for name and password in a window of its own.
    basic = {} if "sec-fetch-mode" in headers else {"WWW-Authenticate": 'Basic realm="Tickloop"'}
    return refusal(401, "log in at /login, or send HTTP Basic: operator or viewer", basic)


def _to_login(scope: Scope) -> Response:
    headers = HTTPConnection(scope).headers
    if headers.get("sec-fetch-site") == "cross-site":
        # A link from another site brings no strict cookie, but the next request does.
        return HTMLResponse('<!doctype html><meta http-equiv="refresh" content="0">')
    query = scope["query_string"].decode("latin-1")
    path = quote(scope["path"] + f"?{query}" * bool(query), safe="/")
    login = prefix_of(headers) + LOGIN
    return RedirectResponse(login if path == "/" else f"{login}?next={path}", 303)


async def _refuse(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    if scope["type"] == "http":
        await response(scope, receive, send)
    else:
        await WebSocket(scope, receive, send).send_denial_response(response)
