"""Learners made of other libraries' models: names, settings, inputs, states, refusals."""

from __future__ import annotations

import re
import sys

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from datamodules.digest import digest
from datamodules.plain import not_plain
from datamodules.snapshot import NotEnoughBarsError
from streaming.errors import ConfigError
from tests.datamodules.samples import random_bars, snapshot_of
from tests.trainers.own_modules import scaled
from trainers.config import SessionConfig
from trainers.config.entries import entry_of
from trainers.learners.adapters import wrapped
from trainers.learners.adapters.estimators.plain_state import plain, restored
from trainers.learners.adapters.inputs import inputs_of
from trainers.learners.learner import Context
from trainers.learners.registry import check_learners, learners_of
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint

OWN = "tests.trainers.own_modules"
BARS = random_bars(420, seed=2)
LOGISTIC = "river:linear_model.LogisticRegression"


def made(*entries, **settings):
    config = SessionConfig.of(learners=",".join(entries), **settings)
    return learners_of(config)


def one(entry, **settings):
    (learner,) = made(entry, **settings).values()
    return learner


def check(config):
    check_learners(config.learner_list, config.learner)


# ---- names and settings


@pytest.mark.parametrize(
    "entry, name",
    [
        (LOGISTIC, "river.LogisticRegression"),
        ("lightgbm:LGBMClassifier", "lightgbm.LGBMClassifier"),
        (f"torch:{OWN}:Net", "torch.Net"),
        ("mlflow:models:/a/3", "mlflow.a-3"),
        ("mlflow:models:/up or down@best", "mlflow.up-or-down-best"),
        (f"slow={LOGISTIC}", "slow"),
        ("cnn", "cnn"),
        ("=cnn", "=cnn"),  # no name is not a name: there is no such learner
    ],
)
def test_an_entry_says_its_learners_name(entry, name):
    assert entry_of(entry).name == name
    assert SessionConfig(learners=entry).learner_names == [name]


def test_settings_are_given_by_class_or_by_name_and_the_name_comes_first():
    learners = made(
        LOGISTIC,
        f"slow={LOGISTIC}",
        **{
            "learner.LogisticRegression.l2": "0.5",
            "learner.slow.l2": "2",
            "learner.river.LogisticRegression.intercept_lr": "0.25",
        },
    )
    found = {name: learner._make() for name, learner in learners.items()}
    assert found["river.LogisticRegression"].l2 == 0.5
    assert found["river.LogisticRegression"].intercept_lr.learning_rate == 0.25
    assert found["slow"].l2 == 2
    assert found["slow"].intercept_lr.learning_rate == 0.01


def test_flags_with_dots_in_the_name_reach_the_model():
    flags = ["--learners", LOGISTIC, "--learner.river.LogisticRegression.l2", "0.5"]
    (learner,) = learners_of(SessionConfig.from_args(flags)).values()
    assert learner._make().l2 == 0.5


def test_values_have_the_types_that_they_read_as():
    learner = one(
        "sklearn:neural_network.MLPClassifier",
        **{
            "learner.MLPClassifier.hidden_layer_sizes": "(16, 8)",
            "learner.MLPClassifier.early_stopping": "true",
            "learner.MLPClassifier.activation": "tanh",
        },
    )
    found = learner._make()
    assert found.hidden_layer_sizes == (16, 8)
    assert found.early_stopping is True
    assert found.activation == "tanh"


def test_a_name_of_ones_own_is_also_for_learners_by_import_path():
    (name,) = made("mine=tests.trainers.own_learner:UpShare")
    assert name == "mine"


