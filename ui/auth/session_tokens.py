"""Session tokens: what a browser has in a signed cookie once it has logged in.

    mlruns/access.json   the signing secret, and the tokens that were logged out

The secret is kept, so that neither a restarted page nor the next session's logs anybody out. The
passwords are part of the key: when one changes, every token ends.
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

from streaming.errors import ConfigError
from trainers.session.access import ROLES, Passwords, Role
from ui.server.private_file import PrivateFile

LIFE_SECONDS = 7 * 86_400  # the page is left open for days


@dataclasses.dataclass(frozen=True)
class SessionToken:
    """One log-in.

    Attributes:
        role: the role whose password was given.
        id: a random id, different for each log-in.
        ends: when it stops to be valid, Unix seconds.
    """

    role: Role
    id: str
    ends: float


class SessionTokens:
    """Issues, reads and revokes session tokens.

    Args:
        path: the file that keeps what has to outlive the process.
        passwords: the passwords of the roles.
        now: returns Unix seconds.

    Raises:
        ConfigError: if the file is damaged.
    """

    def __init__(
        self, path: Path, passwords: Passwords, now: Callable[[], float] = time.time
    ) -> None:
        self._file, self._now = PrivateFile(path), now
        new = {"secret": secrets.token_hex(32), "ended": {}}
        try:
            kept = self._file.change(lambda old: new if old is None else old)
            self._ended: dict[str, float] = dict(kept["ended"])
            secret = bytes.fromhex(kept["secret"])
        except (ValueError, TypeError, KeyError) as e:
            raise ConfigError(
                f"{path}: expected the page's log-ins, it holds something else; remove it, and"
                " everyone logs in again"
            ) from e
        both = json.dumps([passwords.operator, passwords.viewer]).encode()
        key = hmac.digest(secret, both, "sha256")
        self._serializer = URLSafeSerializer(key, salt="session-token")

    def issue(self, role: Role) -> str:
        """Return the text of a new token, for the cookie."""
        token = SessionToken(role, secrets.token_urlsafe(12), self._now() + LIFE_SECONDS)
        return str(self._serializer.dumps(dataclasses.astuple(token)))

    def read(self, text: str) -> SessionToken | None:
        """Return the token if it is one of ours and still valid."""
        try:
            token = SessionToken(*self._serializer.loads(text))
        except (BadSignature, TypeError):
            return None
        return token if token.role in ROLES and self.is_valid(token) else None

    def is_valid(self, token: SessionToken) -> bool:
        """Return whether a token of ours has neither ended nor been revoked."""
        return token.ends > self._now() and token.id not in self._ended

    def revoke(self, token: SessionToken) -> None:
        """Make a token invalid, here and after a restart."""
        self._ended[token.id] = token.ends
        kept = self._file.change(functools.partial(_with_ended, token, self._now()))
        self._ended |= kept["ended"]


def _with_ended(token: SessionToken, now: float, old: dict[str, Any]) -> dict[str, Any]:
    """Return the file with one more revoked token, without those whose time is over."""
    ended = {**old["ended"], token.id: token.ends}
    return old | {"ended": {name: ends for name, ends in ended.items() if ends > now}}
