"""The settings of the built-in learners, one section each. Imports neither torch nor scikit-learn.

A user's own learner needs no section here: its settings are the constructor's parameters that have
defaults (``trainers.learners.registry``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from streaming.errors import ConfigError
from streaming.program.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class CNNSettings(Settings):
    """The settings of the CNN."""

    learning_rate: float = setting(1e-3, "Adam step size of the CNN", low=1e-7, high=1)
    updates: int = setting(4, "gradient steps of the CNN per cycle", low=1, high=100_000)
    batch_size: int = setting(256, "windows per gradient step", low=1, high=100_000)
    weight_decay: float = setting(
        3.0,
        "strength of the pull back to the CNN's initial weights: it learns only what lasts",
        low=0,
        high=100,
    )
    start: str = setting(
        "", "file of -e pretrain: the expert steady starts from what other markets have taught"
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DQNSettings(Settings):
    """The settings of the DQN."""

    learning_rate: float = setting(3e-4, "AdamW step size of the DQN", low=1e-7, high=1)
    updates: int = setting(100, "gradient steps per cycle", low=1, high=100_000)
    batch_size: int = setting(256, "transitions per gradient step", low=1, high=100_000)
    gamma: float = setting(0.97, "discount factor per bar", low=0, high=0.9999)
    tau: float = setting(
        0.4, "Polyak step of the target network, made every 50 updates", low=0, high=1
    )
    memory: int = setting(
        14_400, "transitions kept for replay: 4 h of 1-s bars", low=100, high=10**8
    )
    epsilon_decay: float = setting(
        0.9, "factor per cycle on epsilon, the chance of a random action in a training episode",
        low=0, high=1,
    )  # fmt: skip
    epsilon_min: float = setting(0.05, "the lowest value of epsilon", low=0, high=1)


# The settings' record of each built-in learner, by its name, which is also the section's.
BUILT_IN_SETTINGS: dict[str, type[Settings]] = {"cnn": CNNSettings, "dqn": DQNSettings}


def flat_name(section: str, name: str) -> str:
    """Return the name of a learner's setting as flag, MLproject parameter and MLflow param.

    >>> flat_name("cnn", "updates"), flat_name("MyLearner", "window")
    ('cnn_updates', 'learner.MyLearner.window')
    """
    short = section in BUILT_IN_SETTINGS
    return f"{section}_{name}" if short else f"learner.{section}.{name}"


def section_and_setting(name: str) -> tuple[str, str] | None:
    """Split the name of a learner's setting; return None for a setting of the session itself.

    >>> section_and_setting("cnn_updates"), section_and_setting("learner.cnn.updates")
    (('cnn', 'updates'), ('cnn', 'updates'))
    >>> section_and_setting("learner.MyLearner.window"), section_and_setting("page_port")
    (('MyLearner', 'window'), None)
    >>> section_and_setting("learner.river.LogisticRegression.l2")  # names may have dots
    ('river.LogisticRegression', 'l2')
    """
    if name.startswith("learner."):
        section, _, own = name.removeprefix("learner.").rpartition(".")
        return section, own
    section, _, own = name.partition("_")
    return (section, own) if section in BUILT_IN_SETTINGS else None


def whole_section(section: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of a built-in learner: those given, and defaults for the others.

    Raises:
        ConfigError: if a setting is unknown or out of its bounds; the text has its ``flat_name``.
    """
    record = BUILT_IN_SETTINGS[section]
    known = [field.name for field in dataclasses.fields(record)]
    for unknown in given:
        if unknown not in known:
            allowed = ", ".join(flat_name(section, name) for name in known)
            raise ConfigError(f"{flat_name(section, unknown)}: unknown; allowed: {allowed}")
    try:
        return dataclasses.asdict(record(**given))
    except ConfigError as e:
        raise ConfigError(flat_name(section, str(e))) from None
