"""The states of all alert rules, advanced at every evaluation. Pure.

    quiet ── true ─> pending ── stays true for the rule's seconds ─> firing
                        └─ untrue ─> quiet                            │
    resolved <── stays untrue for a minute or longer (steady_seconds) ┘

A rule that is true at one evaluation and untrue at the next fires once, and is over only when it
has been untrue for a while. Only seconds in which the sample was known count.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from ui.alerts.rules import ANY, EVENT, SESSION, STREAM, Rule, Value
from ui.alerts.samples import Samples, Series
from ui.mlflow.session_metrics import Event

Phase = Literal["quiet", "pending", "firing", "resolved"]
LONGEST_STEP = 10.0  # seconds between two evaluations; more than that were not observed


@dataclasses.dataclass(frozen=True)
class RuleState:
    """The state of one rule for one series.

    Attributes:
        phase: one of ``Phase``.
        since: when the phase began, Unix seconds.
        lasted: seconds for which the rule has been true (pending) or untrue (firing).
    """

    phase: Phase = "quiet"
    since: float = 0.0
    lasted: float = 0.0

    def advance(self, rule: Rule, true: bool, now: float, seconds: float) -> RuleState:
        """Return the state after an evaluation, ``seconds`` after the one before."""
        if self.phase == "firing":
            if true:
                return dataclasses.replace(self, lasted=0.0)
            lasted = self.lasted + seconds
            over = lasted >= rule.steady_seconds
            return RuleState("resolved", now) if over else dataclasses.replace(self, lasted=lasted)
        if not true:
            return RuleState("quiet", now) if self.phase == "pending" else self
        lasted = self.lasted + seconds if self.phase == "pending" else 0.0
        if lasted >= rule.seconds:
            return RuleState("firing", now)
        since = self.since if self.phase == "pending" else now
        return RuleState("pending", since, lasted)


class Key(NamedTuple):
    """The id of a rule, and the series that its state is about."""

    rule: str
    symbol: str
    who: str


class Transition(NamedTuple):
    """An alert that began or ended.

    Attributes:
        key: the id of the rule, and the series.
        rule: the rule.
        series: the name of the sample.
        phase: firing or resolved.
        text: what is the case.
    """

    key: Key
    rule: Rule
    series: Series
    phase: Phase
    text: str


class RuleEvaluator:
    """Keeps the states of all rules.

    Args:
        states: the states to begin with, saved by an earlier process.
        known: the samples that the earlier process knew.

    Attributes:
        states: the state of every rule and series.
        known: every sample as it was when it was last known.
    """

    def __init__(
        self, states: Mapping[Key, RuleState] | None = None, known: Samples | None = None
    ) -> None:
        self.states: dict[Key, RuleState] = dict(states or {})
        self.known: Samples = dict(known or {})
        self._at: float | None = None

    def evaluate(
        self, rules: Mapping[str, Rule], samples: Samples, events: Sequence[Event], now: float
    ) -> list[Transition]:
        """Advance every state; return the alerts that began or ended.

        Args:
            rules: the rules by id.
            samples: the samples that are known now.
            events: the session's events since the last evaluation.
            now: Unix seconds.
        """
        seconds = min(max(now - self._at, 0.0), LONGEST_STEP) if self._at is not None else 0.0
        active = {name: rule for name, rule in rules.items() if rule.on}
        self.states = {key: state for key, state in self.states.items() if key.rule in active}
        transitions = [
            transition
            for name, rule in active.items()
            for series, true, text in self._observe(rule, samples, events)
            for transition in self._advance(name, rule, series, true, text, now, seconds)
        ]
        self.known |= samples
        self._at = now
        return transitions

    def _observe(
        self, rule: Rule, samples: Samples, events: Sequence[Event]
    ) -> Iterator[tuple[Series, bool, str]]:
        """Yield each series of a rule, whether the rule is true of it, and what is the case."""
        if rule.what == EVENT:
            texts = [event.text for event in events if rule.is_true(event.code, None)]
            if samples or events:  # else nothing is known of the session
                yield Series("", SESSION, EVENT), bool(texts), "; ".join(texts)
            return
        for series, value in samples.items():
            if not _is_about(rule, series):
                continue
            before = self.known.get(series)
            verb = f"went from {_formatted(before)} to" if rule.at_once else "is"
            text = f"{series.subject} {series.what} {verb} {_formatted(value)}"
            yield series, rule.is_true(value, before), text

    def _advance(
        self, name: str, rule: Rule, series: Series, true: bool, text: str, now: float,
        seconds: float,
    ) -> Iterator[Transition]:  # fmt: skip
        key = Key(name, series.symbol, series.who)
        old = self.states.get(key, RuleState())
        new = self.states[key] = old.advance(rule, true, now, seconds)
        again = true and rule.at_once and old.phase == new.phase == "firing"
        if again or (new.phase != old.phase and new.phase in ("firing", "resolved")):
            yield Transition(key, rule, series, new.phase, text)


def _is_about(rule: Rule, series: Series) -> bool:
    is_learner = series.who not in (STREAM, SESSION)
    whose = series.who == rule.who or (rule.who == ANY and is_learner)
    return whose and series.what == rule.what and rule.symbol in ("", series.symbol)


def _formatted(value: Value | None) -> str:
    return value if isinstance(value, str) else "" if value is None else f"{value:.6g}"
