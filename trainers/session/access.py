"""Who may use the page: what the session and the page both check before anything starts.

Passwords come from the environment, since anyone on the machine can list the words of a command
line, and MLflow keeps every setting as a param.

    operator   reads and controls            TICKLOOP_OPERATOR_PASSWORD
    viewer     reads                         TICKLOOP_VIEWER_PASSWORD

Without either, the page is for this machine only, and everyone there is its operator.
"""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import Mapping
from typing import Literal, Self

from streaming.errors import ConfigError

Role = Literal["operator", "viewer"]
OPERATOR: Role = "operator"
VIEWER: Role = "viewer"
ROLES: tuple[Role, ...] = (OPERATOR, VIEWER)
VARIABLES: dict[Role, str] = {role: f"TICKLOOP_{role.upper()}_PASSWORD" for role in ROLES}
SHORTEST = 8  # characters; what NIST SP 800-63B asks for at least


@dataclasses.dataclass(frozen=True)
class Passwords:
    """The password of each role that has one; never shown, not even by ``repr``.

    Raises:
        ConfigError: if one is too short, or both are the same.
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
        """Read them from the environment; an empty variable is none."""
        return cls(*(environ.get(VARIABLES[role], "") for role in ROLES))

    @property
    def of_roles(self) -> dict[Role, str]:
        """Role -> its password, of those that have one."""
        each: dict[Role, str] = {OPERATOR: self.operator, VIEWER: self.viewer}
        return {role: password for role, password in each.items() if password}

    @property
    def environ(self) -> dict[str, str]:
        """The variables that a process needs to read these."""
        return {VARIABLES[role]: password for role, password in self.of_roles.items()}


def is_loopback(host: str) -> bool:
    """Return whether ``host`` names this machine's loopback interface.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("0.0.0.0")
    (True, True, False)
    """
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_access(host: str, passwords: Passwords) -> None:
    """Refuse to show the page to other machines without a password.

    Raises:
        ConfigError: in one line, with what to do.
    """
    if not is_loopback(host) and not passwords.of_roles:
        raise ConfigError(
            f"page_host: got {host!r}; allowed: 127.0.0.1, ::1 or localhost, unless"
            f" {VARIABLES[OPERATOR]} or {VARIABLES[VIEWER]} holds a password"
        )