@pytest.mark.parametrize(
    "entries, settings, said",
    [
        ([LOGISTIC, LOGISTIC + " "], {}, "allowed: each learner once"),
        ([LOGISTIC, f"river.LogisticRegression={LOGISTIC}"], {}, "NAME=river:linear_model"),
        (["river:linear_model.Logit"], {}, "'river:linear_model.Logit', which cannot be imported"),
        (["river:linear_model.LinearRegression"], {}, "expected a classifier (learn_one"),
        (["sklearn:linear_model.Ridge"], {}, "expected a classifier (fit, predict_proba)"),
        ([LOGISTIC], {"learner.LogisticRegression.L2": "1"}, "LogisticRegression.L2: unknown"),
        ([LOGISTIC], {"learner.Perceptron.l2": "1"}, "there is no learner 'Perceptron'"),
        ([LOGISTIC], {"learner.LogisticRegression.past_bars": "1"}, "past_bars: got 1; allowed"),
        ([LOGISTIC], {"learner.LogisticRegression.features": "depth"}, "features: got 'depth'"),
        (["sklearn:linear_model.LogisticRegression"], {"learner.LogisticRegression.C": "-1"},
         "which cannot learn"),
        ([f"sklearn:{OWN}:Moody"], {}, "other bits the second time"),
        ([f"torch:{OWN}:ThreeClasses"], {}, "expected logits (B,), (B, 1) or (B, 2)"),
        ([f"torch:{OWN}:scaled"], {}, "expected a torch.nn.Module"),
        ([f"x={LOGISTIC}", "y" * 41 + f"={LOGISTIC}"], {}, "up to 40 letters"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_one_line_before_anything_starts(entries, settings, said):
    with pytest.raises(ConfigError, match=re.escape(said)) as refused:
        check(SessionConfig.of(learners=",".join(entries), **settings))
    assert "\n" not in str(refused.value)


def test_a_library_that_is_missing_is_named_with_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ConfigError, match=r"needs sklearn .*pip install scikit-learn$"):
        wrapped.check_installed(entry_of("sklearn:linear_model.SGDClassifier"))


# ---- inputs


def test_a_users_rows_are_what_the_model_sees():
    learner = one(LOGISTIC, **{"learner.LogisticRegression.features": f"{OWN}:last_moves"})
    assert learner.learn(snapshot_of(BARS))["rows"] > 200
    assert learner._serving[1]._weights.keys() == {"x0", "x1"}
    assert 0 < learner.forecast(BARS) < 1
    assert learner.forecast(BARS) == learner.forecast(BARS[-120:])
    assert learner.forecast(BARS[-119:]) is None
    gap = BARS.copy()
    gap["gap"][-119] = 1
    assert learner.forecast(gap) is None


@pytest.mark.parametrize("features", ["flow", f"{OWN}:last_moves"])
@pytest.mark.parametrize("horizon", [1, 2, 15])
def test_what_a_model_learns_is_the_move_over_the_horizon(features, horizon):
    bars = BARS.copy()
    bars["gap"][200] = 1
    inputs = inputs_of(features, Context.of(SessionConfig(horizon=horizon)))
    rows = inputs.labelled(bars)
    assert len(rows.up) > 50
    for row, up, ts in zip(*rows, strict=True):
        brings = int(np.searchsorted(bars["ts_open"], ts))
        at = brings - horizon
        assert up == (bars["close"][brings] > bars["close"][at])
        assert not at < 200 <= brings  # no label crosses the gap
        (alone,), _ = inputs.newest(bars[: at + 1], 1)
        assert np.array_equal(row, alone)


@pytest.mark.parametrize("features", ["flow", f"{OWN}:last_moves"])
def test_bars_without_one_label_are_not_enough(features):
    inputs = inputs_of(features, Context.of(SessionConfig(horizon=500)))
    with pytest.raises(NotEnoughBarsError, match="420"):
        inputs.labelled(BARS)


def test_rows_that_know_the_next_bar_are_found_out():
    learner = one(LOGISTIC, **{"learner.LogisticRegression.features": f"{OWN}:next_moves"})
    with pytest.raises(ValueError, match="expected rows of the past alone"):
        learner.learn(snapshot_of(BARS))


def test_a_function_that_makes_a_pipeline_is_an_entrant_with_its_parameters():
    learner = one(f"river:{OWN}:scaled", **{"learner.scaled.l2": "0.5"})
    assert learner.name == "river.scaled"
    learner.learn(snapshot_of(BARS))
    assert learner._serving[1]["LogisticRegression"].l2 == 0.5
    assert 0 < learner.forecast(BARS) < 1


# ---- learning


def test_each_row_is_learned_once_and_the_past_is_bounded():
    learner = one(LOGISTIC, **{"learner.LogisticRegression.past_bars": 200})
    first = learner.learn(snapshot_of(BARS[:400]))
    assert 0 < first["new_rows"] <= 150
    assert learner.learn(snapshot_of(BARS[:400], cycle=2))["new_rows"] == 0
    assert learner.learn(snapshot_of(BARS[:410], cycle=3))["new_rows"] <= 10


def test_a_model_without_partial_fit_is_fitted_every_n_cycles():
    name = "learner.LogisticRegression.refit_cycles"
    learner = one("sklearn:linear_model.LogisticRegression", **{name: 3})
    fitted = [learner.learn(snapshot_of(BARS, cycle=cycle))["fitted"] for cycle in range(1, 9)]
    assert fitted == [1, 0, 0, 1, 0, 0, 1, 0]


def test_another_seed_makes_another_model_and_the_same_one_the_same():
    entry = "sklearn:neural_network.MLPClassifier"
    learners = [one(entry, seed=seed) for seed in (1, 1, 2)]
    for learner in learners:
        learner.learn(snapshot_of(BARS))
    states = [digest(learner.state_dict()) for learner in learners]
    assert states[0] == states[1] != states[2]


def test_it_forecasts_what_the_library_itself_would():
    learner = one(
        "sklearn:linear_model.LogisticRegression",
        **{"learner.LogisticRegression.standardise": "false"},
    )
    learner.learn(snapshot_of(BARS))
    rows = learner._inputs.labelled(BARS)
    alone = LogisticRegression(random_state=learner._make().random_state).fit(rows.x, rows.up)
    newest, _ = learner._inputs.newest(BARS, 1)
    assert learner.forecast(BARS) == alone.predict_proba(newest)[0, 1]


# ---- states


def test_a_state_goes_through_a_checkpoint_and_comes_back_the_same(tmp_path):
    model = scaled()
    for x, up in zip(
        np.random.default_rng(0).normal(size=(50, 2)), [True, False] * 25, strict=True
    ):
        model.learn_one({"a": float(x[0]), "b": float(x[1])}, up)
    state = plain(model)
    assert not_plain(state) == ""
    save_checkpoint(tmp_path / "c.pt", {"state": state})
    read = load_checkpoint(tmp_path / "c.pt")["state"]
    again = restored(read, {"river"})
    assert again.predict_proba_one({"a": 1.0, "b": 2.0}) == model.predict_proba_one(
        {"a": 1.0, "b": 2.0}
    )
    assert digest(plain(again)) == digest(state)


def test_a_state_makes_nothing_of_another_package():
    for name in ("os:system", "builtins:eval", "subprocess:Popen", "numpy:load"):
        made = {"made": [{"global": name}, {"tuple": ["true"]}, None, None, None]}
        with pytest.raises(ValueError, match=f"got {name}; allowed: what is in river"):
            restored({"root": {"at": 0}, "objects": [made]}, {"river"})


def test_what_is_shared_stays_shared_and_equal_texts_need_not_be_one_object():
    inner = [1.5]
    found = restored(plain({"a": inner, "b": inner}), ())
    assert found["a"] is found["b"]
    texts = ["".join(["a", "b"]), "".join(["a", "b"])]
    assert digest(plain([texts[0], texts[1]])) == digest(plain([texts[0], texts[0]]))


def test_what_has_no_name_cannot_be_kept():
    with pytest.raises(TypeError, match="found again by its name"):
        plain({"f": lambda x: x})
