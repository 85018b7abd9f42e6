"""What the overview says of one market: a line of texts, with the numbers that order them. Pure."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping
from typing import Any

from trainers.config import SessionConfig
from trainers.names import LearnerKind, Tag
from trainers.states import OVER, State
from trainers.tracking.reader import RunRecord
from ui.market_reader import Counters
from ui.mlflow.session_metrics import SessionMetrics
from ui.session_state import learner_state, stream_state
from ui.views.formatting import NOT_APPLICABLE, count
from ui.views.metric_cards import EDGE, EDGE_BPS, FEW, LIVE_ACCURACY, MISSED, PNL, Line
from ui.views.verdict_text import by_interval, verdict_text

# The marks of a line, words that its filter finds.
PROVEN, LEADS, EARNS, LOSES, ERRS = "proven", "leads", "earns", "loses", "errs"
MARKS = (PROVEN, LEADS, EARNS, LOSES, ERRS)

Cell = list[Any]  # a text, the number that orders it (None: last), and what it is in full


@dataclasses.dataclass(frozen=True)
class Leading:
    """The learners whose scores stand in the lines: the session's first of each kind.

    Attributes:
        forecaster: whose accuracy, edge and verdict; empty if the session has none.
        trader: whose profit: the first agent, or else the forecaster.
    """

    forecaster: str
    trader: str


def leading(config: SessionConfig, metrics: SessionMetrics) -> Leading:
    """Return whose scores stand in the lines."""
    kinds = {
        name: run.tags.get(Tag.LEARNER_KIND)
        for runs in metrics.learners.values()
        for name, run in runs.items()
    }
    known = {"cnn": LearnerKind.FORECASTER, "dqn": LearnerKind.AGENT} | kinds
    names = config.learner_list
    agents = [name for name in names if known.get(name) == LearnerKind.AGENT]
    forecasters = [name for name in names if name not in agents]
    return Leading(next(iter(forecasters), ""), next(iter(agents or forecasters), ""))


def line_of(
    who: Leading,
    runs: Mapping[str, RunRecord],
    counters: Counters | None,
    state: State,
    *,
    proven: bool,
) -> dict[str, Any]:
    """Return a market's line, but for what changes each second.

    Args:
        who: whose scores stand in it.
        runs: the runs of the market's learners, by name.
        counters: the counters of its stream.
        state: its state, see ``market_state``.
        proven: whether the market is among the session's discoveries.
    """
    forecaster, trader = (runs.get(name) for name in (who.forecaster, who.trader))
    edge, ours = (EDGE, forecaster) if who.forecaster else (EDGE_BPS, trader)
    edge = dataclasses.replace(edge, also=None)
    cells = {
        "accuracy": _scored(LIVE_ACCURACY, forecaster),
        "edge": _scored(edge, ours),
        "pnl": [*_cell(PNL, trader)[:2], _profits(runs)],
        "verdict": _verdict(ours),
        "missed": _missed(runs.values()),
        "gaps": _gaps(counters),
    }
    marks = [PROVEN] if proven else []
    marks += [LEADS] if _side(edge, ours) > 0 else []
    # The line has room for one profit; the marks are of all.
    sides = {name: _side(PNL, run) for name, run in runs.items()}
    whose = {EARNS: _names(sides, 1), LOSES: _names(sides, -1)}
    marks += [mark for mark, names in whose.items() if names]
    marks += [ERRS] if state in (State.FAILED, State.STALLED) else []
    return {
        "state": state,
        "marks": marks,
        "whose": whose,
        "side": _side(PNL, trader),
        "cycle": ours.cycle if ours else None,
        "cells": cells,
    }


def market_state(
    config: SessionConfig,
    runs: Mapping[str, RunRecord],
    counters: Counters | None,
    session: State,
    over: State | None,
) -> State:
    """Return a market's state in one word: the worst of its stream and its learners."""
    if over is not None:
        return over
    stream = stream_state(counters, config, over)
    names = dict.fromkeys((*config.learner_list, *runs))
    states = [learner_state(runs.get(name), session, stream) for name in names]
    order = (*OVER[::-1], State.STALLED, State.STARTING, State.PAUSED, State.WARMING_UP)
    return next((state for state in order if state in (stream, *states)), stream)


def _side(line: Line, run: RunRecord | None) -> int:
    """Return on which side of 0 the whole interval lies; 0 if it holds 0 or is not known."""
    value, width = _number(line, run), run.metrics.get(f"{line.key}_ci") if run else None
    if value is None or not width:
        return 0
    return int(by_interval(value, width, "1", "-1", "0"))


def _names(sides: Mapping[str, int], side: int) -> str:
    return ", ".join(name for name, found in sides.items() if found == side)


def _number(line: Line, run: RunRecord | None) -> float | None:
    """Return a metric's value; None if nothing was scored."""
    if run is None or line.key not in run.metrics or run.metrics.get(line.of) == 0:
        return None
    return run.metrics[line.key]


def _cell(line: Line, run: RunRecord | None) -> Cell:
    if run is None:
        return [NOT_APPLICABLE, None, ""]
    short = dataclasses.replace(line, samples="")
    return [short.text(run.metrics), _number(line, run), line.text(run.metrics)]


def _profits(runs: Mapping[str, RunRecord]) -> str:
    """Return every learner's profit: the line has room for one."""
    return ", ".join(f"{name} {PNL.text(run.metrics)}" for name, run in runs.items())


def _scored(line: Line, run: RunRecord | None) -> Cell:
    """Return a score; of few samples only their number, as all of it would be cut off."""
    text, number, whole = _cell(line, run)
    n = run.metrics.get(line.of) if run else None
    few = n is not None and 0 < n < FEW
    return [f"n = {n:.0f}, too few" if few else text, number, whole]


def _verdict(run: RunRecord | None) -> Cell:
    """Return the decision with its evidence, ordered by how far this is from its threshold."""
    text = run.tags.get(Tag.VERDICT) if run else None
    try:
        verdict = json.loads(text or "")
        log_e, threshold = verdict["log_e"], verdict["log_threshold"]
        short = f"{verdict['decision']} {log_e:z.1f} / {threshold:.1f}"
        return [short, round(log_e - threshold, 4), verdict_text(text)]
    except (ValueError, TypeError, KeyError):
        return [NOT_APPLICABLE, None, verdict_text(text)]


def _missed(runs: Iterable[RunRecord]) -> Cell:
    shares = [run.metrics[MISSED.key] for run in runs if MISSED.key in run.metrics]
    if not shares:
        return [NOT_APPLICABLE, None, ""]
    return [MISSED.format(max(shares)), max(shares), ""]


def _gaps(counters: Counters | None) -> Cell:
    if counters is None:
        return [NOT_APPLICABLE, None, ""]
    repaired = f"{counters.repaired:,} ticks repaired" if counters.repaired else ""
    return [count(counters.gaps), counters.gaps, repaired]
