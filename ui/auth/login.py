"""The login page, which works without JavaScript, and the log-out.

GET /login     the form
POST /login    password (and username: the role, as gradio_client sends it) -> cookie
POST /logout   revokes the session token
GET /live/me   the role, for the page's scripts; its header X-Seen-Host is the page's address as it
               came here, which a proxy may have changed
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
from ui.auth.authenticator import Authenticator, TooManyAttemptsError
from ui.auth.middleware import LOGIN, LOGOUT
from ui.auth.prefix import address_of, prefix_of
from ui.auth.session_tokens import LIFE_SECONDS

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
SEEN_HOST = "X-Seen-Host"
LARGEST_FORM = 4096  # bytes that anybody may send
WRONG = (
    "Wrong password. Forgotten? It is the variable TICKLOOP_OPERATOR_PASSWORD or"
    " TICKLOOP_VIEWER_PASSWORD where the session was started."
)
ABOUT: dict[tuple[Role, ...], str] = {
    ("operator", "viewer"): (
        "The operator's password shows the page and controls it; the viewer's only shows it."
    ),
    ("operator",): "The password shows the page and controls it.",
    ("viewer",): "The password shows the page. Nobody can control it from here.",
}


def add_login(app: FastAPI, authenticator: Authenticator) -> None:
    """Serve the login from ``app``."""

    @app.get(LOGIN)
    def form(request: Request, next: str = "/") -> Response:
        if not authenticator.roles or authenticator.token(request):
            return RedirectResponse(prefix_of(request.headers) + local_path(next), 303)
        return login_page(authenticator.roles, next)

    @app.post(LOGIN)
    async def log_in(request: Request) -> Response:
        fields = await _form(request)
        path = fields.get("next", "/")
        if not authenticator.roles:
            return _accept(request, authenticator, OPERATOR, path)
        try:
            role = authenticator.role_of(
                request, fields.get("username", ""), fields.get("password", "")
            )
        except TooManyAttemptsError as e:
            return _reject(request, authenticator.roles, path, str(e), 429, e.headers)
        if role is None:
            return _reject(request, authenticator.roles, path, WRONG, 401)
        return _accept(request, authenticator, role, path)

    @app.post(LOGOUT)
    def log_out(request: Request) -> Response:
        authenticator.log_out(request)
        answer = RedirectResponse(prefix_of(request.headers) + LOGIN, 303)
        answer.delete_cookie(authenticator.cookie, httponly=True, samesite="strict")
        return answer

    @app.get("/live/me")
    def me(request: Request, response: Response) -> dict[str, str | bool]:
        response.headers[SEEN_HOST] = address_of(request.headers)
        return {"role": request.state.role, "password": bool(authenticator.roles)}


def login_page(
    roles: tuple[Role, ...], path: str, alert: str = "", code: int = 200
) -> HTMLResponse:
    """Return the form, with what went wrong above it."""
    page = Template(PAGE).substitute(
        about=ABOUT[roles],
        next=escape(local_path(path)),
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


def _accept(request: Request, authenticator: Authenticator, role: Role, path: str) -> Response:
    """Answer a right password: issue a session token, and go to ``path``."""
    answer: Response = JSONResponse({"role": role})
    if _is_tab(request):
        answer = RedirectResponse(prefix_of(request.headers) + local_path(path), 303)
    if not authenticator.roles:
        return answer  # there is nothing to log in to
    answer.set_cookie(
        authenticator.cookie,
        authenticator.issue(role),
        max_age=LIFE_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


def _reject(
    request: Request,
    roles: tuple[Role, ...],
    path: str,
    text: str,
    code: int,
    headers: dict[str, str] | None = None,
) -> Response:
    answer: Response = JSONResponse({"detail": text}, code)
    if _is_tab(request):
        answer = login_page(roles, path, text, code)
    answer.headers.update(headers or {})
    return answer


def _is_tab(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of the form; none if it is longer than this form can be."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_FORM:
            return {}
    return dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
