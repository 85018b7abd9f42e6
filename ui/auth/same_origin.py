"""Refuses requests that a browser sends for another site, with or without password.

    write or websocket from another site      403, by Origin and Sec-Fetch-Site
    another site embeds or reads the page     403; it may only link to it
    a foreign name that means 127.0.0.1       403, by Host (DNS rebinding)

A proxy may pass ``Host`` on without its port, while the browser's ``Origin`` has it. Two headers
tell which port was meant. Sec-Fetch-Site is the browser's own word that both are the same, the port
included (another port is "same-site"); no script can set it. X-Forwarded-Host comes from the proxy;
a script of another site cannot set it, as that needs a preflight, which is refused. Neither lets in
a name by which the page is not reached, so a rebound name gains nothing by them.

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
from starlette.websockets import WebSocket

from trainers.session.access import is_loopback
from ui.auth.prefix import address_of

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OWN_SITE = (None, "same-origin", "none")  # of Sec-Fetch-Site; programs send none

OTHER_SITE = "request from another site refused"
OTHER_PORT = (
    "request from another site refused: its Origin and its Host differ in the port; if a proxy"
    " passes it on, have the proxy set Host, or X-Forwarded-Host, to the name with the port (nginx:"
    " proxy_set_header Host $http_host)"
)
FOREIGN_NAME = (
    "the page is not reached by the name {name}: if a proxy serves it under that name, start it"
    " with --page_names {name}"
)

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
            return
        text = self._reason(scope)
        if not text:
            await self.app(scope, receive, _with_headers(send))
        else:
            refusal = PlainTextResponse(text, 403)
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).send_denial_response(refusal)
            else:
                await refusal(scope, receive, send)

    def _reason(self, scope: Scope) -> str:
        """Return why a request is refused and what to do about it; empty if it is not."""
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        name = _name_of(host)
        if not self._is_here(name):
            return FOREIGN_NAME.format(name=_shown(name or host))
        is_read = scope["type"] == "http" and scope["method"] in SAFE_METHODS
        site = headers.get("sec-fetch-site")
        if site not in OWN_SITE and not (is_read and _followed_link(headers)):
            return OTHER_SITE
        origin = headers.get("origin")  # browsers always send it with writes and sockets
        if is_read or origin is None:
            return ""
        came_from = _netloc_of(origin.lower())
        if came_from in (host, self._forwarded(headers, name)):
            return ""
        if came_from and _name_of(came_from) == name:
            return "" if site == "same-origin" else OTHER_PORT
        return OTHER_SITE

    def _forwarded(self, headers: Headers, name: str) -> str | None:
        """Return the address that a browser asked a proxy for; None if it is not this page's."""
        address = address_of(headers).lower()
        return address if _name_of(address) in {name, *self.names} else None

    def _is_here(self, name: str) -> bool:
        """Return whether ``name`` is one by which the page is reached.

        On the network any name may be: what a foreign name could reach there is behind a password
        that a browser does not send for it.
        """
        if is_loopback(name) or name in self.names:
            return True
        return not self.local and (not self.names or _is_address(name))


def _followed_link(headers: Headers) -> bool:
    """Return whether a whole tab navigates to the page, not a part of another site's page."""
    mode_and_dest = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
    return mode_and_dest == ("navigate", "document")


def _netloc_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc
    except ValueError:  # half an IPv6 address
        return ""


def _shown(name: str) -> str:
    return name if name.isascii() and name.isprintable() else ascii(name)


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
