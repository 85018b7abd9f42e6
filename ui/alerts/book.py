"""What outlives the page: rules, the address, the history of firings. ``mlruns/alerts.json``.

A file of the project and not tags in MLflow: rules are not one session's, and the address holds a
secret that everyone who may look at MLflow would read.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from streaming.errors import KnobError
from ui.alerts.rules import DEFAULTS, Rule
from ui.alerts.watch import Key, State
from ui.private_file import PrivateFile

MOST_RULES = 50
HISTORY_KEPT = 100
SESSIONS_KEPT = 5


@dataclasses.dataclass(frozen=True)
class Firing:
    """One line of the history.

    Attributes:
        id: to find it again once it was sent.
        at: Unix seconds.
        session: the session it was of.
        phase: firing, resolved or test.
        rule: the rule's text as it was then.
        text: what was the case.
        sent: what became of the message.
    """

    id: str
    at: float
    session: str
    phase: str
    rule: str
    text: str
    sent: str


@dataclasses.dataclass(frozen=True)
class Memory:
    """What a restarted page must know so that it says nothing twice.

    Attributes:
        firing: the states that fire.
        heard: time of the newest event that was looked at, Unix seconds.
        champions: (symbol, learner) -> version of the champion seen last; of all sessions.
    """

    firing: dict[Key, State] = dataclasses.field(default_factory=dict)
    heard: float = 0.0
    champions: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Book:
    """Everything in the file; the memory is one session's."""

    rules: dict[str, Rule]
    address: str = dataclasses.field(default="", repr=False)
    history: tuple[Firing, ...] = ()
    memory: Memory = dataclasses.field(default_factory=Memory)

    def with_rule(self, name: str, rule: Rule | None) -> Self:
        """Return the book with a rule set, or taken out.

        Raises:
            KnobError: if there would be too many.
        """
        rules = {each: old for each, old in self.rules.items() if rule or each != name}
        rules |= {name: rule} if rule else {}
        if len(rules) > max(MOST_RULES, len(self.rules)):
            raise KnobError(f"rules: got {len(rules)}; allowed: {MOST_RULES}")
        return dataclasses.replace(self, rules=rules)

    def with_history(self, *lines: Firing) -> Self:
        """Return the book with lines added; one that is there already is replaced."""
        new = {line.id: line for line in lines}
        old = [new.pop(line.id, line) for line in self.history]
        return dataclasses.replace(self, history=tuple([*old, *new.values()][-HISTORY_KEPT:]))

    def resent(self, id: str, sent: str) -> Self:
        """Return the book with what became of one message."""
        lines = [line for line in self.history if line.id == id]
        return self.with_history(*(dataclasses.replace(line, sent=sent) for line in lines))

    def lost(self, session: str, sending: str, sent: str) -> Self:
        """Return the book without messages of ``session`` that nobody sends any more."""
        lines = [line for line in self.history if line.sent == sending and line.session == session]
        return self.with_history(*(dataclasses.replace(line, sent=sent) for line in lines))


class BookFile:
    """The file, as one session's page sees it.

    Args:
        path: of the file.
        session: the session's run id.
    """

    def __init__(self, path: Path, session: str) -> None:
        self._file, self._session = PrivateFile(path), session

    def read(self) -> Book:
        """Return what is in the file; the default rules if there is none.

        Raises:
            ValueError: if it is not what a page wrote.
        """
        return self._book(self._file.read())

    def change(self, change: Callable[[Book], Book]) -> Book:
        """Change the book; return it as it is then.

        Raises:
            OSError: if the file cannot be written.
            ValueError: if what is there is not what a page wrote.
            KnobError: of the change.
        """
        return self._book(self._file.change(lambda old: self._json(old, change(self._book(old)))))

    def _book(self, found: Any) -> Book:
        if found is None:
            return Book(dict(DEFAULTS))
        try:
            memory = found["memory"].get(self._session, {})
            return Book(
                rules={name: Rule(**fields) for name, fields in found["rules"].items()},
                address=str(found["address"]),
                history=tuple(Firing(**line) for line in found["history"]),
                memory=_memory(memory, found["champions"]),
            )
        except (KeyError, TypeError, AttributeError, KnobError) as e:
            raise ValueError(f"not a book of alerts ({e})") from e

    def _json(self, old: Any, book: Book) -> dict[str, Any]:
        memory = {**(old or {}).get("memory", {})}
        memory.pop(self._session, None)
        memory[self._session] = {
            "heard": book.memory.heard,
            "firing": [[*key, *dataclasses.astuple(s)] for key, s in book.memory.firing.items()],
        }
        return {
            "rules": {name: dataclasses.asdict(rule) for name, rule in book.rules.items()},
            "address": book.address,
            "history": [dataclasses.asdict(line) for line in book.history],
            "memory": dict([*memory.items()][-SESSIONS_KEPT:]),
            "champions": [[*key, version] for key, version in book.memory.champions.items()],
        }


def new_id() -> str:
    """Return an id for a rule or a line of the history."""
    return secrets.token_hex(6)


def _memory(found: dict[str, Any], champions: Any) -> Memory:
    firing = {Key(*each[:3]): State(*each[3:]) for each in found.get("firing", [])}
    seen = {(symbol, who): version for symbol, who, version in champions}
    return Memory(firing, float(found.get("heard", 0.0)), seen)
