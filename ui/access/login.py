"""The login page, which works without JavaScript, and what logs out.

GET /login     the form
POST /login    password (and username: the role, as gradio_client sends it) -> cookie
POST /logout   ends the ticket
GET /live/me   the role, for the page's scripts
"""

from __future__ import annotations

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import parse_qsl

from fastapi import FastAPI, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from trainers.session.access import OPERATOR, Role
from ui.access.gate import LOGIN, LOGOUT
from ui.access.tickets import LIFE_SECONDS
from ui.access.visitors import TooManyAttemptsError, Visitors

PAGE = (Path(__file__).parent / "login.html").read_text(encoding="utf-8")
STYLE = re.findall(r"<style>(.*?)</style>", PAGE, re.DOTALL)[0]
STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self';"
        " frame-ancestors 'none'; base-uri 'none'"
    ),
}
LARGEST_FORM = 4096  # bytes; from anybody
WRONG = "That is not a password of this page."
ABOUT: dict[tuple[Role, ...], str] = {
    ("operator", "viewer"): (
        "The operator's password shows the page and controls it; the viewer's only shows it."
    ),
    ("operator",): "The password shows the page and controls it.",
    ("viewer",): "The password shows the page. Nobody can control it from here.",
}


def add_login(app: FastAPI, visitors: Visitors) -> None:
    """Serve the login from ``app``."""

    @app.get(LOGIN)
    def form(request: Request, next: str = "/") -> Response:
        if not visitors.roles or visitors.ticket(request):
            return RedirectResponse(local_path(next), 303)
        return login_page(visitors.roles, next)

    @app.post(LOGIN)
    async def log_in(request: Request) -> Response:
        fields = await _form(request)
        wanted = fields.get("next", "/")
        if not visitors.roles:
            return _welcome(request, visitors, OPERATOR, wanted)
        try:
            role = visitors.role_of(request, fields.get("username", ""), fields.get("password", ""))
        except TooManyAttemptsError as e:
            return _no(request, visitors.roles, wanted, str(e), 429, e.headers)
        if role is None:
            return _no(request, visitors.roles, wanted, WRONG, 401)
        return _welcome(request, visitors, role, wanted)

    @app.post(LOGOUT)
    def log_out(request: Request) -> Response:
        visitors.log_out(request)
        answer = RedirectResponse(LOGIN, 303)
        answer.delete_cookie(visitors.cookie, httponly=True, samesite="strict")
        return answer

    @app.get("/live/me")
    def me(request: Request) -> dict[str, str | bool]:
        return {"role": request.state.role, "password": bool(visitors.roles)}


def login_page(
    roles: tuple[Role, ...], wanted: str, alert: str = "", code: int = 200
) -> HTMLResponse:
    """Return the form, and above it what went wrong."""
    page = Template(PAGE).substitute(
        about=ABOUT[roles],
        next=escape(local_path(wanted)),
        alert=f'<p class="alert" role="alert" id="alert">{escape(alert)}</p>' if alert else "",
        invalid='aria-invalid="true" aria-describedby="alert"' if alert else "",
    )
    return HTMLResponse(page, code, HEADERS)


def local_path(path: str) -> str:
    r"""Return ``path`` if it stays on this page, else the page's start.

    >>> local_path("/live/me"), local_path("//evil.example"), local_path(r"/\evil.example")
    ('/live/me', '/', '/')
    """
    stays = re.fullmatch(r"/(?![/\\])[!-~]*", path) and not path.startswith((LOGIN, LOGOUT))
    return path if stays else "/"


def _welcome(request: Request, visitors: Visitors, role: Role, wanted: str) -> Response:
    """Hand out a ticket, and go on to where the visitor wanted to go."""
    answer: Response = JSONResponse({"role": role})
    if _is_tab(request):
        answer = RedirectResponse(local_path(wanted), 303)
    if not visitors.roles:
        return answer  # there is nothing to log in to
    answer.set_cookie(
        visitors.cookie,
        visitors.issue(role),
        max_age=LIFE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _no(
    request: Request,
    roles: tuple[Role, ...],
    wanted: str,
    text: str,
    code: int,
    headers: dict[str, str] | None = None,
) -> Response:
    answer: Response = JSONResponse({"detail": text}, code)
    if _is_tab(request):
        answer = login_page(roles, wanted, text, code)
    answer.headers.update(headers or {})
    return answer


def _is_tab(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form that is not too long to be this one."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            return {}
    return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
