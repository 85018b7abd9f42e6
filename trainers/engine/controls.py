"""The controls that an operator has over a market's training. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trainers.engine.runners.champion_challenger import ChampionChallenger
from trainers.engine.runners.learner_runner import LearnerRunner
from trainers.learners.own_code import LearnerError
from trainers.names import Control

LOWEST_RATE = 1e-7  # not 0: to stop a learner, pause it

# The lowest and highest value of each control that sets a number.
BOUNDS = {
    Control.LEARNING_RATE: (LOWEST_RATE, 1.0),
    Control.EPSILON: (0.0, 1.0),
    Control.CONFIDENCE: (0.5, 1.0),
}


class ControlRefusedError(ValueError):
    """A control has an unknown name or a value out of range; nothing was changed."""


def control_of(name: str) -> Control:
    """Return the control with this name.

    Raises:
        ControlRefusedError: if there is no such control.
    """
    try:
        return Control(name)
    except ValueError:
        raise ControlRefusedError(
            f"control/{name}: unknown; allowed: {', '.join(Control)}"
        ) from None


def number_of(control: Control, value: str) -> float:
    """Parse the value of a control that sets a number.

    Raises:
        ControlRefusedError: if it is no number, or out of range.
    """
    low, high = BOUNDS[control]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not low <= number <= high:
        raise ControlRefusedError(f"control/{control}: got {value!r}; allowed: {low:g} to {high:g}")
    return number


def adjust(control: Control, value: str, learners: Sequence[LearnerRunner]) -> str:
    """Set a number of every learner that has it; return a text that says what was done.

    Raises:
        ControlRefusedError: if the value is no number, or out of range.
    """
    number, changed, failed = number_of(control, value), [], ""
    for runner in learners:
        try:
            if runner.adjust(control.value, number):
                changed.append(runner.name)
        except LearnerError as e:
            failed += f"; {runner.name} failed at it: {e}"
    name = control.value.replace("_", " ")
    return f"{name} of {', '.join(changed) or 'no learner'} is now {number:g}{failed}"


def set_confidence(
    value: str, everyone: Sequence[LearnerRunner], learners: Sequence[LearnerRunner]
) -> str:
    """Set the probability from which a forecast is a signal; return what was done as a text.

    Args:
        value: the probability, as the operator typed it.
        everyone: all runners, champions and baselines included.
        learners: the runners whose exported models carry the probability as well.

    Raises:
        ControlRefusedError: if the value is no number, or out of range.
    """
    number = number_of(Control.CONFIDENCE, value)
    for runner in everyone:
        runner.set_confidence(number)
    adjust(Control.CONFIDENCE, value, learners)  # the signal in model versions
    return f"confidence is now {number:g}"


def has_learned(runner: LearnerRunner) -> bool:
    """Return whether a learner has a model that can be promoted.

    Raises:
        ControlRefusedError: if the learner fails at its export.
    """
    try:
        return runner.exported() is not None
    except LearnerError as e:
        raise ControlRefusedError(f"control/promote: {runner.name} cannot be exported ({e})") from e


def test_of(
    control: Control, learner: str, tests: Sequence[ChampionChallenger]
) -> ChampionChallenger:
    """Return the test of the learner that an operator wants to promote or roll back.

    Raises:
        ControlRefusedError: if no test has this learner, or it has nothing to promote or roll back.
    """
    found = {test.name: test for test in tests}.get(learner)
    if found is None:
        names = ", ".join(sorted(test.name for test in tests)) or "nobody"
        raise ControlRefusedError(f"control/{control}: got {learner!r}; allowed: {names}")
    if control == Control.ROLLBACK and not found.version:
        raise ControlRefusedError(f"control/rollback: {learner} has no champion to roll back")
    if control == Control.PROMOTE and not has_learned(found.challenger):
        raise ControlRefusedError(f"control/promote: {learner} has not learned yet")
    return found
