"""What viewers see at one moment, as plain data, and how it is sent: only what changed.

    parts -> joined -> Picture -> changes -> one message for all viewers

Pure: everything shown is decided in Python; the browser only puts it in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable
from typing import Any

# Places for texts: where they are made anew, they are empty and need all texts again.
LAYOUTS = ("cards", "scores")

Texts = dict[str, str]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture, or a part of one.

    Attributes:
        texts: what a person reads, by key.
        whole: values that are sent whole when they change.
        keyed: rows by key; those that are new or differ are sent, none is ever taken back.
    """

    texts: Texts = dataclasses.field(default_factory=dict)
    whole: dict[str, Any] = dataclasses.field(default_factory=dict)
    keyed: dict[str, dict[Hashable, list[Any]]] = dataclasses.field(default_factory=dict)


def joined(*parts: Picture) -> Picture:
    """Return one picture of several; of two with the same key the later one counts."""
    found = Picture()
    for part in parts:
        found.texts.update(part.texts)
        found.whole.update(part.whole)
        found.keyed.update(part.keyed)
    return found


def changes(old: Picture | None, new: Picture) -> dict[str, Any]:
    """Return what differs between two pictures, as short as it can be sent."""
    old = old or Picture()
    texts = {k: text for k, text in new.texts.items() if old.texts.get(k) != text}
    found = {k: value for k, value in new.whole.items() if old.whole.get(k) != value}
    if any(name in found for name in LAYOUTS):
        texts = new.texts
    for name, rows in new.keyed.items():
        known = old.keyed.get(name, {})
        if fresh := [row for key, row in rows.items() if known.get(key) != row]:
            found[name] = fresh
    return {"texts": texts, **found} if texts else found
