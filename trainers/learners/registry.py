"""Makes learners by name or import path, each with its own settings only.

The constructor's parameters decide what it gets: a parameter without a default is the ``Context``;
the parameters with defaults are the learner's settings, or one of them is a ``Settings`` record.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Any

from datamodules.snapshot import NotEnoughBarsError
from streaming.errors import ConfigError, reason_of
from streaming.program.settings import Settings, setting, typed
from trainers.config import SessionConfig
from trainers.config.entries import entry_of
from trainers.config.learners import BUILT_IN_SETTINGS, flat_name
from trainers.learners.adapters.make import adapted
from trainers.learners.learner import Checked, Context, Learner
from trainers.learners.own_code import LearnerError, imported, own_code
from trainers.names import LearnerKind

# Import paths instead of classes, so that importing this module does not import torch.
BUILT_IN = {
    "cnn": "trainers.learners.cnn.learner:CNN",
    "dqn": "trainers.learners.dqn.learner:DQN",
}

PERMUTED_LABELS = "permuted_labels"  # the control that finds leaks; no rival of the learners
MAJORITY = "majority"

# The baselines of every session.
BASELINES = {
    MAJORITY: "trainers.learners.baselines.naive:Majority",
    "last_direction": "trainers.learners.baselines.naive:LastDirection",
    "reversal": "trainers.learners.baselines.naive:Reversal",
    "logistic": "trainers.learners.baselines.logistic:Logistic",
    PERMUTED_LABELS: "trainers.learners.baselines.permuted_labels:PermutedLabels",
    "flat": "trainers.learners.baselines.naive:Flat",
    "buy_and_hold": "trainers.learners.baselines.naive:BuyAndHold",
    "random": "trainers.learners.baselines.naive:Random",
}
KNOWN = {**BUILT_IN, **BASELINES}

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,39}")
RESERVED = ".champion"  # the suffix of champions' names

Sections = Mapping[str, Mapping[str, Any]]  # the settings by learner and name


def make_learners(
    entries: Sequence[str], sections: Sections, context: Context
) -> dict[str, Learner]:
    """Make learners; return them by name.

    Args:
        entries: names, or import paths ``module:Class``.
        sections: the learners' settings, by the name of the learner or its class; the others have
            their defaults.
        context: the part of the session's settings that all learners may use.

    Raises:
        ConfigError: if a name is unknown, an import fails, a class is no learner or cannot be made,
            two learners have the same name, or a setting is wrong.
    """
    learners: dict[str, Learner] = {}
    for entry in entries:
        learner = _make(entry, sections, context)
        _check_new(learner.name, learners, entry)
        learners[learner.name] = learner
    made = zip(entries, learners.values(), strict=True)
    _check_sections(sections, {name for entry, one in made for name in _sections_of(entry, one)})
    return learners


def learners_of(config: SessionConfig, market: str = "") -> dict[str, Learner]:
    """Make the learners of a session on one market, as ``make_learners`` does."""
    return make_learners(config.learner_list, config.learner, Context.of(config, market))


def baselines_of(config: SessionConfig, market: str = "") -> dict[str, Learner]:
    """Make the baselines of a session on one market; return them by name."""
    return make_baselines(Context.of(config, market))


def make_baselines(context: Context) -> dict[str, Learner]:
    """Make the baselines; return them by name."""
    return {name: _make(name, {}, context) for name in BASELINES}


def check_learners(entries: Sequence[str], sections: Sections) -> None:
    """Check the learners of a session without importing the built-in ones, which takes seconds.

    Raises:
        ConfigError: if ``make_learners`` would raise it.
    """
    names: list[str] = []
    known: set[str] = set()
    for entry in entries:
        name = entry
        if entry not in KNOWN:
            learner = _make(entry, sections, Context.of(SessionConfig()))
            _try_out(entry, learner)
            name = learner.name
            known |= _sections_of(entry, learner)
        _check_new(name, names, entry)
        names.append(name)
    _check_sections(sections, {*names, *known})


def _try_out(entry: str, learner: Learner) -> None:
    if not isinstance(learner, Checked):
        return
    try:
        with own_code():
            learner.check()
    except (LearnerError, NotEnoughBarsError) as e:
        raise ConfigError(f"learners: got {entry!r}, which cannot learn ({reason_of(e)})") from e


def _sections_of(entry: str, learner: Learner) -> set[str]:
    """Return the names under which a learner's settings may be given: its own and its class's."""
    found = entry_of(entry)
    return {learner.name, found.target if found.library else type(learner).__name__}


def settings_of(entry: str) -> tuple[str, dict[str, dataclasses.Field[Any]]]:
    """Return a learner's section and its settings by name, with their defaults and bounds.

    Raises:
        ConfigError: if there is no such learner.
    """
    if entry in BUILT_IN_SETTINGS:
        return entry, {one.name: one for one in dataclasses.fields(BUILT_IN_SETTINGS[entry])}
    found = _find(entry)
    section = entry if entry in KNOWN else found.__name__
    settings: dict[str, dataclasses.Field[Any]] = {}
    for name, parameter in _parameters(found).items():
        if isinstance(parameter.default, Settings):
            return section, {one.name: one for one in dataclasses.fields(parameter.default)}
        if parameter.default is not parameter.empty:
            settings[name] = setting(parameter.default, "")
    return section, settings


def _check_new(name: object, names: Container[str], entry: str) -> None:
    if not isinstance(name, str):
        raise ConfigError(
            f"learners: got {entry!r}, whose name is {name!r}, a {type(name).__name__}; allowed:"
            " text"
        )
    if name in names:
        raise ConfigError(
            f"learners: got {entry!r}, a second {name!r}; allowed: each name once;"
            f" {_naming(entry)} gives another"
        )
    if not NAME.fullmatch(name) or name.endswith(RESERVED):
        raise ConfigError(
            f"learners: got {entry!r}, whose name is {name!r}; allowed: up to 40 letters, digits,"
            f" _, . and -, not ending with {RESERVED}; {_naming(entry)} gives another"
        )


def _naming(entry: str) -> str:
    return f"NAME={entry_of(entry).unnamed}"


def _check_sections(sections: Sections, names: set[str]) -> None:
    """Refuse settings of a learner that is not made; built-in learners always have a section."""
    for section in sections:
        if section not in names and section not in BUILT_IN:
            first = next(iter(sections[section]), "")
            raise ConfigError(
                f"{flat_name(section, first)}: there is no learner {section!r};"
                f" allowed: settings of {', '.join(sorted(names))}"
            )


def _find(entry: str) -> type:
    allowed = f"allowed: {', '.join(KNOWN)}, or module:Class"
    found = imported("learners", KNOWN.get(entry, entry), allowed)
    if not inspect.isclass(found):
        raise ConfigError(f"learners: got {entry!r}; expected a class, found {found!r}")
    return found


def _make(entry: str, sections: Sections, context: Context) -> Learner:
    parts = entry_of(entry)
    if parts.library:
        return adapted(parts, _given(sections, [parts.target, parts.name]), context)
    found = _find(parts.path)
    names = [found.__name__, getattr(found, "name", found.__name__.lower()), parts.given]
    arguments = _arguments(found, _given(sections, names), context)
    try:
        with own_code():
            learner: Learner = _named(found(**arguments), parts.given)
            is_learner = isinstance(learner, Learner)
    except (LearnerError, NotEnoughBarsError) as e:
        raise ConfigError(f"learners: got {entry!r}, which cannot be made ({reason_of(e)})") from e
    if not is_learner:
        raise ConfigError(
            f"learners: {entry!r} has no forecast(bars) and learn(snapshot), so it is not a learner"
        )
    if learner.kind not in list(LearnerKind):
        raise ConfigError(
            f"learners: got {entry!r}, whose kind is {learner.kind!r}; allowed:"
            f" {', '.join(LearnerKind)}"
        )
    return learner


def _given(sections: Sections, names: Iterable[object]) -> dict[str, Any]:
    """Return the settings of all sections with these names; those of a later one come first."""
    return {
        name: value
        for one in names
        if isinstance(one, str)
        for name, value in sections.get(one, {}).items()
    }


def _named(learner: Any, given: str) -> Any:
    """Give a learner the name given, else that of its class, and the kind forecaster."""
    if given:
        learner.name = given
    if not hasattr(learner, "name"):
        learner.name = type(learner).__name__.lower()
    if not hasattr(learner, "kind"):
        learner.kind = LearnerKind.FORECASTER.value
    return learner


def _parameters(found: type) -> dict[str, inspect.Parameter]:
    """Return what a class's constructor takes by name."""
    try:
        every = inspect.signature(found).parameters
    except (TypeError, ValueError) as e:  # it is none of Python's, as int
        raise ConfigError(
            f"learners: got '{found.__module__}:{found.__qualname__}'; expected a class that says"
            f" what it takes ({reason_of(e)})"
        ) from e
    return {
        name: one
        for name, one in every.items()
        if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    }


def _arguments(found: type, given: Mapping[str, Any], context: Context) -> dict[str, Any]:
    """Return the constructor's arguments; a setting is converted to the type of its default."""
    arguments: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for name, parameter in _parameters(found).items():
        if parameter.default is parameter.empty:
            arguments[name] = context
        elif isinstance(parameter.default, Settings):
            arguments[name] = _settings(found.__name__, type(parameter.default), given)
            return arguments
        else:
            defaults[name] = parameter.default
    _check_names(found.__name__, given, defaults)
    for name, value in given.items():
        arguments[name] = typed(flat_name(found.__name__, name), value, type(defaults[name]))
    return arguments


def _settings(section: str, record: type[Settings], given: Mapping[str, Any]) -> Settings:
    """Return a record of settings, whose errors name the flag that was given."""
    _check_names(section, given, [field.name for field in dataclasses.fields(record)])
    try:
        return record(**given)
    except ConfigError as e:
        name, _, rest = str(e).partition(":")
        raise ConfigError(f"{flat_name(section, name)}:{rest}") from e


def _check_names(section: str, given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            allowed = ", ".join(flat_name(section, each) for each in known) or "none"
            raise ConfigError(f"{flat_name(section, name)}: unknown; allowed: {allowed}")
