"""The leaderboard on the Evidence tab: who is proven ahead of whom. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from trainers.scoring.arena.board import Standing
from ui.views.formatting import UNKNOWN, count
from ui.views.view_model import Texts, ViewModel

NOBODY = "nobody yet"


def leaderboard(standings: Sequence[Standing]) -> ViewModel:
    """Return the table: its rows in their order, and the texts of their cells."""
    scored = [one for one in standings if one.bars]
    texts: Texts = {}
    for one in scored:
        texts |= _cells(one)
    return ViewModel(texts, {"board": [one.name for one in scored]})


def _cells(one: Standing) -> Texts:
    cells = {
        "place": str(one.place),
        "range": f"{one.best} to {one.worst}" if one.best < one.worst else str(one.best),
        "bars": count(one.bars),
        "brier": UNKNOWN if one.brier is None else f"{one.brier:.4f}",
        "behind": _behind(one),
        "ahead": ", ".join(one.ahead_of) or NOBODY,
    }
    return {f"a.{one.name}.{name}": text for name, text in cells.items()}


def _behind(one: Standing) -> str:
    if one.half_width is None:
        return "the first" if one.place == 1 else UNKNOWN
    return f"{one.behind:.4f} ± {one.half_width:.4f}"
