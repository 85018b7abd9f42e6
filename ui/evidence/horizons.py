"""At which horizon a market's moves could pay their costs: a line a horizon. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trainers.names import HORIZON
from ui.views.formatting import UNKNOWN, UNSCORED, percent
from ui.views.metric_cards import Line
from ui.views.view_model import Texts

NOT_FORECAST = "not forecast"


def horizon_texts(
    runs: Iterable[Mapping[str, float]], forecasters: Mapping[str, Mapping[str, float]], ahead: int
) -> Texts:
    """Return the texts of all lines.

    Args:
        runs: the metrics of the market's runs, of which one has those of the horizons.
        forecasters: the metrics of each forecaster, by its name.
        ahead: how far these look ahead, s.
    """
    known = {name: value for run in runs for name, value in run.items() if _is_ours(name)}
    texts: Texts = {}
    for prefix in dict.fromkeys(name.rpartition("/")[0] for name in known):
        seconds = prefix.removeprefix(HORIZON).removesuffix("s")
        of = {"move_bps": f"{prefix}/move_bps", "break_even": f"{prefix}/break_even"}
        texts[f"h.{seconds}.move"] = Line(of["move_bps"], "", _two, UNKNOWN).text(known)
        texts[f"h.{seconds}.needed"] = needed(known, of["break_even"])
        reached = [f"{name} {_reached(run)}" for name, run in forecasters.items()]
        texts[f"h.{seconds}.reached"] = (
            ", ".join(reached) if int(seconds) == ahead and reached else NOT_FORECAST
        )
    return texts


def seconds_of(texts: Texts) -> list[int]:
    """Return the horizons that have a line, s, the shortest first."""
    return sorted({int(key.split(".")[1]) for key in texts})


def needed(metrics: Mapping[str, float], name: str = "live/break_even") -> str:
    """Return the accuracy from which trading pays."""
    if metrics.get(name, 0.0) > 1:
        return "over 100 %: a move costs more than it is worth"
    return Line(name, "", percent, UNKNOWN).text(metrics)


def _reached(metrics: Mapping[str, float]) -> str:
    return Line("live/accuracy", "", percent, UNSCORED, of="live/scored").text(metrics)


def _is_ours(name: str) -> bool:
    return name.startswith(HORIZON)


def _two(value: float) -> str:
    return f"{value:.2f}"
