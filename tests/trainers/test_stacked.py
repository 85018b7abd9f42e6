"""Models asked together: each says to the bit what it says alone."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.features import COLUMNS
from datamodules.plain import copied
from tests.datamodules.samples import random_bars, snapshot_of
from trainers.config import SessionConfig
from trainers.learners.learner import as_forecast
from trainers.learners.registry import learners_of
from trainers.learners.stacked import FEWEST, Answered, Stacks

MOST = 9
KNOWN = 400  # bars to learn from


@pytest.fixture(scope="module", params=[("dqn", "flow"), *(("cnn", name) for name in COLUMNS)])
def markets(request):
    """Learners of as many markets, each with its own past, and the bars of each."""
    kind, features = request.param
    found = []
    for nth in range(MOST):
        (learner,) = learners_of(SessionConfig.of(learners=kind, features=features)).values()
        bars = random_bars(KNOWN + 60, seed=nth)
        learner.learn(snapshot_of(bars[:KNOWN]))
        found.append((learner, bars))
    return found


@settings(max_examples=20, deadline=None)
@given(which=st.permutations(range(MOST)), n=st.integers(FEWEST, MOST), end=st.integers(0, 59))
def test_asked_together_each_says_what_it_says_alone(markets, which, n, end):
    asked = [(markets[i][0], markets[i][1][: KNOWN + end]) for i in which[:n]]
    for learner, _ in asked:
        learner.answered = Answered()
    alone = [learner.forecast(bars) for learner, bars in asked]
    Stacks().ask(asked)
    for (learner, bars), said in zip(asked, alone, strict=True):
        answer = learner.answered.get(learner.question(bars))
        assert answer is not None
        assert learner.forecast(bars) == said
        assert as_forecast(said) is not None


def test_an_answer_is_to_the_same_bars_and_model_only(markets):
    stacks = Stacks()
    asked = [(learner, bars[:-1]) for learner, bars in markets]
    stacks.ask(asked)
    for learner, bars in markets:
        assert learner.answered.get(learner.question(bars)) is None
    (learner, bars), *_ = asked
    question = learner.question(bars)
    assert learner.answered.get(question) is not None
    assert learner.answered.get(question._replace(model=copy.deepcopy(question.model))) is None


def test_no_model_is_changed_by_being_asked(markets):
    before = [copied(learner.serving.state_dict()) for learner, _ in markets]
    Stacks().ask((learner, bars) for learner, bars in markets)
    for (learner, _), was in zip(markets, before, strict=True):
        now = learner.serving.state_dict()
        assert all(np.array_equal(now[name], was[name]) for name in was)


def test_few_are_asked_one_by_one(markets):
    some = [(copy.deepcopy(learner), bars[:-2]) for learner, bars in markets[: FEWEST - 1]]
    Stacks().ask(some)
    assert [learner.answered.get(learner.question(bars)) for learner, bars in some] == [None] * 3


def test_who_cannot_forecast_is_left_out(markets):
    (first, bars), *others = markets
    short = bars[:5]
    Stacks().ask([(first, short), *others, (object(), bars)])
    assert first.forecast(short) is None
    assert all(learner.answered.get(learner.question(its)) is not None for learner, its in others)


def test_a_learner_derived_from_ours_is_asked_alone_and_cannot_stop_others(markets):
    class Derived(type(markets[0][0])):
        def question(self, bars):
            raise RuntimeError("a user's own code")

    derived = copy.deepcopy(markets[0][0])
    derived.__class__ = Derived
    asked = [(learner, bars[:-3]) for learner, bars in markets]
    Stacks().ask([(derived, markets[0][1]), *asked])
    assert all(learner.answered.get(learner.question(bars)) is not None for learner, bars in asked)
