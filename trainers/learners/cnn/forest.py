"""A small forest of boosted trees as plain tensors. Shapes: B rows, D columns.

scikit-learn grows it; what is kept are numbers, so that it is saved, exported and served like any
weights, without objects of scikit-learn. Source: J. Friedman, Greedy function approximation: a
gradient boosting machine (2001); the histograms are those of LightGBM (G. Ke et al., 2017).
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import ThreadpoolController
from torch import Tensor, nn

# Seconds teach little: few leaves, each of many rows, and small steps towards them.
TREES, LEAVES = 128, 7
SPLITS = LEAVES - 1
ANSWERS = 2**SPLITS
BITS = 1 << np.arange(SPLITS)
STEP_SIZE = 0.05
LEAF_ROWS = 20
RIDGE = 10.0
COLUMNS_TRIED = 0.5  # share of the columns that a split chooses from: trees that differ err less
BINS = 64  # of a column's values, between which a split may be
FEWEST_ROWS = 60  # fewer support no tree


class Forest(nn.Module):
    """The logit of a rise, ``(B, D)`` float64 rows -> ``(B,)``; 0 before it was grown.

    A tree is a table: all its six splits are asked, and their answers are the number of its value.
    There is no loop over the depth, and each row's logit is the same bits in any batch.

    Attributes:
        column: ``(128, 6)`` int64, the column that each split of each tree looks at.
        threshold: ``(128, 6)`` float64; a split says yes up to it.
        value: ``(128, 64)`` float64, what a tree adds to the logit, by the answers of its splits.
        bias: ``()`` float64, the logit of the base rate.
    """

    column: Tensor
    threshold: Tensor
    value: Tensor
    bias: Tensor
    bits: Tensor
    first: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("column", torch.zeros(TREES, SPLITS, dtype=torch.int64))
        self.register_buffer("threshold", torch.zeros(TREES, SPLITS, dtype=torch.float64))
        self.register_buffer("value", torch.zeros(TREES, ANSWERS, dtype=torch.float64))
        self.register_buffer("bias", torch.zeros((), dtype=torch.float64))
        self.register_buffer("bits", torch.from_numpy(BITS), persistent=False)
        self.register_buffer("first", torch.arange(TREES) * ANSWERS, persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        says = rows[:, self.column] <= self.threshold  # (B, 128, 6)
        answers = (says * self.bits).sum(-1) + self.first  # (B, 128)
        trees = self.value.flatten()[answers]
        while (half := trees.shape[1] // 2) > 0:  # an order of its own, whatever the batch
            trees = trees[:, :half] + trees[:, half:]
        return trees[:, 0] + self.bias

    def grow(self, x: NDArray[np.float64], up: NDArray[np.bool], seed: int) -> None:
        """Grow all trees anew.

        Args:
            x: ``(N, D)`` rows.
            up: ``(N,)`` whether the price forecast rose by the horizon.
            seed: of the columns that each split chooses from.
        """
        boosting = HistGradientBoostingClassifier(
            max_iter=TREES,
            max_leaf_nodes=LEAVES,
            learning_rate=STEP_SIZE,
            min_samples_leaf=LEAF_ROWS,
            l2_regularization=RIDGE,
            max_features=COLUMNS_TRIED,
            max_bins=BINS,
            early_stopping=False,  # it would hold out rows at random
            random_state=seed,
        )
        with _pools().limit(limits=1, user_api="openmp"):
            grown = boosting.fit(x, up)
        nodes = padded([tree.nodes for (tree,) in grown._predictors])
        column, threshold = np.zeros((TREES, SPLITS), np.int64), np.zeros((TREES, SPLITS))
        splits = np.nonzero(nodes["is_leaf"] == 0)
        at = splits[0], splits_before(nodes)[splits]
        column[at], threshold[at] = nodes["feature_idx"][splits], nodes["num_threshold"][splits]
        value = np.take_along_axis(nodes["value"], leaves_of(nodes), 1)
        self.column.copy_(torch.from_numpy(column))
        self.threshold.copy_(torch.from_numpy(threshold))
        self.value.copy_(torch.from_numpy(value))
        self.bias.fill_(float(grown._baseline_prediction.item()))


@functools.cache
def _pools() -> ThreadpoolController:
    """Return the pools of threads of the libraries that are loaded.

    A tree of seconds is grown in less time than two threads take to wait for each other: on a busy
    machine they took twenty times as long as one.
    """
    return ThreadpoolController()


def padded(trees: Sequence[NDArray[np.void]]) -> NDArray[np.void]:
    """Return the nodes of at most 128 trees as ``(128, 13)``, leaves of value 0 for what is not."""
    nodes = np.zeros((TREES, LEAVES + SPLITS), trees[0].dtype)
    nodes["is_leaf"] = 1
    for i, tree in enumerate(trees):
        nodes[i, : len(tree)] = tree
    return nodes


def splits_before(nodes: NDArray[np.void]) -> NDArray[np.int64]:
    """Return how many splits are before each node of trees, ``(T, M)``: a split's number."""
    is_split = nodes["is_leaf"] == 0
    before: NDArray[np.int64] = np.cumsum(is_split, 1) - is_split
    return before


def leaves_of(nodes: NDArray[np.void]) -> NDArray[np.int64]:
    """Return the leaf that each of the 64 sets of answers leads to, ``(T, 64)``.

    Args:
        nodes: ``(T, M)`` the nodes of trees as scikit-learn has them, the root first.
    """
    asked = BITS[splits_before(nodes) % SPLITS]  # of a leaf it means nothing
    leaf = nodes["is_leaf"] != 0
    left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
    answers, tree = np.arange(ANSWERS), np.arange(len(nodes))[:, None]
    at = np.zeros((len(nodes), ANSWERS), np.int64)
    for _ in range(SPLITS):  # the most that a leaf can be below the root
        below = np.where(answers & asked[tree, at] != 0, left[tree, at], right[tree, at])
        at = np.where(leaf[tree, at], at, below)
    return at
