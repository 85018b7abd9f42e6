from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from datamodules.features import ACTIVITY, COLUMNS, make_activity, raw_columns
from datamodules.labelled_rows import LabelledRows
from tests.datamodules.samples import random_bars
from trainers.learners.cnn import forest, rows
from trainers.learners.cnn.forest import Forest, leaves_of
from trainers.learners.cnn.rows import RowLearner

D = len(COLUMNS["flow"]) + len(ACTIVITY)


def drawn(n, seed=0, d=D):
    """Rows of which no column alone tells the direction, but whether two agree does."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, d))
    return x, rng.random(n) < np.where(x[:, 0] * x[:, 1] > 0, 0.8, 0.2)


def grown(n=600, seed=0, d=D):
    x, up = drawn(n, seed, d)
    found = Forest()
    found.grow(x, up, seed)
    return found, x, up


def labelled(n, seed=0):
    x, up = drawn(n, seed)
    return LabelledRows(x, up, np.arange(1, n + 1))


@settings(deadline=None, max_examples=8)
@given(st.integers(60, 400), st.integers(0, 99))
def test_its_tables_say_what_scikit_learns_trees_say(n, seed):
    found, x, up = grown(n, seed, d=3)
    theirs = HistGradientBoostingClassifier(
        max_iter=forest.TREES, max_leaf_nodes=forest.LEAVES, learning_rate=forest.STEP_SIZE,
        min_samples_leaf=forest.LEAF_ROWS, l2_regularization=forest.RIDGE, max_bins=forest.BINS,
        max_features=forest.COLUMNS_TRIED, early_stopping=False, random_state=seed,
    ).fit(x, up)  # fmt: skip
    later = np.random.default_rng(seed + 1).standard_normal((200, 3))
    ours = found(torch.from_numpy(later)).numpy()
    np.testing.assert_allclose(ours, theirs.decision_function(later), rtol=0, atol=1e-12)


def test_it_finds_what_no_single_column_tells():
    found, _, _ = grown(3_000)
    later, up = drawn(1_000, seed=1)
    right = (found(torch.from_numpy(later)).numpy() > 0) == up
    assert right.mean() > 0.72


def test_a_row_says_the_same_bits_alone_and_in_any_batch():
    found, x, _ = grown()
    many = found(torch.from_numpy(x))
    alone = torch.cat([found(torch.from_numpy(x[i : i + 1])) for i in range(0, 600, 7)])
    assert torch.equal(many[::7], alone)


def test_it_is_the_same_bits_on_one_thread_and_on_two():
    found = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            found.append(grown(1_000)[0].state_dict())
    assert all(torch.equal(found[0][name], part) for name, part in found[1].items())


def test_one_that_was_never_grown_says_one_half():
    assert Forest()(torch.rand(3, D, dtype=torch.float64)).tolist() == [0.0] * 3


def test_each_set_of_answers_leads_to_the_leaf_that_a_walk_from_the_root_leads_to():
    x, up = drawn(300, d=3)
    model = HistGradientBoostingClassifier(max_iter=1, max_leaf_nodes=7, early_stopping=False)
    nodes = model.fit(x, up)._predictors[0][0].nodes
    splits = np.flatnonzero(nodes["is_leaf"] == 0).tolist()
    for answers, leaf in enumerate(leaves_of(nodes[None])[0].tolist()):
        at = 0
        while not nodes["is_leaf"][at]:
            yes = answers >> splits.index(at) & 1
            at = int(nodes["left" if yes else "right"][at])
        assert leaf == at


def test_the_forest_is_grown_anew_when_a_twentieth_of_its_rows_would_be_new(monkeypatch):
    known, sizes = labelled(600), []
    monkeypatch.setattr(Forest, "grow", lambda self, x, up, seed: sizes.append(len(up)))
    learner = RowLearner("flow")
    for n in range(20, 601, 10):
        learner.learn(LabelledRows(*(part[:n] for part in known)), np.random.default_rng(0))
    assert sizes[0] == forest.FEWEST_ROWS
    growth = np.array(sizes[1:]) / np.array(sizes[:-1])
    assert growth.min() >= 1 / (1 - rows.NEW_ROWS) - 1e-9
    assert len(sizes) < 40


def test_a_history_that_no_longer_grows_is_learned_anew_all_the_same(monkeypatch):
    known, sizes = labelled(600), []
    monkeypatch.setattr(Forest, "grow", lambda self, x, up, seed: sizes.append(len(up)))
    learner = RowLearner("flow")
    for first in range(0, 400, 10):  # 200 rows each time
        part = LabelledRows(*(part[first : first + 200] for part in known))
        learner.learn(part, np.random.default_rng(0))
    assert len(sizes) == 40


def test_every_row_is_learned_once_however_often_it_comes():
    known = labelled(300)
    once, often = RowLearner("flow"), RowLearner("flow")
    parts = [LabelledRows(*(part[:n] for part in known)) for n in (100, 200, 300)]
    for part in parts:
        once.learn(part, np.random.default_rng(0))
        for _ in range(3):
            often.learn(part, np.random.default_rng(0))
    for name, numbers in once.experts.state_dict().items():
        assert torch.equal(numbers, often.experts.state_dict()[name]), name


def test_it_goes_on_from_its_state_as_if_there_had_been_no_restart():
    known = labelled(500)
    first = LabelledRows(*(part[:300] for part in known))
    straight, resumed = RowLearner("flow"), RowLearner("flow")
    straight.learn(first, np.random.default_rng(1))
    resumed.load_state_dict(copy.deepcopy(straight.state_dict()))
    for learner in (straight, resumed):
        learner.learn(known, np.random.default_rng(2))
    x = torch.from_numpy(known.x)
    assert torch.equal(straight.experts(x), resumed.experts(x))
    assert straight.experts(x).std(0).min() > 0


def test_the_activity_of_a_bar_is_the_same_bits_whatever_comes_after_and_in_torch():
    raw = raw_columns(random_bars(200))
    whole = make_activity(raw)
    assert whole.shape == (151, len(ACTIVITY))
    for t in (50, 120, 200):
        window = raw[t - 50 : t]
        assert make_activity(window)[-1].tobytes() == whole[t - 50].tobytes()
        in_torch = make_activity(torch.from_numpy(window.copy())[None], torch)[0, -1]
        assert in_torch.numpy().tobytes() == whole[t - 50].tobytes()


@pytest.mark.parametrize("way", ["up", "down"])
def test_of_a_market_that_only_goes_one_way_no_tree_is_grown(way):
    x, _ = drawn(100)
    learner = RowLearner("flow")
    every = np.full(100, way == "up")
    learner.learn(LabelledRows(x, every, np.arange(1, 101)), np.random.default_rng(0))
    assert not learner.experts.forest.value.any()
