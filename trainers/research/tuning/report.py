"""What a search says of itself, in words and numbers. Pure.

The same text is printed, is the note of the search's run, and an artifact of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trainers.config.learners import flat_name
from trainers.names import TUNE, LearnerKind
from trainers.research.tuning.job import Job
from trainers.research.tuning.search.study import Tried
from trainers.scoring.interval import Estimate
from trainers.scoring.search.judgement import DEFAULT, Against, Judgement

UNITS = {LearnerKind.FORECASTER: "nats", LearnerKind.AGENT: "bp"}
NOTHING = "Nothing better than what you have."


def report_of(found: Judgement, tried: Sequence[Tried], job: Job) -> str:
    """Return the report, a line a sentence.

    Args:
        found: the judgement.
        tried: all trials.
        job: what was searched.
    """
    unit, section = UNITS[LearnerKind(job.kind)], job.section
    pruned = sum(not one.is_whole for one in tried)
    same, silent = (sum(each) for each in zip(*map(_counts, tried), strict=True))
    lines = [
        f"{len(tried)} trials: {len(tried) - pruned - same - silent} played to the end,"
        f" {pruned} given up, {same} of settings tried before, {silent} that said too little."
    ]
    if found.best == DEFAULT:
        lines.append(f"{NOTHING} No other setting is ahead of the settings as they are.")
    else:
        lines += _of_the_best(found, tried[found.best], section, unit)
    if found.overfit is not None:
        lines.append(
            f"Probability of backtest overfitting (CSCV): {found.overfit:.0%}; at 50 % the choice"
            " among the trials is worth nothing."
        )
    if found.is_better:
        flags = flags_of(tried[found.best].settings, section)
        lines.append(
            "It is not promoted: start a session with it, whose test begins afresh on bars after"
            f" this choice: python -m trainers.session --learners {job.record.learners} {flags}"
        )
    return "\n".join(lines)


def flags_of(settings: Mapping[str, Any], section: str) -> str:
    """Return settings as parameters of ``mlflow run`` or, where it has none, as flags."""
    return " ".join(f"--{flat_name(section, name)} {value}" for name, value in settings.items())


def metrics_of(found: Judgement) -> dict[str, float]:
    """Return the judgement's numbers by metric name."""
    numbers = {"best": float(found.best), "better": float(found.is_better)}
    if found.overfit is not None:
        numbers["overfit"] = found.overfit
    for name, against in (("", found.default), ("baseline_", found.baseline)):
        if against is not None:
            numbers[f"{name}gain"] = against.gain.value
            if against.gain.half_width is not None:
                numbers[f"{name}gain_ci"] = against.gain.half_width
            numbers[f"{name}luck"], numbers[f"{name}chance"] = against.luck, against.chance
    return {f"{TUNE}{name}": value for name, value in numbers.items()}


def _counts(one: Tried) -> tuple[int, int]:
    """Return whether it is one of settings tried before, and whether it said too little."""
    again = one.same_as is not None and one.is_whole
    return again, one.gain is None and one.is_whole and not again


def _of_the_best(found: Judgement, best: Tried, section: str, unit: str) -> list[str]:
    assert found.default is not None
    settings = ", ".join(
        f"{flat_name(section, name)} {_short(value)}" for name, value in best.settings.items()
    )
    lines = [f"Best: trial {best.number} ({settings})."]
    for against in (found.default, found.baseline):
        if against is not None:
            lines.append(_against(against, found.tried, unit))
    if found.is_better:
        return [f"Better than what you have: trial {best.number}.", *lines]
    short = [one.rival for one in (found.default, found.baseline) if one and not one.proven]
    why = f"Its gain over {' and over '.join(short)} is not beyond luck."
    return [f"{NOTHING} {why}", *lines]


def _against(one: Against, tried: int, unit: str) -> str:
    return (
        f"Against {one.rival} it gains {_number(one.gain)} {unit} a bar, on {one.bars:,} bars."
        f" The best of {tried} that are all no better would gain {one.luck:.6f} by luck, so"
        f" {one.left:.6f} is left; it is truly better with probability {one.chance:.1%}."
    )


def _number(gain: Estimate) -> str:
    width = "" if gain.half_width is None else f" ± {gain.half_width:.6f}"
    return f"{gain.value:.6f}{width}"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
