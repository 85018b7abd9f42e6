"""A learner's report of a training: the metrics that can be logged, and why others cannot. Pure."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

from trainers.learners.own_code import LearnerError, own_code, utf8
from trainers.names import TRAIN

# What MLflow takes on every system; its Windows has no colon.
NAME = re.compile(r"[\w.\-/ ]+")
LONGEST = 250 - len(TRAIN)  # characters

WRONG_NAME = "its name; allowed: letters, digits, _ - . / and blanks"
WRONG_PATH = "its name, of which no part between / may be empty, . or .."
TOO_LONG = f"its name, which has more than {LONGEST} characters"
OUR_OWN = "its name, which is Tickloop's own"
NO_NUMBER = "its value, which is no number"

OWN = ("seconds",)  # measured by the session

SHOWN = 8  # names in a text
SHOWN_CHARS = 40  # of a name

LARGEST = sys.float_info.max  # how a SQL store keeps an infinity


class Report(NamedTuple):
    """A checked report.

    Attributes:
        metrics: the values by name, without the prefix ``train/``.
        refused: why an entry cannot be logged, by name.
    """

    metrics: dict[str, float]
    refused: dict[str, str]


def checked(found: Any) -> Report:
    """Check what ``Learner.learn`` returned; None is an empty report.

    An infinity becomes the largest number, as which MLflow's store keeps it.

    Raises:
        LearnerError: if it is not a mapping.
    """
    with own_code():
        if found is not None and not isinstance(found, Mapping):
            kind = type(found).__name__
            raise TypeError(f"learn: expected metrics by name, or None; got {kind}")
        entries = [(str(name), value) for name, value in (found or {}).items()]
    report = Report({}, {})
    for name, value in entries:
        if why := _wrong_name(name):
            report.refused[name] = why
            continue
        try:
            with own_code():
                report.metrics[name] = min(max(float(value), -LARGEST), LARGEST)
        except LearnerError:
            report.refused[name] = NO_NUMBER
    return report


def _wrong_name(name: str) -> str:
    if len(name) > LONGEST:
        return TOO_LONG
    if not NAME.fullmatch(name):
        return WRONG_NAME
    if {"", ".", ".."} & set(name.split("/")):
        return WRONG_PATH
    return OUR_OWN if name in OWN else ""


def refusals(refused: Mapping[str, str]) -> str:
    """Return refused entries as a text, grouped by reason."""
    by_reason: dict[str, list[str]] = {}
    for name, why in refused.items():
        by_reason.setdefault(why, []).append(utf8(name[:SHOWN_CHARS]))
    return "; ".join(f"{_listed(names)} for {why}" for why, names in by_reason.items())


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
