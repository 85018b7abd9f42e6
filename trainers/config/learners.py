"""The settings of the built-in learners, a section each. Imports neither torch nor scikit-learn.

A learner of a user's needs no record here: its constructor's parameters that have defaults are its
settings (``trainers.learners.registry``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from streaming.errors import ConfigError
from streaming.settings import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class CNNSettings(Settings):
    """Settings of the CNN."""

    learning_rate: float = setting(1e-3, "Adam step size of the CNN", low=1e-7, high=1)
    updates: int = setting(4, "gradient steps of the CNN a cycle", low=1, high=100_000)
    batch_size: int = setting(256, "windows an update", low=1, high=100_000)
    weight_decay: float = setting(
        3.0,
        "how hard the CNN is drawn back to its first weights: only what lasts is learned",
        low=0,
        high=100,
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class DQNSettings(Settings):
    """Settings of the DQN."""

    learning_rate: float = setting(3e-4, "AdamW step size of the DQN", low=1e-7, high=1)
    updates: int = setting(100, "gradient steps a cycle", low=1, high=100_000)
    batch_size: int = setting(256, "transitions an update", low=1, high=100_000)
    gamma: float = setting(0.97, "discount factor a bar", low=0, high=0.9999)
    tau: float = setting(
        0.4, "Polyak step of the target network, made every 50 updates", low=0, high=1
    )
    memory: int = setting(100_000, "transitions kept for replay", low=100, high=10**8)
    epsilon_decay: float = setting(
        0.9, "factor on epsilon (chance of a random action in a training episode) a cycle",
        low=0, high=1,
    )  # fmt: skip
    epsilon_min: float = setting(0.05, "where epsilon stops falling", low=0, high=1)


# By the name of the section, which is the learner's.
BUILT_IN_SETTINGS: dict[str, type[Settings]] = {"cnn": CNNSettings, "dqn": DQNSettings}


def flat_name(section: str, name: str) -> str:
    """Return the name of a learner's setting among the session's: flag, parameter, MLflow param.

    >>> flat_name("cnn", "updates"), flat_name("MyLearner", "window")
    ('cnn_updates', 'learner.MyLearner.window')
    """
    short = section in BUILT_IN_SETTINGS
    return f"{section}_{name}" if short else f"learner.{section}.{name}"


def section_and_setting(name: str) -> tuple[str, str] | None:
    """Return whose setting a name is, and which; None for a setting of the session itself.

    >>> section_and_setting("cnn_updates"), section_and_setting("learner.cnn.updates")
    (('cnn', 'updates'), ('cnn', 'updates'))
    >>> section_and_setting("learner.MyLearner.window"), section_and_setting("page_port")
    (('MyLearner', 'window'), None)
    """
    if name.startswith("learner."):
        _, section, own = [*name.split(".", 2), "", ""][:3]
        return section, own
    section, _, own = name.partition("_")
    return (section, own) if section in BUILT_IN_SETTINGS else None


def whole_section(section: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of a built-in learner, those given checked, the others by default.

    Raises:
        ConfigError: if one is unknown or out of its bounds; it is named as ``cnn_updates``.
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
