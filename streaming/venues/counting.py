"""Numbers for the trades of a venue whose own ids say no order and prove no loss.

After a cut nobody can tell from ids whether trades were missed. So what is streamed is held for a
moment; of the newest trades that REST shows, those from before it go first.
"""

from __future__ import annotations

from collections import defaultdict, deque

import numpy as np

from streaming.ticks import Ticks, make_ticks

KNOWN = 20_000  # trades of a market whose numbers are remembered

CONTENT = ["ts_event", "price", "size", "side"]


class Count:
    """One market's trades, numbered in the order in which they are taken.

    Ticks come with a key of the venue's in the place of their id, and go with their number. Trades
    that an earlier process has kept have lost their keys, and are known by what they are.
    """

    def __init__(self) -> None:
        self._next = 1
        self._ids: dict[int, int] = {}  # by key
        self._keys: deque[int] = deque()
        self._kept: dict[tuple[float, ...], deque[int]] = defaultdict(deque)
        self._held: list[Ticks] | None = None  # streamed, since ``hold``
        self._shown: list[Ticks] = []  # by REST, since then

    def resume(self, kept: Ticks) -> None:
        """Go on behind the trades that are kept already, ``(n,)``."""
        for id, content in zip(kept["id"].tolist(), kept[CONTENT].tolist(), strict=True):
            self._kept[content].append(id)
            self._next = id + 1

    @property
    def is_held(self) -> bool:
        """Whether trades are held back."""
        return self._held is not None

    @property
    def has_streamed(self) -> bool:
        """Whether trades are held back, and some were streamed."""
        return bool(self._held)

    def hold(self) -> None:
        """Hold back what is streamed from here on."""
        self._held, self._shown = self._held or [], []

    def streamed(self, ticks: Ticks) -> Ticks:
        """Take streamed trades; return them with their numbers, none while they are held."""
        if self._held is not None:
            self._held.append(ticks)
            return make_ticks(0)
        return self._numbered(ticks)

    def shown(self, ticks: Ticks) -> Ticks:
        """Take the newest trades of REST, oldest first; return them as ``streamed`` does."""
        if self._held is not None:
            self._shown.append(ticks)
            return make_ticks(0)
        self._doubt_unless_joined(ticks)
        return self._numbered(ticks)

    def release(self) -> Ticks:
        """Return what was held, behind the trades that were shown from before it."""
        held = np.concatenate([make_ticks(0), *(self._held or [])])
        shown = np.concatenate([make_ticks(0), *self._shown])
        shown = shown[np.sort(np.unique(shown["id"], return_index=True)[1])]
        self._held, self._shown = None, []
        if len(held):
            streamed = np.flatnonzero(np.isin(shown["id"], held["id"]))
            shown = shown[: streamed[0]] if len(streamed) else shown
            shown = shown[shown["ts_event"] <= held["ts_event"][0]]
        ticks = np.concatenate([shown, held])
        self._doubt_unless_joined(ticks)
        return self._numbered(ticks)

    def _doubt_unless_joined(self, ticks: Ticks) -> None:
        """Leave a number out if trades may be missing before these: none of them is known."""
        is_first = not self._ids and not self._kept
        if not is_first and len(ticks) and not any(map(self._knows, *_parts(ticks))):
            self._next += 1

    def _knows(self, key: int, content: tuple[float, ...]) -> bool:
        return key in self._ids or bool(self._kept.get(content))

    def _numbered(self, ticks: Ticks) -> Ticks:
        ticks["id"] = [*map(self._number, *_parts(ticks))]
        return ticks

    def _number(self, key: int, content: tuple[float, ...]) -> int:
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


def _parts(ticks: Ticks) -> tuple[list[int], list[tuple[float, ...]]]:
    """Return the keys of ticks, and what they are."""
    return ticks["id"].tolist(), ticks[CONTENT].tolist()
