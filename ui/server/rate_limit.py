"""How often something may happen: the page's one rate limit. All times are one clock's seconds."""

from __future__ import annotations


class TokenBucket:
    """A bucket that begins with ``tokens`` and gets one back every ``seconds`` until it is full."""

    def __init__(self, tokens: int, seconds: float) -> None:
        self.tokens, self.seconds = tokens, seconds
        self._full_at = 0.0

    def wait(self, now: float) -> float:
        """Return the seconds until there is a token, 0 if there is one."""
        return max(0.0, self._full_at - now - (self.tokens - 1) * self.seconds)

    def take(self, now: float) -> None:
        """Take one token."""
        self._full_at = max(self._full_at, now) + self.seconds

    def is_full(self, now: float) -> bool:
        """Return whether all tokens are back."""
        return now >= self._full_at
