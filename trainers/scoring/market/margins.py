"""How far a learner is ahead of each baseline of its kind, as bars come. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.scoring.batches import Batches
from trainers.scoring.direction.edge import edge_of, savings
from trainers.scoring.interval import Estimate
from trainers.scoring.market.track import Settled, Track
from trainers.scoring.metrics import WINDOWS
from trainers.scoring.profit.edge import edge_bps
from trainers.scoring.tally import NO_CASE


class ForecasterMargins:
    """The log-loss that a forecaster saves against each of its rivals.

    Args:
        overlap: with how many later ones a label overlaps.
    """

    def __init__(self, overlap: int = 0) -> None:
        self._none = Batches.none(1, overlap)
        self._saved: dict[str, Batches] = {}

    def take(self, ours: Settled, rivals: Mapping[str, Settled]) -> None:
        """Take the bars of ours and of the baselines that are settled now."""
        for name, rival in rivals.items():
            saved = savings(ours.scored, rival.scored)
            self._saved[name] = self._saved.get(name, self._none).plus(saved)

    def edges(self, ours: Track, rivals: Mapping[str, Track]) -> dict[str, Estimate]:
        """Return the edge over each window, by full name: ``live/edge``, ``live/10m/edge``, ..."""
        found = {}
        for prefix, seconds in WINDOWS.items():
            saved, scored = self._saved, ours.tally.scored
            if seconds is not None:
                window, _ = ours.window(seconds)
                scored = int(window.scored.sum())
                saved = {
                    name: self._none.plus(savings(window, rival.window(seconds)[0]))
                    for name, rival in rivals.items()
                }
            if edge := edge_of(saved, scored):
                found[f"{prefix}edge"] = edge.saved
        return found


class AgentMargins:
    """The net profit of an agent above that of each of its rivals, from its first forecast on."""

    def __init__(self) -> None:
        self._above: dict[str, Batches] = {}

    def take(self, ours: Settled, rivals: Mapping[str, Settled]) -> None:
        """Take the bars of ours and of the baselines that are settled now."""
        start = len(ours.scored) - ours.counted
        for name, rival in rivals.items():
            above = ours.paper.net_bps[start:] - rival.paper.net_bps[start:]
            self._above[name] = self._above.get(name, NO_CASE).plus(above)

    def edges(self, ours: Track, rivals: Mapping[str, Track]) -> dict[str, Estimate]:
        """Return the edge over the session by full name, ``live/edge_bps``."""
        if not ours.tally.begun:
            return {}
        # The bars that wait count too, as far as they are known: what was paid at their close.
        start = len(ours.waiting.net_bps) - ours.waiting_counted
        above = {
            name: self._above.get(name, NO_CASE).plus(
                ours.waiting.net_bps[start:] - rival.waiting.net_bps[start:]
            )
            for name, rival in rivals.items()
        }
        found = edge_bps(above)
        return {"live/edge_bps": found[1]} if found else {}


Margins = ForecasterMargins | AgentMargins
