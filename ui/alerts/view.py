"""What the alerts tab and programs see: plain data, the address only by its service. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from ui.alerts.facts import Series
from ui.alerts.rules import ANY, CHAMPION, EVENT, SESSION, STATUS, STREAM, TEXTS, Rule, hows
from ui.alerts.watch import Key, State

PHASES = ("firing", "pending", "resolved", "quiet")  # the most urgent first
OFF, UNKNOWN = "off", "waiting"


def rule_view(name: str, rule: Rule, states: dict[Key, State]) -> dict[str, Any]:
    """Return one rule with its state: that of the most urgent series.

    ``phase`` is off, waiting (nothing to compare with yet), or one of the states'; ``since`` is
    when that began, Unix seconds; ``whose`` names the series it is of.
    """
    own = {key: state for key, state in states.items() if key.rule == name}
    phase, since, whose = (UNKNOWN if rule.on else OFF), 0.0, ""
    if own:
        state = min(own.values(), key=lambda each: PHASES.index(each.phase))
        phase, since = state.phase, state.since
        same = [k for k, s in own.items() if s.phase == phase and phase != "quiet"]
        whose = ", ".join(" ".join(word for word in (k.symbol, k.who) if word) for k in same)
    fields = dataclasses.asdict(rule)
    return {"id": name, "text": rule.text, **fields, "phase": phase, "since": since, "whose": whose}


def alert_texts(firing: int, revision: int) -> dict[str, str]:
    """Return what every view shows of alerts, and what tells the tab that there is news."""
    return {"alerts": f"{firing} firing" if firing else "", "alerts.revision": str(revision)}


def choices(known: Iterable[Series]) -> dict[str, Any]:
    """Return what a form offers: who -> what, and how by what (the empty one is any number)."""
    whats: dict[str, set[str]] = {ANY: {STATUS, CHAMPION}, STREAM: {STATUS}, SESSION: {EVENT}}
    for series in known:
        whats.setdefault(series.who, set()).add(series.what)
        if series.who not in (STREAM, SESSION):
            whats[ANY].add(series.what)
    return {
        "what": {who: sorted(found, key=_words_first) for who, found in whats.items()},
        "how": {what: hows(what) for what in (*TEXTS, "")},
    }


def _words_first(what: str) -> tuple[bool, bool, str]:
    return what not in TEXTS, "/" in what, what
