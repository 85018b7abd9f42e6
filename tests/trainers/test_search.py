"""What a search for settings finds, and how much of it is luck: the pure parts."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streaming.errors import ConfigError
from trainers.config.learners import CNNSettings, DQNSettings
from trainers.learners.registry import settings_of
from trainers.research.tuning.search.space import Range, Setting, default_space, space_of
from trainers.scoring.search.bar_scores import gains_of, is_worse, mean_gain
from trainers.scoring.search.deflation import Sharpe, benchmark, expected_maximum, sharpe_of
from trainers.scoring.search.judgement import Trial, judge
from trainers.scoring.search.overfitting import probability_of_overfitting

# ---- deflation


def test_the_worked_example_of_the_paper():
    """100 trials, 1,250 days, yearly ratio 2.5 with variance 1/2, skewness -3, kurtosis 10."""
    found = Sharpe(2.5 / math.sqrt(250), 1250, -3, 10)
    bar = benchmark(100, 0.5 / 250)
    assert round(bar, 4) == 0.1132
    assert round(found.chance_above(bar), 4) == 0.9004


@pytest.mark.parametrize("n", [3, 10, 50, 200])
def test_the_expected_maximum_is_that_of_drawn_numbers_and_never_much_below(n):
    drawn = np.random.default_rng(n).standard_normal((20_000, n)).max(axis=1).mean()
    assert drawn - 0.02 < expected_maximum(n) < 1.06 * drawn


@given(st.integers(1, 10_000), st.floats(0, 10), st.floats(0, 10))
def test_more_trials_and_more_spread_raise_the_bar(n, variance, more):
    assert benchmark(n, variance) <= benchmark(n + 1, variance) + 1e-12
    assert benchmark(n, variance) <= benchmark(n, variance + more) + 1e-12
    assert benchmark(1, variance) == 0


@given(st.floats(-0.3, 0.3), st.floats(-0.3, 0.3), st.integers(50, 100_000))
def test_a_higher_bar_leaves_a_smaller_chance(ratio, bar, n):
    found = Sharpe(ratio, n)
    assert found.chance_above(bar) >= found.chance_above(bar + 0.1)
    assert found.chance_above(ratio) == pytest.approx(0.5)


def test_bars_that_depend_on_their_neighbours_count_for_fewer():
    rng = np.random.default_rng(0)
    alone = rng.standard_normal(4000)
    dependent = np.convolve(alone, np.ones(10) / 10, "same")
    assert 2000 < sharpe_of(alone).n <= 4000
    assert sharpe_of(dependent).n < 1200


def test_gains_that_are_all_alike_have_no_ratio():
    assert sharpe_of(np.full(100, 0.3)) is None
    assert sharpe_of(np.zeros(0)) is None


# ---- overfitting

SCORES = arrays(float, (64, 4), elements=st.floats(-5, 5, width=32))


@settings(max_examples=15, deadline=None)
@given(SCORES, st.permutations(range(4)))
def test_overfitting_does_not_depend_on_the_order_of_trials_that_differ(scores, order):
    scores = scores + np.random.default_rng(1).normal(0, 1e-3, scores.shape)  # no ties
    assert probability_of_overfitting(scores, 8) == probability_of_overfitting(scores[:, order], 8)


@settings(max_examples=15, deadline=None)
@given(SCORES)
def test_a_trial_that_is_best_at_every_bar_is_never_overfit(scores):
    scores[:, 2] = scores.max() + 1
    assert probability_of_overfitting(scores, 8) == 0


def test_overfitting_by_its_definition_half_by_half():
    scores = np.random.default_rng(3).normal(size=(24, 5))
    blocks, low = np.array_split(scores, 6), []
    for chosen in itertools.combinations(range(6), 3):
        inside = np.concatenate([blocks[i] for i in chosen]).mean(axis=0)
        outside = np.concatenate([blocks[i] for i in range(6) if i not in chosen]).mean(axis=0)
        rank = 1 + sorted(outside).index(outside[inside.argmax()])
        low.append(math.log(rank / (6 - rank)) <= 0)
    assert probability_of_overfitting(scores, 6) == np.mean(low)


def test_among_trials_of_noise_the_choice_is_worth_nothing():
    rng = np.random.default_rng(4)
    found = [probability_of_overfitting(rng.normal(size=(320, 10)), 10) for _ in range(40)]
    assert 0.4 < np.mean(found) < 0.6


def test_too_little_has_no_probability_of_overfitting():
    assert probability_of_overfitting(np.zeros((100, 1))) is None
    assert probability_of_overfitting(np.zeros((15, 3))) is None


# ---- judgement


def tried(rng, means, n=4000, spread=1.0):
    """Trials whose scores have the means given; the first is the default."""
    shared = rng.normal(0, spread, n)  # what all say of a bar
    own = [rng.normal(0, spread, n) for _ in means]
    return [Trial(i, shared + own[i] + mean) for i, mean in enumerate(means)]


def test_settings_that_are_truly_better_are_found_and_told():
    found = judge(tried(np.random.default_rng(0), [0, 0.0, 0.3, -1]), {"naive": np.zeros(4000)})
    assert (found.best, found.tried) == (2, 3)
    assert found.default.proven
    assert abs(found.default.gain.value - 0.3) < 0.1
    assert found.default.luck < found.default.gain.value
    assert found.baseline.rival == "naive"
    assert found.overfit < 0.05


def test_what_beats_the_default_but_not_what_comes_for_free_is_no_find():
    trials = tried(np.random.default_rng(0), [0, 0.3, 0.0])
    found = judge(trials, {"naive": trials[1].scores + 0.001, "worse": trials[1].scores - 9})
    assert found.default.proven
    assert found.baseline.rival == "naive"
    assert not found.is_better


def test_no_trial_ahead_of_the_default_leaves_the_default():
    found = judge(tried(np.random.default_rng(0), [0, -0.5, -0.5]), {})
    assert (found.best, found.default, found.is_better) == (0, None, False)


def test_the_best_of_many_that_are_all_alike_is_hardly_ever_a_find():
    rng = np.random.default_rng(5)
    found = [judge(tried(rng, [0] * 21, 600), {}) for _ in range(60)]
    assert np.mean([one.default.gain.value > 0 for one in found if one.default]) == 1
    assert sum(one.is_better for one in found) <= 3
    naively = [one.default.gain.value > one.default.gain.half_width for one in found if one.default]
    assert np.mean(naively) > 0.15  # without the correction, far more than 1 in 40


def test_bad_settings_do_not_hide_a_good_one():
    means = [0, 0.3, *[-5.0 - i for i in range(20)]]
    assert judge(tried(np.random.default_rng(6), means), {}).default.proven


def test_trials_that_were_given_up_count_but_are_not_chosen():
    trials = tried(np.random.default_rng(7), [0, 0.1, 0.5])
    cut = trials[2].scores.copy()
    cut[400:] = np.nan
    found = judge([*trials[:2], Trial(2, cut, whole=False)], {})
    assert (found.best, found.tried) == (1, 2)


@given(arrays(float, 50, elements=st.floats(-1, 1)), arrays(bool, 50), arrays(bool, 50))
def test_a_gain_is_paired_and_changes_its_sign_with_the_sides(scores, ours, theirs):
    one, other = np.where(ours, scores, np.nan), np.where(theirs, scores[::-1], np.nan)
    assert len(gains_of(one, other)) == (ours & theirs).sum()
    assert gains_of(one, other).tolist() == (-gains_of(other, one)).tolist()
    assert not (is_worse(one, other) and is_worse(other, one))


def test_only_what_is_worse_beyond_doubt_is_given_up():
    rng = np.random.default_rng(8)
    noise = rng.normal(0, 1, 1000)
    assert is_worse(noise - 0.5, rng.normal(0, 1, 1000))
    assert not is_worse(noise - 0.01, rng.normal(0, 1, 1000))
    assert not is_worse(np.full(1000, np.nan), noise)
    assert mean_gain(np.full(9, np.nan), np.zeros(9)) is None


# ---- the space


def known(section):
    return {
        name: Setting(field.default, *(field.metadata[key] for key in ("low", "high", "choices")))
        for name, field in settings_of(section)[1].items()
    }


@pytest.mark.parametrize("section, record", [("cnn", CNNSettings), ("dqn", DQNSettings)])
def test_by_default_every_number_is_searched_around_its_value_within_its_bounds(section, record):
    space = default_space(known(section))
    assert space
    for name, values in space.items():
        assert values.low < getattr(record(), name) < values.high
        for end in (values.low, values.high):
            record(**{name: end})  # raises if it is out of bounds


def test_a_share_near_1_is_searched_by_its_distance_from_1():
    assert default_space(known("dqn"))["gamma"] == Range(pytest.approx(0.88), pytest.approx(0.9925))


def test_a_text_names_bounds_scales_and_choices():
    text = "learning_rate=1e-5:1e-2:log, updates=2:9,batch_size=64|128"
    assert space_of(text, known("cnn")) == {
        "learning_rate": Range(1e-5, 1e-2, log=True),
        "updates": Range(2, 9),
        "batch_size": Range(choices=(64, 128)),
    }


@pytest.mark.parametrize(
    "text, said",
    [
        ("speed=1:2", "space: got 'speed'; allowed: learning_rate, updates, batch_size"),
        ("updates=0:5", "space: got updates=0; allowed: 1 to 100000"),
        ("updates=5:5", "space: got 'updates=5:5'; allowed: LOW below HIGH"),
        ("weight_decay=0:1:log", "space: got 'weight_decay=0:1:log'; allowed: LOW below HIGH, and"),
        ("updates=1:2:lin", "space: got 'updates=1:2:lin'; allowed: NAME=LOW:HIGH,"),
        ("updates=few", "space: updates: expected a whole number; got 'few'"),
    ],
)
def test_a_wrong_space_is_a_line_that_says_what_is_allowed(text, said):
    with pytest.raises(ConfigError) as told:
        space_of(text, known("cnn"))
    assert str(told.value).startswith(said)


@pytest.mark.parametrize("text", ["", "updates=1:2"])
def test_a_learner_without_settings_cannot_be_searched(text):
    with pytest.raises(ConfigError, match="the learner has no settings to search"):
        space_of(text, {})
