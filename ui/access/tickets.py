"""What a browser shows instead of the password once it has logged in: a signed cookie.

    mlruns/access.json   the signing secret, and the tickets that were logged out

The secret is kept, so that a restarted page, or the next session's, logs nobody out. The
passwords are part of the key: when one changes, every ticket ends.
"""

from __future__ import annotations

import dataclasses
import functools
import hmac
import json
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from trainers.session.access import ROLES, Passwords, Role
from ui.private_file import PrivateFile

LIFE_SECONDS = 7 * 86_400  # the page is left open for days


@dataclasses.dataclass(frozen=True)
class Ticket:
    """Somebody who knew a password.

    Attributes:
        role: whose password it was.
        id: differs for each login.
        ends: when it stops to count, Unix seconds.
    """

    role: Role
    id: str
    ends: float


class Tickets:
    """Issues, reads and ends tickets.

    Args:
        path: the file that keeps what has to outlive the process.
        passwords: the roles'.
        now: the time, Unix seconds.
    """

    def __init__(
        self, path: Path, passwords: Passwords, now: Callable[[], float] = time.time
    ) -> None:
        self._file, self._now = PrivateFile(path), now
        kept = self._file.change(lambda old: old or {"secret": secrets.token_hex(32), "ended": {}})
        self._ended: dict[str, float] = kept["ended"]
        words = json.dumps([passwords.operator, passwords.viewer]).encode()
        key = hmac.digest(bytes.fromhex(kept["secret"]), words, "sha256")
        self._serializer = URLSafeSerializer(key, salt="ticket")

    def issue(self, role: Role) -> str:
        """Return a new ticket, as it is put into the cookie."""
        ticket = Ticket(role, secrets.token_urlsafe(12), self._now() + LIFE_SECONDS)
        return str(self._serializer.dumps(dataclasses.astuple(ticket)))

    def read(self, text: str) -> Ticket | None:
        """Return the ticket if it is one of ours and still counts."""
        try:
            ticket = Ticket(*self._serializer.loads(text))
        except (BadSignature, TypeError):
            return None
        return ticket if ticket.role in ROLES and self.counts(ticket) else None

    def counts(self, ticket: Ticket) -> bool:
        """Return whether a ticket of ours has neither ended nor been logged out."""
        return ticket.ends > self._now() and ticket.id not in self._ended

    def end(self, ticket: Ticket) -> None:
        """Make a ticket count no more, here and after a restart."""
        self._ended[ticket.id] = ticket.ends
        kept = self._file.change(functools.partial(_also_ended, ticket, self._now()))
        self._ended |= kept["ended"]


def _also_ended(ticket: Ticket, now: float, old: dict[str, Any]) -> dict[str, Any]:
    """Return the file with one more ticket in it, without those whose time is over."""
    ended = {**old["ended"], ticket.id: ticket.ends}
    return old | {"ended": {name: ends for name, ends in ended.items() if ends > now}}
