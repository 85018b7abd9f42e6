"""The passwords of the page, which the session and the page both check before they start.

Passwords come from the environment, since anyone on the machine can read a command line, and MLflow
stores every setting as a param.

    operator   reads and controls            TICKLOOP_OPERATOR_PASSWORD
    viewer     reads                         TICKLOOP_VIEWER_PASSWORD

Without a password, the page serves this machine only, and everyone on it is an operator.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import Literal, Self

from streaming.errors import ConfigError
from streaming.program.environment import LOOPBACK

Role = Literal["operator", "viewer"]
OPERATOR: Role = "operator"
VIEWER: Role = "viewer"
ROLES: tuple[Role, ...] = (OPERATOR, VIEWER)
VARIABLES: dict[Role, str] = {role: f"TICKLOOP_{role.upper()}_PASSWORD" for role in ROLES}
SHORTEST = 8  # characters; the minimum of NIST SP 800-63B


@dataclasses.dataclass(frozen=True)
class Passwords:
    """The passwords of the two roles; ``repr`` does not show them.

    Attributes:
        operator: the operator's password; empty for none.
        viewer: the viewer's password; empty for none.

    Raises:
        ConfigError: if a password is too short, or both are the same.
    """

    operator: str = dataclasses.field(default="", repr=False)
    viewer: str = dataclasses.field(default="", repr=False)

    def __post_init__(self) -> None:
        for role, password in self.of_roles.items():
            if len(password) < SHORTEST:
                raise ConfigError(
                    f"{VARIABLES[role]}: got {len(password)} characters; allowed: {SHORTEST} or"
                    " more"
                )
        if self.operator and self.operator == self.viewer:
            raise ConfigError(f"{VARIABLES[VIEWER]}: got the operator's; allowed: another password")

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Read the passwords from environment variables; an empty one is no password."""
        return cls(*(environ.get(VARIABLES[role], "") for role in ROLES))

    @property
    def of_roles(self) -> dict[Role, str]:
        """The passwords by role, without the roles that have none."""
        each: dict[Role, str] = {OPERATOR: self.operator, VIEWER: self.viewer}
        return {role: password for role, password in each.items() if password}

    @property
    def environ(self) -> dict[str, str]:
        """The environment variables from which ``of`` reads these passwords."""
        return {VARIABLES[role]: password for role, password in self.of_roles.items()}


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine's loopback interface.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def reached_at(host: str) -> str:
    """Return the host in a URL with which this machine reaches a server listening on ``host``."""
    if host in ("", "0.0.0.0", "::"):
        return LOOPBACK
    return f"[{host}]" if ":" in host else host


def check_access(host: str, passwords: Passwords) -> None:
    """Check that a page which other machines can reach has a password.

    Raises:
        ConfigError: if it has none.
    """
    if not is_loopback(host) and not passwords.of_roles:
        raise ConfigError(
            f"page_host: got {host!r}; allowed: 127.0.0.1, ::1 or localhost, unless"
            f" {VARIABLES[OPERATOR]} or {VARIABLES[VIEWER]} holds a password"
        )
