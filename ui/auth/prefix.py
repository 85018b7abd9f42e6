"""Where a proxy serves the page: its address, and the path that X-Forwarded-Prefix names.

Redirects and Gradio need the path; the page's scripts do not, as their addresses are relative.
"""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")


def prefix_of(headers: Headers) -> str:
    """Return the path, such as ``/tickloop``; empty where the page has a name of its own.

    >>> prefix_of(Headers({"x-forwarded-prefix": "/tickloop/"}))
    '/tickloop'
    >>> prefix_of(Headers({"x-forwarded-prefix": "//evil.example"}))
    ''
    """
    prefix = headers.get("x-forwarded-prefix", "").partition(",")[0].strip().rstrip("/")
    return prefix if PREFIX.fullmatch(prefix) else ""


def address_of(headers: Headers) -> str:
    """Return the host and port that a browser asked for, as far as a proxy has passed them on."""
    forwarded = headers.get("x-forwarded-host", "").partition(",")[0].strip()
    return forwarded or headers.get("host", "")


class Prefixed:
    """A middleware that tells Gradio the path, as the ASGI standard's ``root_path``.

    Args:
        app: Gradio's application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (prefix := prefix_of(Headers(scope=scope))):
            scope = {**scope, "root_path": prefix, "path": prefix + scope["path"]}
        await self.app(scope, receive, send)
