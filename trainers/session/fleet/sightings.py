"""What a head remembers of its shards from look to look. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

AFTER_ARRIVAL_SECONDS = 20.0  # after a shard has come to a node, before another is moved


class Look(NamedTuple):
    """What an actor says of itself.

    Attributes:
        node: the id of its Ray node.
        host: that node's address.
        pid: the process id of its shard.
        code: the exit code of a shard that will not be started again; None while it runs.
        started: when the actor was made, s since the Unix epoch.
    """

    node: str
    host: str
    pid: int
    code: int | None
    started: float


class Sightings:
    """The last look at each shard: one that does not answer for a moment is still where it was.

    Args:
        shards: how many there are.

    Attributes:
        seen: the last look at each that has ever answered, in their order.
    """

    def __init__(self, shards: int) -> None:
        self.seen: list[Look | None] = [None] * shards
        self._answered: list[Look | None] = list(self.seen)
        self._changed = 0.0

    def add(self, new: Sequence[Look | None], now: float) -> list[str]:
        """Take a look; return what is to be said of it.

        Args:
            new: what each shard says of itself; None of one that does not answer now.
            now: the time, s of the monotonic clock.
        """
        texts = []
        for number, (was, is_) in enumerate(zip(self.seen, new, strict=True), 1):
            name = f"shard {number} of {len(new)}"
            if is_ and (was is None or was.started != is_.started):
                moved, self._changed = f", was on {was.node[:8]}" if was else "", now
                texts.append(f"{name} runs on node {is_.node[:8]} ({is_.host}){moved}")
            if is_ and is_.code and not (was and was.code):
                texts.append(f"{name} has ended for good, exit code {is_.code}; see Ray's logs")
        self._answered = list(new)
        self.seen = [is_ or was for was, is_ in zip(self.seen, new, strict=True)]
        return texts

    def movable(self, now: float) -> list[str]:
        """Return the node of each shard if one may be moved; else nothing.

        All have to answer and to run, and none may just have come to its node: it would be taken
        away again before it has its markets.

        Args:
            now: the time, s of the monotonic clock.
        """
        places = [look.node for look in self._answered if look and look.code is None]
        calm = now - self._changed >= AFTER_ARRIVAL_SECONDS
        return places if calm and len(places) == len(self._answered) else []

    @property
    def all_ended(self) -> bool:
        """Whether every shard has ended for good."""
        return all(look is not None and look.code is not None for look in self.seen)

    @property
    def code(self) -> int:
        """The exit code of the whole: the worst of the shards'; 1 if none has been seen."""
        return max((look.code or 0 for look in self.seen if look), default=1)
