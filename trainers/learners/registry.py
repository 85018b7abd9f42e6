"""Learners by name, or by import path."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Container

from streaming.errors import KnobError
from trainers.config import SessionConfig
from trainers.learners.learner import Learner

# Import paths, so that naming a learner does not import torch.
BUILT_IN = {
    "cnn": "trainers.learners.cnn.learner:CNN",
    "dqn": "trainers.learners.dqn.learner:DQN",
}

# On in every session, in the same ledger.
BASELINES = {
    "majority": "trainers.learners.baselines.naive:Majority",
    "last_direction": "trainers.learners.baselines.naive:LastDirection",
    "reversal": "trainers.learners.baselines.naive:Reversal",
    "logistic": "trainers.learners.baselines.logistic:Logistic",
    "canary": "trainers.learners.baselines.permuted_labels:Canary",
    "flat": "trainers.learners.baselines.naive:Flat",
    "buy_and_hold": "trainers.learners.baselines.naive:BuyAndHold",
    "random": "trainers.learners.baselines.naive:Random",
}
KNOWN = {**BUILT_IN, **BASELINES}


def make_learners(config: SessionConfig) -> dict[str, Learner]:
    """Make every learner of ``config``, by its name.

    Raises:
        KnobError: if a name is unknown, an import path leads nowhere, what it leads to is not a
            learner, or two have the same name.
    """
    learners: dict[str, Learner] = {}
    for entry in config.learner_list:
        learner = _make(entry, config)
        _check_new(learner.name, learners, entry)
        learners[learner.name] = learner
    return learners


def make_baselines(config: SessionConfig) -> dict[str, Learner]:
    """Make what the learners of ``config`` are compared with, by name."""
    return {name: _make(name, config) for name in BASELINES}


def check_learners(config: SessionConfig) -> None:
    """Raise the ``KnobError`` that ``make_learners`` would raise.

    Built-in ones are not imported for it, which would take seconds.
    """
    names: list[str] = []
    for entry in config.learner_list:
        name = entry if entry in KNOWN else _make(entry, config).name
        _check_new(name, names, entry)
        names.append(name)


def _check_new(name: str, names: Container[str], entry: str) -> None:
    if name in names:
        raise KnobError(f"learners: got {entry!r}, a second {name!r}; allowed: each name once")


def _find(entry: str) -> type:
    path = KNOWN.get(entry, entry)
    module_name, _, class_name = path.partition(":")
    if not class_name:
        known = ", ".join(KNOWN)
        raise KnobError(f"learners: got {entry!r}; allowed: {known}, or module:Class")
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except Exception as e:  # a module of the user's may raise anything
        raise KnobError(
            f"learners: got {entry!r}, which cannot be imported ({_short(e)}); "
            f"allowed: {', '.join(KNOWN)}, or module:Class"
        ) from e
    if not inspect.isclass(found):
        raise KnobError(f"learners: got {entry!r}; expected a class, found {found!r}")
    return found


def _make(entry: str, config: SessionConfig) -> Learner:
    """Make one learner; its class may take the config or nothing."""
    learner_class = _find(entry)
    try:
        learner = learner_class(config) if _takes(learner_class, config) else learner_class()
    except Exception as e:  # a constructor of the user's may raise anything
        raise KnobError(f"learners: got {entry!r}, which cannot be made ({_short(e)})") from e
    if not hasattr(learner, "name"):
        learner.name = learner_class.__name__.lower()
    if not hasattr(learner, "kind"):
        learner.kind = "forecaster"
    if not isinstance(learner, Learner):
        raise KnobError(
            f"learners: {entry!r} has no forecast(bars) and learn(snapshot), so it is not a learner"
        )
    return learner


def _takes(learner_class: type, config: SessionConfig) -> bool:
    try:
        inspect.signature(learner_class).bind(config)
    except TypeError:
        return False
    return True


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]
