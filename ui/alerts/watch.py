"""Which rules are true of what, since when: the states of all rules, advanced look by look. Pure.

    quiet ── true ─> pending ── stays true for the rule's seconds ─> firing
                        └─ untrue ─> quiet                            │
    resolved <── stays untrue for a minute or longer (steady_seconds) ┘

A rule that is true in one look and untrue in the next fires once, and is over only when it has
been untrue for a while. Seconds are those between looks in which the fact was known.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from ui.alerts.facts import Facts, Series
from ui.alerts.rules import ANY, AT_ONCE, EVENT, SESSION, STREAM, Rule, Value

Phase = Literal["quiet", "pending", "firing", "resolved"]
LONGEST_STEP = 10.0  # seconds between two looks; after more the time between was not watched


@dataclasses.dataclass(frozen=True)
class State:
    """One rule's state of one series.

    Attributes:
        phase: where it is.
        since: when that began, Unix seconds.
        held: seconds for which the rule has been true (pending) or untrue (firing).
    """

    phase: Phase = "quiet"
    since: float = 0.0
    held: float = 0.0

    def advance(self, rule: Rule, true: bool, now: float, seconds: float) -> State:
        """Return the state after a look, ``seconds`` after the one before."""
        if self.phase == "firing":
            if true:
                return dataclasses.replace(self, held=0.0)
            held = self.held + seconds
            return State("resolved", now) if held >= rule.steady_seconds else self._holding(held)
        if not true:
            return State("quiet", now) if self.phase == "pending" else self
        held = self.held + seconds if self.phase == "pending" else 0.0
        if held >= rule.seconds:
            return State("firing", now)
        return self._holding(held) if self.phase == "pending" else State("pending", now)

    def _holding(self, held: float) -> State:
        return dataclasses.replace(self, held=held)


class Key(NamedTuple):
    """Which rule, of whom."""

    rule: str
    symbol: str
    who: str


class Change(NamedTuple):
    """A rule has begun to fire, or is over."""

    key: Key
    rule: Rule
    series: Series
    phase: Phase
    value: Value
    before: Value | None

    @property
    def text(self) -> str:
        """What is the case."""
        if self.rule.how == "says":
            lines = str(self.value).splitlines()
            return "; ".join(line for line in lines if self.rule.holds(line, None))
        value, before = (_word(each) for each in (self.value, self.before))
        verb = f"went from {before} to" if self.rule.how in AT_ONCE else "is"
        return f"{self.series.text} {self.series.what} {verb} {value}"


class Watch:
    """The states of all rules.

    Args:
        states: those to begin with, of an earlier process.
        known: facts it knew.

    Attributes:
        states: of every rule and series.
        known: every fact as it was when it was last known.
    """

    def __init__(
        self, states: Mapping[Key, State] | None = None, known: Facts | None = None
    ) -> None:
        self.states: dict[Key, State] = dict(states or {})
        self.known: Facts = dict(known or {})
        self._at: float | None = None

    def look(
        self, rules: Mapping[str, Rule], facts: Facts, events: list[str], now: float
    ) -> list[Change]:
        """Advance every state; return what began or ended.

        Args:
            rules: by id.
            facts: what is known now.
            events: what the session had to say since the last look.
            now: Unix seconds.
        """
        seconds = min(max(now - self._at, 0.0), LONGEST_STEP) if self._at is not None else 0.0
        now_known = {**facts, **_as_facts(events, facts)}
        watched = {name for name, rule in rules.items() if rule.on}
        self.states = {key: state for key, state in self.states.items() if key.rule in watched}
        found = [
            change
            for name, rule in rules.items()
            if rule.on
            for series, value in _matching(rule, now_known)
            for change in self._advance(name, rule, series, value, now, seconds)
        ]
        self.known |= facts
        self._at = now
        return found

    def _advance(
        self, name: str, rule: Rule, series: Series, value: Value, now: float, seconds: float
    ) -> Iterator[Change]:
        key = Key(name, series.symbol, series.who)
        old = self.states.get(key, State())
        before = self.known.get(series)
        true = value != "" and rule.holds(value, before)
        new = old.advance(rule, true, now, seconds)
        if new != old or key not in self.states:
            self.states[key] = new
        again = true and rule.how in AT_ONCE and old.phase == new.phase == "firing"
        if again or (new.phase != old.phase and new.phase in ("firing", "resolved")):
            yield Change(key, rule, series, new.phase, value, before)


def _word(value: Value | None) -> str:
    return value if isinstance(value, str) else "" if value is None else f"{value:.6g}"


def _as_facts(events: list[str], facts: Facts) -> Facts:
    """Return the new events as a fact: none is known to be said, once anything is known."""
    return {Series("", SESSION, EVENT): "\n".join(events)} if facts or events else {}


def _matching(rule: Rule, facts: Facts) -> Iterator[tuple[Series, Value]]:
    for series, value in facts.items():
        whose = series.who == rule.who or (rule.who == ANY and series.who not in (STREAM, SESSION))
        if whose and series.what == rule.what and rule.symbol in ("", series.symbol):
            yield series, value
