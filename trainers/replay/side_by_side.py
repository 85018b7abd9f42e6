"""A table of a what-if's metrics beside those of its session. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.replay.comparison import Recorded

SHOWN = ("live/accuracy", "live/log_loss", "live/edge", "live/pnl_bps", "live/trades", "train/loss")


def side_by_side(recorded: Recorded, newest: Mapping[str, Mapping[str, float]], what: str) -> str:
    """Return a table of the newest metrics in ``SHOWN``, as text.

    Args:
        recorded: the session's metrics, by run, step and name.
        newest: the what-if's newest metrics, by run and name.
        what: the changed settings as a text, for the header.
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
