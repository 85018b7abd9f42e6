"""What outlives the page: rules, the address, the history of alerts. ``mlruns/alerts.json``.

This is a file of the project and not a tag in MLflow: rules do not belong to one session, and the
address holds a secret that everyone who may look at MLflow would read.
"""

from __future__ import annotations

import dataclasses
import logging
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from streaming.errors import ConfigError
from trainers.names import MODEL_PREFIX
from ui.alerts.rule_evaluator import Key, RuleState
from ui.alerts.rules import DEFAULTS, Rule
from ui.server.private_file import PrivateFile

logger = logging.getLogger(__name__)
MOST_RULES = 50
HISTORY_KEPT = 100
SESSIONS_KEPT = 5


@dataclasses.dataclass(frozen=True)
class HistoryEntry:
    """One line of the history.

    Attributes:
        id: the id by which it is found again once its message was sent.
        at: Unix seconds.
        session: the session's run id.
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
class Progress:
    """How far the evaluation has come, so that a restarted page sends nothing twice.

    Attributes:
        firing: the states that fire.
        last_event: time of the newest event that was evaluated, Unix seconds.
        champions: (registered model, learner) -> version of the champion seen last, in any session.
    """

    firing: dict[Key, RuleState] = dataclasses.field(default_factory=dict)
    last_event: float = 0.0
    champions: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class AlertData:
    """Everything in the file; the progress is that of one session."""

    rules: dict[str, Rule]
    address: str = dataclasses.field(default="", repr=False)
    history: tuple[HistoryEntry, ...] = ()
    progress: Progress = dataclasses.field(default_factory=Progress)

    def with_rule(self, name: str, rule: Rule | None) -> Self:
        """Return the data with a rule set, or removed.

        Raises:
            ConfigError: if there would be too many.
        """
        rules = {each: old for each, old in self.rules.items() if rule or each != name}
        rules |= {name: rule} if rule else {}
        if len(rules) > max(MOST_RULES, len(self.rules)):
            raise ConfigError(f"rules: got {len(rules)}; allowed: {MOST_RULES}")
        return dataclasses.replace(self, rules=rules)

    def with_history(self, *entries: HistoryEntry) -> Self:
        """Return the data with entries added; one that is there already is replaced."""
        new = {entry.id: entry for entry in entries}
        old = [new.pop(entry.id, entry) for entry in self.history]
        return dataclasses.replace(self, history=tuple([*old, *new.values()][-HISTORY_KEPT:]))

    def with_sent(self, sent: str, where: Callable[[HistoryEntry], bool]) -> Self:
        """Return the data with what became of the messages of some entries."""
        entries = [dataclasses.replace(entry, sent=sent) for entry in self.history if where(entry)]
        return self.with_history(*entries)


class AlertStore:
    """The file, as the page of one session reads and changes it.

    Args:
        path: the file's path.
        session: the session's run id.
    """

    def __init__(self, path: Path, session: str) -> None:
        self._file, self._session = PrivateFile(path), session

    def read(self) -> AlertData:
        """Return what is in the file; the default rules if there is none.

        Raises:
            ValueError: if it is not what a page wrote.
        """
        return self._decode(self._file.read())

    def change(self, change: Callable[[AlertData], AlertData]) -> AlertData:
        """Change the data; return it as it is then.

        Raises:
            OSError: if the file cannot be written.
            ValueError: if what is there is not what a page wrote.
            ConfigError: if ``change`` raises it.
        """

        def changed(old: Any) -> dict[str, Any]:
            new = self._encode(old, change(self._decode(old)))
            if lost := _without_source((old or {}).get("champions", [])):
                logger.warning(
                    "%s: champions seen by an earlier version, of which it does not say the source,"
                    " are forgotten: %s. Their next change is told.", self._file.path, lost
                )  # fmt: skip
            return new

        return self._decode(self._file.change(changed))

    def _decode(self, stored: Any) -> AlertData:
        if stored is None:
            return AlertData(dict(DEFAULTS))
        try:
            progress = stored["progress"].get(self._session, {})
            return AlertData(
                rules={name: Rule(**fields) for name, fields in stored["rules"].items()},
                address=str(stored["address"]),
                history=tuple(HistoryEntry(**entry) for entry in stored["history"]),
                progress=_decode_progress(progress, stored["champions"]),
            )
        except (KeyError, TypeError, AttributeError, ConfigError) as e:
            raise ValueError(
                f"{self._file.path} is not a store of alerts ({e}); remove it to begin anew"
            ) from e

    def _encode(self, old: Any, data: AlertData) -> dict[str, Any]:
        done = data.progress
        progress = {**(old or {}).get("progress", {})}
        progress.pop(self._session, None)
        progress[self._session] = {
            "last_event": done.last_event,
            "firing": [[*key, *dataclasses.astuple(state)] for key, state in done.firing.items()],
        }
        return {
            "rules": {name: dataclasses.asdict(rule) for name, rule in data.rules.items()},
            "address": data.address,
            "history": [dataclasses.asdict(entry) for entry in data.history],
            "progress": dict([*progress.items()][-SESSIONS_KEPT:]),
            "champions": [[*key, version] for key, version in done.champions.items()],
        }


def new_id() -> str:
    """Return an id for a rule or an entry of the history."""
    return secrets.token_hex(6)


def _decode_progress(stored: dict[str, Any], champions: Any) -> Progress:
    firing = {Key(*each[:3]): RuleState(*each[3:]) for each in stored.get("firing", [])}
    seen = {(model, who): version for model, who, version in champions if _is_model(model)}
    return Progress(firing, float(stored.get("last_event", 0.0)), seen)


def _without_source(champions: Any) -> str:
    """Return the champions that are named by their market alone, as a text."""
    return ", ".join(f"{of} {who}" for of, who, _ in champions if not _is_model(of))


def _is_model(name: str) -> bool:
    return name.startswith(MODEL_PREFIX)
