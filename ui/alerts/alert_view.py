"""What the alerts tab and programs see: plain data, the address only by its service. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

from trainers.names import Status
from trainers.states import OVER, State
from ui.alerts.rule_evaluator import Key, RuleState
from ui.alerts.rules import (
    ANY,
    AT_ONCE,
    CHAMPION,
    CODES,
    EVENT,
    SESSION,
    STATE,
    STATUS,
    STREAM,
    TEXTS,
    Rule,
    operators_for,
)

PHASES = ("firing", "pending", "resolved", "quiet")  # the most urgent first
OFF, WAITING = "off", "waiting"
# The states in which a session runs.
STATES = [state for state in State if state not in OVER or state == State.FAILED]


def rule_view(name: str, rule: Rule, states: dict[Key, RuleState]) -> dict[str, Any]:
    """Return one rule with the state of its most urgent series.

    ``phase`` is off, waiting (nothing to compare with yet), or that of the state; ``since`` is
    when it began, Unix seconds; ``whose`` names the series in this phase.
    """
    own = {key: state for key, state in states.items() if key.rule == name}
    phase, since, whose = (WAITING if rule.on else OFF), 0.0, ""
    if own:
        state = min(own.values(), key=lambda each: PHASES.index(each.phase))
        phase, since = state.phase, state.since
        same = [k for k, s in own.items() if s.phase == phase and phase != "quiet"]
        whose = ", ".join(" ".join(word for word in (k.symbol, k.who) if word) for k in same)
    fields = dataclasses.asdict(rule)
    return {"id": name, "text": rule.text, **fields, "phase": phase, "since": since, "whose": whose}


def alert_texts(firing: int, revision: int) -> dict[str, str]:
    """Return what every view shows of alerts; a new revision makes the tab fetch the rest."""
    return {"alerts": f"{firing} firing" if firing else "", "alerts.revision": str(revision)}


def choices(known: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return what the form for a rule offers, given who and what rules can be about.

    Keys of the result: ``what`` has the samples by subject, ``how`` the operators by sample (by
    the empty one for any number), ``value`` the values by sample, ``at_once`` the operators that
    take neither a value nor a length of time.
    """
    of_learners, of_session = {STATE, STATUS, CHAMPION}, {STATE, EVENT}
    whats: dict[str, set[str]] = {ANY: of_learners, STREAM: {STATE}, SESSION: of_session}
    for who, what in known:
        whats.setdefault(who, set()).add(what)
        if who not in (STREAM, SESSION):
            whats[ANY].add(what)
    return {
        "what": {who: sorted(each, key=_texts_first) for who, each in whats.items()},
        "how": {what: operators_for(what) for what in (*TEXTS, "")},
        "value": {EVENT: CODES, STATE: STATES, STATUS: [*Status]},
        "at_once": AT_ONCE,
    }


def _texts_first(what: str) -> tuple[bool, bool, str]:
    return what not in TEXTS, "/" in what, what
