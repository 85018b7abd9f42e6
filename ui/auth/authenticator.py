"""Who sends a request: a principal with a role, nobody, or someone who has guessed too often.

cookie of the login page     browsers
HTTP Basic, role:password    programs
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
import hmac
import math
import secrets
import time
from pathlib import Path

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from trainers.session.access import OPERATOR, Passwords, Role
from ui.auth.login_attempts import LoginAttempts
from ui.auth.session_tokens import SessionToken, SessionTokens


class TooManyAttemptsError(Exception):
    """Too many wrong passwords: answer 429, to be tried again after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        whole = math.ceil(seconds)
        super().__init__(f"Too many wrong passwords: try again in {whole} s.")
        self.headers = {"Retry-After": str(whole)}


@dataclasses.dataclass(frozen=True)
class Principal:
    """Somebody with a role; ``token`` is None where no cookie told the role."""

    role: Role
    token: SessionToken | None = None


class Authenticator:
    """Finds the principal of each request.

    Args:
        passwords: the passwords of the roles; without any, everyone is the operator.
        path: the file in which session tokens outlive the process.
        cookie: the cookie's name. Browsers keep one jar for all ports of a host, so that two
            pages need two names.
    """

    def __init__(self, passwords: Passwords, path: Path, cookie: str) -> None:
        self.cookie = cookie
        self.roles = tuple(passwords.of_roles)
        self._tokens = SessionTokens(path, passwords) if self.roles else None
        self._attempts = LoginAttempts()
        self._salt = secrets.token_bytes(32)
        self._digests = {role: self._digest(secret) for role, secret in passwords.of_roles.items()}

    def authenticate(self, connection: HTTPConnection) -> Principal | None:
        """Return who sent a request, None if that is nobody known.

        Raises:
            TooManyAttemptsError: if it has a password, after too many wrong ones.
        """
        if not self.roles:
            return Principal(OPERATOR)
        if token := self.token(connection):
            return Principal(token.role, token)
        basic = _basic(connection.headers)
        role = self.role_of(connection, *basic) if basic else None
        return Principal(role) if role else None

    def role_of(self, connection: HTTPConnection, name: str, password: str) -> Role | None:
        """Return the role that a password belongs to; None, and one attempt less, if it is wrong.

        Args:
            connection: the request that has the password.
            name: the role's name; if it is empty, the password alone decides.
            password: the password as it was typed.

        Raises:
            TooManyAttemptsError: after too many wrong ones, whether this one is right or not.
        """
        address = connection.client.host if connection.client else ""
        now = time.monotonic()
        if (seconds := self._attempts.wait(address, now)) > 0:
            raise TooManyAttemptsError(seconds)
        role = self._match(name, password)
        if role is None:
            self._attempts.failed(address, now)
        else:
            self._attempts.passed(address, now)
        return role

    def token(self, connection: HTTPConnection) -> SessionToken | None:
        """Return the session token in the cookie, if it is valid."""
        text = connection.cookies.get(self.cookie, "")
        return self._tokens.read(text) if self._tokens else None

    def issue(self, role: Role) -> str:
        """Return the text of a new session token, for the cookie."""
        assert self._tokens is not None  # without passwords nobody has to log in
        return self._tokens.issue(role)

    def log_out(self, connection: HTTPConnection) -> None:
        """Revoke the session token in the cookie."""
        token = self.token(connection)
        if token and self._tokens:
            self._tokens.revoke(token)

    def is_valid(self, principal: Principal) -> bool:
        """Return whether a principal's session token is still valid, if it has one."""
        token = principal.token
        return self._tokens is None or token is None or self._tokens.is_valid(token)

    def _match(self, name: str, password: str) -> Role | None:
        given = self._digest(password)
        # All are compared, and each comparison takes the same time whatever is in it.
        right = {role: hmac.compare_digest(given, known) for role, known in self._digests.items()}
        return next((role for role, is_it in right.items() if is_it and name in ("", role)), None)

    def _digest(self, password: str) -> bytes:
        return hmac.digest(self._salt, password.encode("utf-8", "surrogatepass"), "sha256")


def _basic(headers: Headers) -> tuple[str, str] | None:
    """Return name and password of an ``Authorization: Basic`` header."""
    scheme, _, coded = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(coded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon and name else None
