"""Dropped messages, in words: the first of each reason, and when they are no trifle. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from streaming.venues import Rejected

TRIFLE = 1 / 1000  # of all messages
ENOUGH = 10  # dropped for one reason, before their share means something


class Notice(NamedTuple):
    """A line for people about dropped messages.

    Attributes:
        text: the line.
        about: what it is about: the first line about it is printed.
    """

    text: str
    about: str


class Rejections:
    """Counts the messages that a feed has dropped, and says when they are no trifle."""

    def __init__(self) -> None:
        self._messages = 0
        self._dropped: Counter[str] = Counter()
        self._told: set[str] = set()  # reasons whose share has been said

    def add(self, messages: int, rejected: Rejected) -> Iterator[Notice]:
        """Count a batch, and yield what is to be said now.

        Args:
            messages: how many there were.
            rejected: those of them that were dropped.
        """
        self._messages += messages
        for (symbol, reason), n in rejected.items():
            if reason not in self._dropped:
                what = f"a trade of {symbol}" if symbol else "a message of the venue"
                yield Notice(f"dropped {what}: {reason}; further ones are counted", reason)
            self._dropped[reason] += n
            dropped, share = self._dropped[reason], self._dropped[reason] / max(1, self._messages)
            if dropped >= ENOUGH and share > TRIFLE and reason not in self._told:
                self._told.add(reason)
                yield Notice(
                    f"dropped {dropped:,} of {self._messages:,} messages ({share:.1%}): {reason}",
                    f"{reason}, share",
                )
