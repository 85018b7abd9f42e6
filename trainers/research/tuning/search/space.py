"""The settings that a search varies, and how far: by default, or from a text. Pure.

learning_rate=1e-5:1e-2:log,updates=1:64,gamma=0.9:0.999,loss=huber|squared
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from streaming.errors import ConfigError
from streaming.program.settings import typed

FACTOR = 4  # by default a number is searched from a fourth of its default to four times of it
HELP = "NAME=LOW:HIGH, NAME=LOW:HIGH:log or NAME=A|B|C, separated by commas"


class Setting(NamedTuple):
    """A setting of a learner.

    Attributes:
        value: what it is; also gives the type.
        low: the smallest value allowed.
        high: the largest.
        choices: all values allowed of a text, if it is one of a few.
    """

    value: Any
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()


class Range(NamedTuple):
    """The values of a setting that are searched.

    Attributes:
        low: the smallest, an int or a float as the setting is.
        high: the largest.
        log: whether all factors are alike, not all differences.
        choices: the values themselves, of which there are no bounds.
    """

    low: float = 0
    high: float = 0
    log: bool = False
    choices: tuple[Any, ...] = ()


Space = dict[str, Range]


def default_space(settings: Mapping[str, Setting]) -> Space:
    """Return the space around the values of settings, within their bounds.

    A number is searched from a fourth of it to four times of it; a share above one half by its
    distance from 1, so that 0.97 goes from 0.88 to 0.9925. Texts without choices stay as they are.

    >>> default_space({"updates": Setting(4, 1, 100), "gamma": Setting(0.97, 0, 0.9999)})["updates"]
    Range(low=1, high=16, log=True, choices=())
    """
    found = {name: _around(setting) for name, setting in settings.items()}
    return {name: range_ for name, range_ in found.items() if range_ is not None}


def _around(setting: Setting) -> Range | None:
    value, low, high, choices = setting
    if isinstance(value, bool):
        return Range(choices=(False, True))
    if choices:
        return Range(choices=choices)
    if not isinstance(value, int | float) or value <= 0:
        return None
    if isinstance(value, float) and low >= 0 and high <= 1 and 0.5 < value < 1:
        least, most = 1 - FACTOR * (1 - value), 1 - (1 - value) / FACTOR
        return Range(max(low, least), min(high, most))
    whole = isinstance(value, int)
    least = max(1, value // FACTOR) if whole else value / FACTOR
    least, most = max(low, least), min(high, value * FACTOR)
    return Range(int(least), int(most), log=True) if whole else Range(least, most, log=True)


def space_of(text: str, settings: Mapping[str, Setting]) -> Space:
    """Return the space that a text names; of an empty text the default one.

    Args:
        text: as in the first lines of this module.
        settings: the learner's settings by name.

    Raises:
        ConfigError: if a part of it is wrong, or there is nothing to search.
    """
    if text.strip() and settings:
        return dict(_part(part.strip(), settings) for part in text.split(","))
    if space := default_space(settings):
        return space
    raise ConfigError(
        "space: the learner has no settings to search;"
        f" allowed: {', '.join(settings) or 'a learner that has settings'}, as {HELP}"
    )


def _part(text: str, settings: Mapping[str, Setting]) -> tuple[str, Range]:
    name, _, values = (word.strip() for word in text.partition("="))
    if name not in settings:
        raise ConfigError(f"space: got {name!r}; allowed: {', '.join(settings)}, as {HELP}")
    setting, kind = settings[name], type(settings[name].value)
    if ":" not in values or kind in (str, bool):
        choices = tuple(_value(name, word, setting) for word in values.split("|"))
        return name, Range(choices=choices)
    bounds = values.split(":")
    if len(bounds) not in (2, 3) or bounds[2:] not in ([], ["log"]):
        raise ConfigError(f"space: got {text!r}; allowed: {HELP}")
    low, high = (_value(name, word, setting) for word in bounds[:2])
    log = len(bounds) == 3
    if low >= high or (log and low <= 0):
        wanted = "LOW below HIGH" + (", and above 0 as the scale is logarithmic" if log else "")
        raise ConfigError(f"space: got {text!r}; allowed: {wanted}")
    return name, Range(low, high, log)


def _value(name: str, word: str, setting: Setting) -> Any:
    value = typed(f"space: {name}", word.strip(), type(setting.value))
    outside = isinstance(value, int | float) and not setting.low <= value <= setting.high
    if outside:
        raise ConfigError(f"space: got {name}={word}; allowed: {setting.low:g} to {setting.high:g}")
    if setting.choices and value not in setting.choices:
        raise ConfigError(f"space: got {name}={word}; allowed: {', '.join(setting.choices)}")
    return value
