"""Verdicts on challengers, as the trainer tags them, as text. Pure.

A verdict is JSON: decision (promote, keep, wait, rollback), reason, log_e, log_threshold, bars,
against, bars_left; whatever is missing is left out of the text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ui.views.formatting import UNKNOWN, count, duration


def by_interval(value: float, width: float, above: str, below: str, inside: str) -> str:
    """Return one of three texts: where the interval ``value`` ± ``width`` lies around 0.

    >>> by_interval(3.0, 1.0, "gain", "loss", "open"), by_interval(3.0, 3.0, "gain", "loss", "open")
    ('gain', 'open')
    """
    if value - width > 0:
        return above
    return below if value + width < 0 else inside


def verdict_text(text: str | None) -> str:
    """Return a tag ``verdict`` as one sentence."""
    if text is None:
        return UNKNOWN
    try:
        verdict = json.loads(text)
    except ValueError:
        verdict = None
    if not isinstance(verdict, dict):
        return "the trainer's verdict cannot be read"
    return describe(verdict)


def describe(verdict: Mapping[str, Any]) -> str:
    """Return a verdict's text: what, why, on which evidence, and how much is still needed."""
    sentence = str(verdict.get("decision") or "no decision")
    if reason := verdict.get("reason"):
        sentence += f": {reason}"
    if "log E" in sentence:  # the reason has its numbers
        return sentence
    evidence = _evidence(verdict)
    return f"{sentence} ({evidence})" if evidence else sentence


def _evidence(verdict: Mapping[str, Any]) -> str:
    parts = []
    log_e, threshold = _number(verdict, "log_e"), _number(verdict, "log_threshold")
    if log_e is not None:
        against = f" against {threshold:.2f} needed" if threshold is not None else ""
        parts.append(f"log E {log_e:+z.2f}{against}")
    if (bars := _number(verdict, "bars")) is not None:
        parts.append(f"{count(bars)} bars")
    if verdict.get("against"):
        parts.append(f"compared with {verdict['against']}")
    if left := _number(verdict, "bars_left"):
        parts.append(f"about {duration(left)} of the market still needed")
    return ", ".join(parts)


def _number(verdict: Mapping[str, Any], name: str) -> float | None:
    value = verdict.get(name)
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known else None  # type: ignore[arg-type]  # checked the line before
