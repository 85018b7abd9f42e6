"""Refuses requests that a browser sends for another site, with or without password.

    write or websocket from another site      403, by Origin and Sec-Fetch-Site
    another site embeds or reads the page     403; it may only link to it
    a foreign name that means 127.0.0.1       403, by Host (DNS rebinding)

Gradio answers any ``Origin`` when it is not on localhost, credentials included; the CORS policy in
``ui.gradio_app.blocks``, which allows none, switches that off.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from trainers.session.access import is_loopback

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_SITE = (None, "same-origin", "none")  # of Sec-Fetch-Site; programs send none

ALWAYS_SENT = {
    "X-Frame-Options": "DENY",  # a click on this page is meant for this page
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


class SameOrigin:
    """The outermost middleware.

    Args:
        app: the application that it protects.
        local: whether the page listens on the loopback interface.
        names: host names by which a proxy passes the page on.
    """

    def __init__(self, app: ASGIApp, *, local: bool, names: Collection[str] = ()) -> None:
        self.app, self.local, self.names = app, local, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif self._allowed(scope):
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await WebSocketClose(4403)(scope, receive, send)
        else:
            refusal = PlainTextResponse("request from another site refused", 403)
            await refusal(scope, receive, send)

    def _allowed(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        return self._is_here(_name_of(host)) and _from_here(scope, headers, host)

    def _is_here(self, name: str) -> bool:
        """Return whether ``name`` is one by which the page is reached.

        On the network any name may be: what a foreign name could reach there is behind a password
        that a browser does not send for it.
        """
        if is_loopback(name) or name in self.names:
            return True
        return not self.local and (not self.names or _is_address(name))


def _from_here(scope: Scope, headers: Headers, host: str) -> bool:
    is_read = scope["type"] == "http" and scope["method"] in SAFE_METHODS
    if headers.get("sec-fetch-site") not in OWN_SITE and not (is_read and _followed_link(headers)):
        return False
    origin = headers.get("origin")  # browsers always send it with writes and sockets
    return is_read or origin is None or urlsplit(origin.lower()).netloc == host


def _followed_link(headers: Headers) -> bool:
    """Return whether a whole tab navigates to the page, not a part of another site's page."""
    mode_and_dest = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return mode_and_dest == ("navigate", "document")


def _name_of(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half an IPv6 address
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in ALWAYS_SENT.items():
                headers.setdefault(name, value)
        await send(message)

    return sending
