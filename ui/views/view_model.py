"""What the page shows at one moment, as plain data, and how it is sent: only what changed.

    parts -> merged -> ViewModel -> changes -> one message for all browsers

Pure. Python decides every text; the browser only puts it in its place.
"""

from __future__ import annotations

import dataclasses
import enum
from typing import Any

# Layouts hold the places of texts: where one is made anew, it needs all texts again.
LAYOUTS = ("cards", "scores")


class View(enum.StrEnum):
    """What only those get who look at it, as it is much in a session of many markets."""

    MARKET = "market"  # nothing but the market, which all views have
    MARKETS = "markets"
    RUNS = "runs"


Texts = dict[str, str]
Rows = dict[Any, Any]  # key -> a row or a record


@dataclasses.dataclass(frozen=True)
class ViewModel:
    """A view model, or a part of one.

    Attributes:
        texts: the texts of the page by key.
        whole: values that are sent as a whole when they change.
        keyed: rows by key; those that are new or differ are sent, and none is ever taken back.
    """

    texts: Texts = dataclasses.field(default_factory=dict)
    whole: dict[str, Any] = dataclasses.field(default_factory=dict)
    keyed: dict[str, Rows] = dataclasses.field(default_factory=dict)


def merged(*parts: ViewModel) -> ViewModel:
    """Return one view model of several; of two values with the same key the later one counts."""
    whole = ViewModel()
    for part in parts:
        whole.texts.update(part.texts)
        whole.whole.update(part.whole)
        whole.keyed.update(part.keyed)
    return whole


def changes(old: ViewModel | None, new: ViewModel) -> dict[str, Any]:
    """Return what differs between two view models, as short as it can be sent."""
    old = old or ViewModel()
    texts = {k: text for k, text in new.texts.items() if old.texts.get(k) != text}
    message = {k: value for k, value in new.whole.items() if old.whole.get(k) != value}
    if any(name in message for name in LAYOUTS):
        texts = new.texts
    for name, rows in new.keyed.items():
        before = old.keyed.get(name, {})
        if new_rows := [row for key, row in rows.items() if before.get(key) != row]:
            message[name] = new_rows
    return {"texts": texts, **message} if texts else message
