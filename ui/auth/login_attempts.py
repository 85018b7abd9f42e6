"""How often a password may be guessed.

Each address may try five wrong passwords, and one more every 12 s; all addresses together may try
30, and one more every 2 s, so that neither many addresses nor made-up ones (X-Forwarded-For) help.
An address that knew a password is not delayed by the guesses of others. While an address waits, the
right password is refused too: else a guesser would just go on.

All times are seconds of one clock.
"""

from __future__ import annotations

import ipaddress

from ui.server.rate_limit import TokenBucket

PER_ADDRESS, ADDRESS_SECONDS = 5, 12.0
OVERALL, OVERALL_SECONDS = 30, 2.0
TRUSTED_SECONDS = 7 * 86_400.0


class LoginAttempts:
    """The rate limits of log-ins."""

    def __init__(self) -> None:
        self._overall = TokenBucket(OVERALL, OVERALL_SECONDS)
        self._addresses: dict[str, TokenBucket] = {}
        self._trusted: dict[str, float] = {}  # address -> its last right password

    def wait(self, address: str, now: float) -> float:
        """Return the seconds until ``address`` may try again, 0 if it may now."""
        name = _network(address)
        own = self._addresses[name].wait(now) if name in self._addresses else 0.0
        trusted = now - self._trusted.get(name, -TRUSTED_SECONDS) < TRUSTED_SECONDS
        return own if trusted else max(own, self._overall.wait(now))

    def failed(self, address: str, now: float) -> None:
        """Count a wrong password."""
        self._addresses = {name: b for name, b in self._addresses.items() if not b.is_full(now)}
        own = TokenBucket(PER_ADDRESS, ADDRESS_SECONDS)
        self._addresses.setdefault(_network(address), own).take(now)
        self._overall.take(now)

    def passed(self, address: str, now: float) -> None:
        """Note a right password."""
        self._trusted[_network(address)] = now


def _network(address: str) -> str:
    """Return what one guesser owns: an IPv4 address, or a whole IPv6 network of 2**64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((int(parsed), 64), strict=False))
