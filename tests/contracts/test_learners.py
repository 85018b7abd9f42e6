"""The contract of every learner: built-in ones, baselines, and one of a user by import path."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import math
import re

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator

from datamodules.features import COLUMNS, raw_columns
from datamodules.snapshot import NotEnoughBarsError
from streaming.bars import BROKEN, MISSING
from streaming.errors import ConfigError
from tests.datamodules.samples import bars_from, random_bars, snapshot_of
from trainers.config import SessionConfig
from trainers.config.entries import entry_of
from trainers.engine.runners.answers import Answers, answers_of
from trainers.learners.learner import Batched, Context, Learner, as_forecast
from trainers.learners.registry import (
    BASELINES,
    BUILT_IN,
    KNOWN,
    PERMUTED_LABELS,
    learners_of,
    make_learners,
)
from trainers.scoring.ledger import MADE

OWN = "tests.trainers.own_learner:UpShare"
# What adapters make learners of, with settings that keep it small.
ADAPTED = {
    "river:linear_model.LogisticRegression": {},
    "river:tree.HoeffdingAdaptiveTreeClassifier": {"grace_period": 20},
    "sklearn:linear_model.SGDClassifier": {},
    "sklearn:ensemble.HistGradientBoostingClassifier": {"max_iter": 5, "refit_cycles": 1},
    "lightgbm:LGBMClassifier": {"n_estimators": 5, "refit_cycles": 1},
    "xgboost:XGBClassifier": {"n_estimators": 5, "refit_cycles": 1},
    "torch:tests.trainers.own_modules:Net": {"updates": 2},
    "torch:tests.trainers.own_modules:Lit": {"updates": 2, "hidden": 3},
}
EVERY = pytest.mark.parametrize("path", [*KNOWN, *ADAPTED, OWN])
BUILT = pytest.mark.parametrize("path", BUILT_IN)
BARS = random_bars(260, seed=5)


def make(path, **settings):
    quick = {"dqn_updates": 60, "cnn_updates": 2, "cnn_batch_size": 64}
    name = entry_of(path).name
    quick |= {f"learner.{name}.{key}": value for key, value in ADAPTED.get(path, {}).items()}
    (learner,) = learners_of(SessionConfig.of(learners=path, **{**quick, **settings})).values()
    return learner


def learned(path, **settings):
    learner = make(path, **settings)
    learner.learn(snapshot_of(BARS[:200]))
    return learner


def bits(value):
    """A value that is equal exactly if all numbers in ``value`` are the same bits."""
    if isinstance(value, torch.nn.Module):
        return bits(value.state_dict())
    if isinstance(value, torch.Tensor):
        return value.detach().numpy().tobytes()
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, BaseEstimator):  # what it has been fitted to
        numbers = (np.ndarray, np.number, int, float)
        return bits({name: x for name, x in vars(value).items() if isinstance(x, numbers)})
    if isinstance(value, dict):
        return {name: bits(part) for name, part in value.items()}
    return [bits(part) for part in value] if isinstance(value, list | tuple) else repr(value)


def answers(learner, bars=BARS):
    return [bits(learner.forecast(bars[:t])) for t in range(150, len(bars), 10)]


@EVERY
def test_it_is_a_learner_with_name_and_kind(path):
    learner = make(path)
    assert isinstance(learner, Learner)
    assert learner.kind in ("forecaster", "agent")
    assert learner.name
    assert learner.name == {OWN: "up_share"}.get(path, entry_of(path).name)


@EVERY
def test_it_forecasts_nothing_before_it_has_learned(path):
    assert make(path).forecast(BARS) is None


@EVERY
def test_it_forecasts_nothing_from_too_few_bars(path):
    assert learned(path).forecast(BARS[:1]) is None


@EVERY
def test_having_learned_it_gives_a_valid_answer_of_its_kind(path):
    learner = learned(path)
    for t in range(150, len(BARS)):
        answer = as_forecast(learner.forecast(BARS[:t]))
        assert answer is not None
        if learner.kind == "forecaster":
            assert 0 <= answer.probability <= 1
        else:
            assert answer.action in (0, 1, 2)
            _, values = learner.forecast(BARS[:t])
            assert all(map(math.isfinite, values))


def one_by_one(learner, bars, n):
    found = Answers.none(n)
    for i in range(n):
        if (said := as_forecast(learner.forecast(bars[: len(bars) - n + i + 1]))) is not None:
            found.put(i, MADE, said)
    return found


@pytest.mark.parametrize("features", COLUMNS)
@pytest.mark.parametrize("path", [*KNOWN, *ADAPTED])
def test_many_forecasts_at_once_are_the_same_bits_as_one_by_one(path, features):
    learner = make(path, features=features)
    bars = random_bars(700, seed=7)
    bars["gap"][[300, 450, 699]] = MISSING
    bars["gap"][520] = BROKEN
    for cycle in range(1, 4):
        learner.learn(snapshot_of(bars[: 180 + 20 * cycle], cycle=cycle))
    if hasattr(learner, "trade_like"):
        learner.trade_like(0.3)
    assert isinstance(learner, Batched)
    assert make(path).forecast_each(bars, 2).tolist() in (
        [-1, -1],
        pytest.approx([math.nan] * 2, nan_ok=True),
    )
    alone = one_by_one(learner, bars, 520)
    for n in (1, 2, 3, 30, 31, 300, 520):
        together = answers_of(learner.forecast_each(bars, n), n, agent=learner.kind == "agent")
        for name in Answers._fields:
            assert getattr(together, name).tobytes() == getattr(alone, name)[-n:].tobytes(), n
    few = answers_of(learner.forecast_each(bars[:9], 9), 9, agent=learner.kind == "agent")
    assert few.status.tobytes() == one_by_one(learner, bars[:9], 9).status.tobytes()


@EVERY
def test_its_report_is_finite_numbers_by_name(path):
    report = make(path).learn(snapshot_of(BARS))
    assert report
    assert all(math.isfinite(float(value)) for value in report.values())


@EVERY
def test_forecasting_changes_neither_its_state_nor_the_bars(path):
    learner = learned(path)
    before, bars = bits(copy.deepcopy(learner.state_dict())), BARS.copy()
    answers(learner, bars)
    assert bits(learner.state_dict()) == before
    assert bars.tobytes() == BARS.tobytes()


@EVERY
def test_learning_changes_no_bar(path):
    bars = BARS.copy()
    make(path).learn(snapshot_of(bars))
    assert bars.tobytes() == BARS.tobytes()


@EVERY
def test_older_bars_change_no_answer(path):
    learner = learned(path)
    assert bits(learner.forecast(BARS)) == bits(learner.forecast(BARS[-120:]))


@EVERY
def test_a_gap_in_the_newest_bar_silences_it(path):
    learner = learned(path)
    assert learner.forecast(BARS) is not None
    bars = BARS.copy()
    bars["gap"][-1] = 1
    assert learner.forecast(bars) is None


@pytest.mark.parametrize(
    "path, reach",
    [("cnn", 108), ("dqn", 9), *((path, 49) for path in ("logistic", PERMUTED_LABELS, *ADAPTED))],
)
def test_a_gap_among_its_bars_silences_it_and_an_older_one_does_not(path, reach):
    learner = learned(path)
    bars = BARS.copy()
    bars["gap"][-reach] = 1
    assert learner.forecast(bars) is None
    bars["gap"][-reach:] = 0
    bars["gap"][:-110] = 1
    assert learner.forecast(bars) is not None


@EVERY
def test_the_same_start_and_snapshots_give_the_same_bits(path):
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)  # what others draw is no matter
        np.random.seed(seed)
        learner = make(path)
        for t in (200, 230):
            learner.learn(snapshot_of(BARS[:t], cycle=t))
        made.append((bits(learner.state_dict()), answers(learner)))
    assert made[0] == made[1]


@BUILT
@pytest.mark.parametrize("seeds", [(0, 1), (11234567, 21234567)])
def test_another_seed_gives_other_weights(path, seeds):
    starts = [bits(make(path, seed=seed).state_dict()["module"]) for seed in seeds]
    assert starts[0] != starts[1]


@EVERY
def test_a_restored_learner_learns_on_to_the_bit(path):
    uninterrupted = learned(path)
    restored = make(path, seed=3)
    restored.load_state_dict(copy.deepcopy(uninterrupted.state_dict()))
    assert answers(restored) == answers(uninterrupted)
    reports = [learner.learn(snapshot_of(BARS, cycle=2)) for learner in (uninterrupted, restored)]
    assert bits(reports[0]) == bits(reports[1])
    assert answers(restored) == answers(uninterrupted)
    assert bits(restored.state_dict()) == bits(uninterrupted.state_dict())


@EVERY
def test_a_state_once_taken_is_not_changed_by_learning_on(path):
    learner = learned(path)
    state = learner.state_dict()
    taken = bits(state)
    learner.learn(snapshot_of(BARS, cycle=2))
    assert bits(state) == taken


@EVERY
def test_loading_a_state_leaves_the_state_its_own(path):
    state = copy.deepcopy(learned(path).state_dict())
    taken = bits(state)
    learner = make(path)
    learner.load_state_dict(state)
    learner.learn(snapshot_of(BARS, cycle=2))
    assert bits(state) == taken


@BUILT
def test_the_optimiser_is_a_part_of_what_is_resumed(path):
    uninterrupted, forgetful = learned(path), make(path)
    state = copy.deepcopy(uninterrupted.state_dict())
    forgetful.load_state_dict({**state, "optimizer": None})
    for learner in (uninterrupted, forgetful):
        learner.learn(snapshot_of(BARS, cycle=2))
    assert answers(forgetful) != answers(uninterrupted)


@BUILT
def test_the_optimiser_counts_its_steps_on_from_cycle_to_cycle(path):
    learner = learned(path)
    once = int(learner.state_dict()["optimizer"]["state"][0]["step"])
    assert once > 0
    learner.learn(snapshot_of(BARS[:200], cycle=2))
    assert int(learner.state_dict()["optimizer"]["state"][0]["step"]) == 2 * once


@BUILT
def test_an_exported_version_is_not_touched_by_learning_on(path):
    learner = learned(path)
    module, _ = learner.export()
    before, said = bits(copy.deepcopy(module)), answers(learner)
    learner.learn(snapshot_of(BARS, cycle=2))
    assert bits(module) == before
    assert answers(learner) != said
    assert learner.export()[0] is not module


@BUILT
def test_the_version_that_forecasts_shares_no_weight_with_the_one_trained(path):
    learner = learned(path)
    trained = {p.data_ptr() for p in learner._module.parameters()}
    serving = {p.data_ptr() for p in learner.export()[0].parameters()}
    assert serving
    assert not trained & serving


@BUILT
def test_the_version_that_forecasts_stays_while_the_next_one_is_trained(path, monkeypatch):
    learner = learned(path, cnn_updates=9)  # two steps of Lightning
    said, during = answers(learner), []
    module = type(learner._module)
    step = module.training_step

    def spied(self, *batch):
        during.append(answers(learner))
        return step(self, *batch)

    monkeypatch.setattr(module, "training_step", spied)
    learner.learn(snapshot_of(BARS, cycle=2))
    assert len(during) > 1
    assert all(answer == said for answer in during)


@BUILT
def test_nothing_is_exported_before_it_has_learned(path):
    assert make(path).export() is None


@BUILT
def test_the_exported_version_says_what_the_learner_says(path):
    learner = learned(path)
    module, n_bars = learner.export()
    assert not module.training
    for t in range(150, len(BARS), 10):
        raw = torch.from_numpy(raw_columns(BARS[t - n_bars : t])[None])
        said = module(raw)[0]
        answer = learner.forecast(BARS[:t])
        if learner.kind == "forecaster":
            assert said[0].item() == answer
        else:
            out, into, buy, sell = said.tolist()
            assert answer == (int(buy or sell), (out, into))


@pytest.mark.parametrize("path", [*BUILT_IN, "logistic", PERMUTED_LABELS, *ADAPTED])
def test_it_waits_for_bars_without_a_change(path):
    learner = make(path)
    before = bits(learner.state_dict())
    with pytest.raises(NotEnoughBarsError, match=r"^warming up 50/\d+ bars$"):
        learner.learn(snapshot_of(BARS[:50]))
    assert bits(learner.state_dict()) == before
    assert learner.forecast(BARS) is None


@EVERY
def test_a_market_that_stands_still_is_no_error(path):
    learner = make(path)
    still = bars_from(np.full(200, 100.0), 0.0)
    learner.learn(snapshot_of(still))
    as_forecast(learner.forecast(still))


@EVERY
def test_a_snapshot_cut_to_pieces_by_gaps_is_no_error(path):
    pieces = bars_from(100 + np.arange(200) % 7, gaps=range(0, 200, 9))
    with contextlib.suppress(NotEnoughBarsError):  # waiting for bars is fine too
        make(path).learn(snapshot_of(pieces))


def weights(learner):
    """What training steps move."""
    if not hasattr(learner, "export"):
        return bits(learner.state_dict())
    return [bits(weight) for weight in learner.export()[0].parameters()]


@pytest.mark.parametrize("path", [*BUILT_IN, OWN])
def test_the_learning_rate_set_is_the_one_used_and_reported(path):
    learner = learned(path)
    before = weights(learner)
    learner.adjust("learning_rate", 0.0)
    report = learner.learn(snapshot_of(BARS, cycle=2))
    assert weights(learner) == before
    assert report.get("learning_rate", 0.0) == 0.0
    learner.adjust("learning_rate", 0.01)
    learner.learn(snapshot_of(BARS[:240], cycle=3))
    assert weights(learner) != before


@pytest.mark.parametrize("path", BASELINES)
def test_a_baseline_waits_for_its_first_bars_without_a_change(path):
    learner = make(path)
    with pytest.raises(NotEnoughBarsError, match=r"^warming up 1/\d+ bars$"):
        learner.learn(snapshot_of(BARS[:1]))
    assert learner.forecast(BARS) is None


def test_unknown_learners_are_refused_with_what_is_known():
    with pytest.raises(ConfigError, match=r"^learners: got 'lstm'; allowed: cnn, dqn"):
        make("lstm")


@pytest.mark.parametrize("path", ["no.such.module:X", "json:NoSuchClass", ":X", "json:dumps"])
def test_import_paths_that_lead_to_no_class_are_refused_by_name(path):
    with pytest.raises(ConfigError, match=rf"^learners: got '{path}'"):
        make(path)


def test_a_class_without_the_methods_is_refused():
    path = "tests.trainers.own_learner:NoLearner"
    with pytest.raises(ConfigError, match=r"^learners: .*NoLearner' has no forecast"):
        make(path)


def test_the_same_name_twice_is_refused():
    config = SessionConfig(learners=f"cnn,{BUILT_IN['cnn']}")
    with pytest.raises(ConfigError, match=r"^learners: got '.*:CNN', a second 'cnn'; allowed"):
        learners_of(config)


def test_two_methods_make_a_learner_and_its_class_names_it():
    learner = make("tests.trainers.own_learner:Smallest")
    assert (learner.name, learner.kind) == ("smallest", "forecaster")


@pytest.mark.parametrize(
    "answer", [1.1, -0.1, math.nan, math.inf, "up", (3, ()), (0.5, ()), (0, (1,), 2), (1, ("x",))]
)
def test_an_answer_that_is_no_forecast_is_refused(answer):
    with pytest.raises(ValueError, match=r"."):
        as_forecast(answer)


def test_valid_answers_become_forecasts():
    assert as_forecast(None) is None
    assert as_forecast(np.float32(0.25)).probability == 0.25
    answer = as_forecast((np.int64(2), (1, 2.5)))
    assert (answer.action, answer.probability) == (2, None)


# ---- settings of a learner


def own(learner=OWN, **settings):
    config = SessionConfig.of(learners=learner, **settings)
    (learner,) = learners_of(config).values()
    return learner


def test_the_parameters_that_have_defaults_are_its_settings():
    assert (own().learning_rate, own().lag) == (0.5, 0)
    learner = own(**{"learner.UpShare.learning_rate": "0.25", "learner.up_share.lag": "3"})
    assert (learner.learning_rate, learner.lag) == (0.25, 3)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("learner.UpShare.lag", "1.5", "learner.UpShare.lag: expected a whole number; got '1.5'"),
        ("learner.UpShare.leg", "1", "learner.UpShare.leg: unknown; allowed: "
         "learner.UpShare.learning_rate, learner.UpShare.lag"),
        ("learner.Nobody.lag", "1", "learner.Nobody.lag: there is no learner 'Nobody'"),
    ],
)  # fmt: skip
def test_a_wrong_setting_of_a_users_learner_is_one_line(name, value, said):
    with pytest.raises(ConfigError) as refused:
        own(**{name: value})
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("learner.Sized.size", "0", "learner.Sized.size: got 0; allowed: 1 to 9"),
        ("learner.Sized.seize", "1", "learner.Sized.seize: unknown; allowed: learner.Sized.size"),
    ],
)
def test_a_users_record_of_settings_names_the_flag_that_is_wrong(name, value, said):
    with pytest.raises(ConfigError, match=f"^{re.escape(said)}"):
        own("tests.trainers.own_learner:Sized", **{name: value})


def test_no_learner_sees_the_settings_of_the_page_or_of_another():
    told = own(page_port=1234, seed=7)
    assert told.seed == 7
    assert {field.name for field in dataclasses.fields(Context)} == {
        "market", "seed", "features", "confidence", "fee_bps", "label", "horizon",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["cnn.champion", "a b", "ü", "", "x" * 41])
def test_a_name_that_is_none_for_a_file_or_a_run_is_refused(name):
    context = Context.of(SessionConfig())
    with pytest.raises(ConfigError, match=r"allowed: up to 40 letters, digits, _, . and -"):
        make_learners(["tests.trainers.own_learner:Named"], {"Named": {"name": name}}, context)
