"""Names of learners that the page treats in a way of their own. Pure."""

from __future__ import annotations

from collections.abc import Collection

from trainers.learners.registry import BASELINES, MAJORITY, PERMUTED_LABELS
from trainers.names import champion_name

__all__ = ["MAJORITY", "PERMUTED_LABELS", "is_champion", "is_learner"]

_CHAMPION = champion_name("")


def is_champion(name: str) -> bool:
    """Return whether a name is that of a learner's champion.

    >>> is_champion("cnn.champion"), is_champion("cnn")
    (True, False)
    """
    return name.endswith(_CHAMPION)


def is_learner(name: str, session_learners: Collection[str]) -> bool:
    """Return whether a name in the ledger is a learner's, not that of a baseline beside it.

    Args:
        name: the name in the ledger.
        session_learners: the learners that the session names; a baseline among them is a learner.
    """
    return name in session_learners or name not in BASELINES
