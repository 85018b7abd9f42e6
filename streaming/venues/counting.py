"""Numbers for the trades of a venue whose own ids say no order and prove no loss."""

from __future__ import annotations

from collections import defaultdict, deque

from streaming.ticks import Ticks

KNOWN = 20_000  # trades of a market whose numbers are remembered

Content = tuple[int, float, float, int]  # time in ns, price, size, side


class Count:
    """One market's trades, numbered in the order in which they were first seen.

    A trade is known by a key of the venue's. Those that an earlier process has kept have lost
    theirs, and are known by what they are.
    """

    def __init__(self) -> None:
        self._next = 1
        self._ids: dict[int, int] = {}  # by key
        self._keys: deque[int] = deque()
        self._kept: dict[Content, deque[int]] = defaultdict(deque)

    def resume(self, kept: Ticks) -> None:
        """Go on behind the trades that are kept already, ``(n,)``."""
        for tick in kept.tolist():
            id, ts, _, price, size, side, _ = tick
            self._kept[ts, price, size, side].append(id)
            self._next = id + 1

    @property
    def is_new(self) -> bool:
        """Whether no trade is known yet."""
        return not self._ids and not self._kept

    def knows(self, key: int, content: Content) -> bool:
        """Return whether a trade has a number."""
        return key in self._ids or bool(self._kept.get(content))

    def skip(self) -> None:
        """Leave a number out: trades may be missing here."""
        self._next += 1

    def number(self, key: int, content: Content) -> int:
        """Return the number of a trade, a new one if it has none."""
        if (id := self._ids.get(key)) is None:
            kept = self._kept.get(content)
            id = kept.popleft() if kept else self._next
            self._next = max(self._next, id + 1)
            self._remember(key, id)
        return id

    def _remember(self, key: int, id: int) -> None:
        self._ids[key] = id
        self._keys.append(key)
        if len(self._keys) > KNOWN:
            del self._ids[self._keys.popleft()]
