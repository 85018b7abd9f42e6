"""A what-if beside the session that it departs from, as a table. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.replay.comparison import Recorded

SHOWN = ("live/accuracy", "live/log_loss", "live/edge", "live/pnl_bps", "live/trades", "train/loss")


def side_by_side(recorded: Recorded, newest: Mapping[str, Mapping[str, float]], what: str) -> str:
    """Return the newest metrics of both, of each run that has any that are shown.

    Args:
        recorded: metrics of the session, by run, step and name.
        newest: of the what-if, by run and name.
        what: the settings that differ.
    """
    lines = [f"{'':<28} {'as recorded':>14} {'what if':>14}   {what}"]
    for run, metrics in newest.items():
        then: dict[str, float] = {}
        for step in sorted(recorded.get(run, {})):
            then |= recorded[run][step]
        for name in SHOWN:
            if name in metrics or name in then:
                label = f"{run.partition('/')[2] or run} {name}"
                lines.append(f"{label:<28} {_cell(then, name):>14} {_cell(metrics, name):>14}")
    return "\n".join(lines)


def _cell(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.5g}" if name in metrics else "not known"
