"""What came of a session, in a few lines: when it ended, its learners' scores, how to go on. Pure.

The terminal, the page and MLflow's descriptions all say it in these words.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence

from trainers.names import LearnerKind, Tag
from trainers.states import State
from trainers.tracking.reader import RunRecord

MOST_LEARNERS = 12


@dataclasses.dataclass(frozen=True)
class Summary:
    """The end of a session.

    Attributes:
        title: how and when it ended, after how many cycles and how long.
        learners: a line for each learner.
        resume: the command with which it goes on.
    """

    title: str
    learners: list[str]
    resume: str


def summary_of(
    session: RunRecord, learners: Sequence[RunRecord], state: State, ended: float
) -> Summary:
    """Return what came of a session.

    Args:
        session: the session's run.
        learners: the runs of its learners.
        state: how it ended.
        ended: when, Unix seconds.
    """
    clock = time.strftime("%H:%M:%S", time.gmtime(ended))
    cycles = session.cycle or 0
    after = f"{cycles:,} cycle{'s' * (cycles != 1)}" if cycles else "no cycle"
    lasted = duration(ended - session.started)
    lines = [line_of(run) for run in learners[:MOST_LEARNERS]]
    if more := len(learners) - len(lines):
        lines.append(f"and {more:,} more")
    return Summary(
        f"{state} at {clock} UTC after {after} in {lasted}",
        lines,
        f'make ARGS="--resume {session.run_id}"',
    )


def line_of(run: RunRecord) -> str:
    """Return what came of one learner, as a line."""
    symbol, name = run.name
    return f"{name} {symbol}: {scores(run)}"


def scores(run: RunRecord) -> str:
    """Return a learner's net profit, edge and number of forecasts scored, as a text."""
    metrics = run.metrics
    if run.tags.get(Tag.LEARNER_KIND) == LearnerKind.AGENT:
        trades = int(metrics.get("live/trades", 0))
        known = f"{trades:,} trade{'s' * (trades != 1)} closed"
        edge = _measured(metrics, "live/edge_bps", "bp", 1)
    else:
        bars = int(metrics.get("live/scored", 0))
        known = f"{bars:,} forecast{'s' * (bars != 1)} scored"
        edge = _measured(metrics, "live/edge", "nats", 4)
    profit = _measured(metrics, "live/pnl_bps", "bp", 1)
    parts = [profit and f"net P&L {profit}", edge and f"edge {edge}", known]
    return ", ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """Return a time span in words.

    >>> duration(8), duration(511), duration(7384)
    ('8 s', '8 min 31 s', '2 h 3 min')
    """
    minutes, second = divmod(round(max(0.0, seconds)), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minute} min"
    return f"{minute} min {second} s" if minute else f"{second} s"


def _measured(metrics: Mapping[str, float], name: str, unit: str, decimals: int) -> str:
    if name not in metrics:
        return ""
    width = metrics.get(f"{name}_ci")
    beside = "" if width is None else f" ± {width:,.{decimals}f}"
    return f"{metrics[name]:+,.{decimals}f}{beside} {unit}"
