"""Asks the models of many markets in one call; each answer has the bits of that model asked alone.

Half a millisecond of a forecast is the calling of torch, not computing. A trainer of many markets
asks all their models in one call, before it asks each learner: the learner then has its answer.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeGuard
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from streaming.bars import Bars

FEWEST = 4  # of fewer models, each by itself is as fast


class Question(NamedTuple):
    """A model, and the raw bars that it is to forecast from, ``(T, 16)`` float64."""

    model: nn.Module
    raw: NDArray[np.float64]


class Answered:
    """An answer that was given ahead, kept for the question that it belongs to."""

    def __init__(self) -> None:
        self._to: Question | None = None
        self._said = torch.empty(0)

    def put(self, question: Question, said: Tensor) -> None:
        """Remember what the model has said, a row of its output."""
        self._to, self._said = question, said

    def get(self, question: Question) -> Tensor | None:
        """Return the answer, if it is one to this question: the same model and the same bars."""
        to = self._to
        if to is None or to.model is not question.model:
            return None
        return self._said if to.raw.tobytes() == question.raw.tobytes() else None


class Stackable:
    """A learner whose model can be asked together with those of other markets.

    The models of one type and name have the same code and shapes, and differ in parameters and
    buffers; what else they have, an answer that is used does not depend on. A model does not change
    once it forecasts.

    Attributes:
        name: the learner's name.
        answered: the answer that was given before it is asked for.
    """

    name: str

    def __init__(self) -> None:
        self.answered = Answered()

    def question(self, bars: Bars) -> Question | None:
        """Return what ``forecast`` asks of which model; None where it cannot forecast."""
        raise NotImplementedError


def is_stackable(learner: object) -> TypeGuard[Stackable]:
    """Return whether a learner is one of ours that can be asked with others.

    One derived from it, which may be a user's, is asked alone: what that raises ends at its runner.
    """
    return Stackable in type(learner).__bases__


class Stacks:
    """Forecasts ahead for learners of many markets."""

    def __init__(self) -> None:
        # Models to call with the weights of others; one that forecasts is never changed for it.
        self._shapes: dict[tuple[type, str], nn.Module] = {}
        self._weights: WeakKeyDictionary[nn.Module, dict[str, Tensor]] = WeakKeyDictionary()

    def ask(self, asked: Iterable[tuple[object, Bars]]) -> None:
        """Give learners that are stackable the answers that they will be asked for.

        Args:
            asked: learners, each with the bars that it is to forecast from next.
        """
        groups = defaultdict(list)
        for learner, bars in asked:
            if is_stackable(learner) and (question := learner.question(bars)):
                groups[type(learner), learner.name].append((learner.answered, question))
        for kind, group in groups.items():
            if len(group) < FEWEST:
                continue
            models = [question.model for _, question in group]
            if kind not in self._shapes:
                self._shapes[kind] = copy.deepcopy(models[0])
            raw = torch.from_numpy(np.stack([question.raw for _, question in group]))
            said = said_by_each(map(self._weights_of, models), raw, self._shapes[kind])
            for (answered, question), one in zip(group, said, strict=True):
                answered.put(question, one)

    def _weights_of(self, model: nn.Module) -> dict[str, Tensor]:
        if (found := self._weights.get(model)) is None:  # to collect them takes as long as to ask
            found = self._weights[model] = weights_of(model)
        return found


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the parameters and buffers of a model by name, those too that are not saved."""
    return {**dict(model.named_parameters()), **dict(model.named_buffers())}


@torch.no_grad()
def said_by_each(weights: Iterable[Mapping[str, Tensor]], raw: Tensor, shape: nn.Module) -> Tensor:
    """Return what each of several models says of its own raw bars.

    Args:
        weights: ``weights_of`` M models that are alike but for these.
        raw: ``(M, T, 16)`` float64.
        shape: another such model in evaluation mode, to be called with the weights of each.

    Returns:
        ``(M, K)``, the row of each model's output.
    """
    each = list(weights)
    stacked = {name: torch.stack([one[name] for one in each]) for name in each[0]}

    def ask(weights: dict[str, Tensor], bars: Tensor) -> Tensor:
        row: Tensor = torch.func.functional_call(shape, weights, (bars[None],))[0]
        return row

    said: Tensor = torch.func.vmap(ask)(stacked, raw)
    return said
