"""What a search is to do, from its settings and a look at the tape."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from streaming.bars import Bars
from streaming.program.settings import typed
from trainers.config import SessionConfig
from trainers.config.pretraining.start import with_start
from trainers.config.tune import TuneConfig
from trainers.learners.registry import check_learners, learners_of, settings_of
from trainers.research.backtest import seconds_of, span_of, tapes_of
from trainers.research.tape_bars import bars_of_tape
from trainers.research.tuning.search.space import Setting, Space, space_of


class Job(NamedTuple):
    """What a search is to do.

    Attributes:
        given: its settings.
        record: those of the backtest of a trial.
        learner: the learner's name.
        kind: its ``LearnerKind``.
        section: its section of settings.
        default: its settings as they are, by name.
        space: the values that are searched.
        bars: by market.
        seconds: the market time of one trial, s.
    """

    given: TuneConfig
    record: SessionConfig
    learner: str
    kind: str
    section: str
    default: dict[str, Any]
    space: Space
    bars: Mapping[str, Bars]
    seconds: float


def job_of(given: TuneConfig) -> Job:
    """Return what a search is to do; all of the tape is read.

    Raises:
        TickloopError: if a setting or the tape is unusable.
    """
    (entry,) = given.learner_list
    check_learners(given.learner_list, given.learner)
    section, settings = _settings(entry, given)
    space = space_of(given.space, settings)
    tapes = tapes_of(given)
    symbols = ",".join(tape.symbol for tape in tapes)
    quoted = any(part.quotes for tape in tapes for part in tape.parts)
    config = dataclasses.replace(given, symbols=symbols)
    record = with_start(config.with_features(quotes=config.quotes and quoted)).for_record()
    (learner,) = learners_of(record).values()
    span = span_of(config, tapes)
    return Job(
        given=given,
        record=record,
        learner=learner.name,
        kind=learner.kind,
        section=section,
        default={name: setting.value for name, setting in settings.items()},
        space=space,
        bars={tape.symbol: bars_of_tape(tape, span, record) for tape in tapes},
        seconds=sum(seconds_of(tape, span) for tape in tapes),
    )


def _settings(entry: str, given: TuneConfig) -> tuple[str, dict[str, Setting]]:
    """Return a learner's section, and its settings as they are."""
    section, fields = settings_of(entry)
    own = given.learner.get(section, {})
    settings = {}
    for name, field in fields.items():
        bounds = (field.metadata[key] for key in ("low", "high", "choices"))
        kind: type = type(field.default)  # a learner of the user's has its settings as texts
        settings[name] = Setting(typed(name, own.get(name, field.default), kind), *bounds)
    return section, settings
