"""Verdicts on challengers, as the trainer tags them, in words. Pure.

A verdict is JSON: decision (promote, keep, wait, rollback), reason, log_e, log_threshold, bars,
against, bars_left; whatever is missing is left out of the words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ui.words import UNKNOWN, count, duration


def verdict_words(text: str | None) -> str:
    """Write a tag ``verdict`` as one sentence."""
    if text is None:
        return UNKNOWN
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return "the trainer's verdict cannot be read"
    return describe(found)


def describe(verdict: Mapping[str, Any]) -> str:
    """Write a verdict: what, why, on which evidence, and how much is still needed."""
    words = str(verdict.get("decision") or "no decision")
    if reason := verdict.get("reason"):
        words += f": {reason}"
    if "log E" in words:  # the reason tells its numbers
        return words
    evidence = _evidence(verdict)
    return f"{words} ({evidence})" if evidence else words


def _evidence(verdict: Mapping[str, Any]) -> str:
    parts = []
    log_e, threshold = _number(verdict, "log_e"), _number(verdict, "log_threshold")
    if log_e is not None:
        against = f" against {threshold:.2f} needed" if threshold is not None else ""
        parts.append(f"log E {log_e:+.2f}{against}")
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
