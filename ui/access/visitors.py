"""Who a request comes from: a role, nobody, or somebody who has guessed too often.

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
from ui.access.attempts import Attempts
from ui.access.tickets import Ticket, Tickets


class TooManyAttemptsError(Exception):
    """Too many wrong passwords: answer 429, to be tried again after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        whole = math.ceil(seconds)
        super().__init__(f"Too many wrong passwords: try again in {whole} s.")
        self.headers = {"Retry-After": str(whole)}


@dataclasses.dataclass(frozen=True)
class Visitor:
    """Somebody with a role; ``ticket`` if a cookie told it."""

    role: Role
    ticket: Ticket | None = None


class Visitors:
    """Tells who is who.

    Args:
        passwords: the roles'; without any, everyone is the operator.
        path: where tickets keep what outlives the process.
        cookie: the cookie's name. Browsers keep one jar for all ports of a host, so that two
            pages need two names.
    """

    def __init__(self, passwords: Passwords, path: Path, cookie: str) -> None:
        self.cookie = cookie
        self.roles = tuple(passwords.of_roles)
        self._tickets = Tickets(path, passwords) if self.roles else None
        self._attempts = Attempts()
        self._salt = secrets.token_bytes(32)
        self._digests = {role: self._digest(word) for role, word in passwords.of_roles.items()}

    def who(self, connection: HTTPConnection) -> Visitor | None:
        """Return who sent a request, None if nobody known.

        Raises:
            TooManyAttemptsError: if it brought a password, after too many wrong ones.
        """
        if not self.roles:
            return Visitor(OPERATOR)
        if ticket := self.ticket(connection):
            return Visitor(ticket.role, ticket)
        basic = _basic(connection.headers)
        role = self.role_of(connection, *basic) if basic else None
        return Visitor(role) if role else None

    def role_of(self, connection: HTTPConnection, name: str, password: str) -> Role | None:
        """Return the role a password belongs to; None, and one attempt less, if to none.

        Args:
            connection: who tries.
            name: of the role; empty if the password alone shall tell.
            password: as it was typed.

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

    def ticket(self, connection: HTTPConnection) -> Ticket | None:
        """Return the ticket in the cookie, if it counts."""
        text = connection.cookies.get(self.cookie, "")
        return self._tickets.read(text) if self._tickets else None

    def issue(self, role: Role) -> str:
        """Return a new ticket, as it is put into the cookie."""
        assert self._tickets is not None  # without passwords nobody has to log in
        return self._tickets.issue(role)

    def log_out(self, connection: HTTPConnection) -> None:
        """End the ticket in the cookie."""
        ticket = self.ticket(connection)
        if ticket and self._tickets:
            self._tickets.end(ticket)

    def still(self, visitor: Visitor) -> bool:
        """Return whether a visitor who came in may stay."""
        return self._tickets is None or not visitor.ticket or self._tickets.counts(visitor.ticket)

    def _match(self, name: str, password: str) -> Role | None:
        given = self._digest(password)
        # All are compared, each in the same time whatever is in it.
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
