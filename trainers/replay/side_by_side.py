"""A table of a what-if's metrics beside those of its session. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from trainers.replay.comparison import Recorded

SHOWN = (
    "live/pnl_bps", "live/drawdown", "live/trades", "live/edge", "live/edge_bps", "live/accuracy",
    "live/log_loss", "train/loss",
)  # fmt: skip


def side_by_side(recorded: Recorded, newest: Mapping[str, Mapping[str, float]], what: str) -> str:
    """Return a table of the newest metrics in ``SHOWN``, as text.

    A run in which none of them differs has no lines, but is named below.

    Args:
        recorded: the session's metrics, by run, step and name.
        newest: the what-if's newest metrics, by run and name.
        what: the changed settings as a text, for the header.
    """
    lines = [f"{'':<32} {'as recorded':>14} {'what if':>14}   {what}"]
    alike = []
    several = len({run.partition("/")[0] for run in newest if "/" in run}) > 1
    for run, now in newest.items():
        market, _, learner = run.rpartition("/")
        name = f"{market} {learner}" if several and market else learner
        then: dict[str, float] = {}
        for step in sorted(recorded.get(run, {})):
            then |= recorded[run][step]
        there = [metric for metric in SHOWN if metric in now or metric in then]
        if all(now.get(metric) == then.get(metric) for metric in there):
            alike += [name] * bool(there)
            continue
        for metric in there:
            label = f"{name} {metric}"
            lines.append(f"{label:<32} {_cell(then, metric):>14} {_cell(now, metric):>14}")
    if alike:
        lines.append(f"the same in both: {', '.join(alike)}")
    return "\n".join(lines)


def _cell(metrics: Mapping[str, float], name: str) -> str:
    return f"{metrics[name]:.5g}" if name in metrics else "not known"
