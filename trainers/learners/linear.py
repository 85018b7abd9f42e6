"""Logistic regression with a ridge penalty: fitted exactly, or learned row by row."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.preprocessing import StandardScaler

from datamodules.plain import copied

RIDGE = 10.0  # a weight of 1 per standard deviation costs 5 nats in total
MOST_LOGIT = 700.0  # the exponential of a larger one is infinite
FEWEST_ROWS = 20  # fewer cannot support a dozen weights

# Newton's method.
MOST_STEPS = 50
LONGEST_STEP = 2.0  # a whole one may lead away where rows are few
LEAST_STEP = 1e-6

# Row by row.
STEP_SIZE = 0.01
ONLINE_RIDGE = 1e-4
CLIP_SD = 5.0  # standard deviations


def probabilities(
    x: NDArray[np.float64], weights: NDArray[np.float64], bias: float
) -> NDArray[np.float64]:
    """Return the probabilities ``(N,)`` of a rise, given rows ``(N, D)``.

    The columns are added in order, so that a row's value is the same bits whatever rows are beside
    it: a product of matrices has an order of its own for each size.
    """
    logits = np.full(len(x), bias)
    for column, weight in zip(x.T, weights, strict=True):
        logits += column * weight
    return _logistic(logits)


def _logistic(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 1 / (1 + np.exp(-logits.clip(-MOST_LOGIT, MOST_LOGIT)))
    return found


def fit_logistic(
    x: NDArray[np.float64], up: NDArray[np.bool]
) -> tuple[NDArray[np.float64], float] | None:
    """Fit the logit of a rise, linear in the rows.

    Args:
        x: ``(N, D)`` standardised rows.
        up: ``(N,)`` whether the price forecast rose by the horizon.

    Returns:
        The weights ``(D,)`` and the bias; None if there is nothing to fit: fewer than 20 rows, or
        only one direction.
    """
    if len(up) < FEWEST_ROWS or up.all() or not up.any():
        return None
    found = LogisticRegression(C=1 / RIDGE, max_iter=200).fit(x, up)
    return found.coef_[0], float(found.intercept_[0])


def fit_from(
    x: NDArray[np.float64],
    up: NDArray[np.bool],
    mean: NDArray[np.float64],
    spread: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit the logit of a rise, drawn to expected weights instead of to 0, by Newton's method.

    Args:
        x: ``(N, D)`` standardised rows; none is allowed too.
        up: ``(N,)`` whether the price forecast rose by the horizon.
        mean: ``(D + 1,)`` the weights to expect, the bias last.
        spread: ``(D + 1,)`` their standard deviations, above 0.

    Returns:
        ``(D + 1,)`` the likeliest weights, given both, and ``(D + 1,)`` their variances.
    """
    rows, weights = np.column_stack([x, np.ones(len(x))]), mean.copy()
    for _ in range(MOST_STEPS):
        likely = _logistic(rows @ weights)
        slope = rows.T @ (likely - up) + (weights - mean) / spread**2
        bend = (rows.T * (likely * (1 - likely))) @ rows + np.diag(spread**-2)
        step = np.linalg.solve(bend, slope)
        weights = weights - step * min(1.0, LONGEST_STEP / max(LEAST_STEP, np.abs(step).max()))
        if np.abs(step).max() < LEAST_STEP:
            break
    return weights, np.diag(np.linalg.inv(bend))


def step_from(
    x: NDArray[np.float64], up: NDArray[np.bool], logits: NDArray[np.float64], spread: float
) -> NDArray[np.float64]:
    """Fit what to add to known logits, linear in further columns, by one step of Newton's method.

    Exact while the weights are small.

    Args:
        x: ``(N, D)`` the further columns, about 0.
        up: ``(N,)`` whether the price forecast rose by the horizon.
        logits: ``(N,)`` of a rise, without these columns.
        spread: the standard deviation of the weights to expect, above 0.

    Returns:
        ``(D,)`` the weights.
    """
    likely = _logistic(logits)
    bend = (x.T * (likely * (1 - likely))) @ x
    bend.flat[:: x.shape[1] + 1] += spread**-2
    return np.asarray(np.linalg.solve(bend, x.T @ (up - likely)), np.float64)


class OnlineLogistic:
    """Logistic regression by one pass over each row, with a running standardisation.

    The method of river's ``StandardScaler | LogisticRegression``. It follows a market that changes,
    and with few rows its weights are still near 0.
    Source: L. Bottou, Online learning and stochastic approximations (1998).
    """

    def __init__(self) -> None:
        self._scaler = StandardScaler()
        self._model: SGDClassifier | None = None

    def learn(self, x: NDArray[np.float64], up: NDArray[np.bool]) -> None:
        """Learn further rows, ``(N, D)`` and ``(N,)``, oldest first; N is at least 1."""
        # The scaler and model that forecast are replaced, never changed.
        self._scaler = copy.deepcopy(self._scaler).partial_fit(x)
        model = copy.deepcopy(self._model) or _new_model()
        self._model = model.partial_fit(self._standard(x), up, classes=[False, True])

    def probabilities(self, x: NDArray[np.float64]) -> NDArray[np.float64] | None:
        """Return the probabilities ``(N,)`` of a rise after rows ``(N, D)``; None before any."""
        if (model := self._model) is None:
            return None
        return probabilities(self._standard(x), model.coef_[0], float(model.intercept_[0]))

    def numbers(self) -> dict[str, NDArray[np.float64]]:
        """Return what it has learned, by name.

        Returns:
            ``mean`` and ``deviation``, ``(D,)``, by which a row is standardised before it is cut;
            ``weights``, ``(1, D)``, and ``intercept``, ``(1,)``.
        """
        assert self._model is not None
        scaler, model = self._scaler, self._model
        named = {"mean": scaler.mean_, "deviation": scaler.scale_}
        return {**named, "weights": model.coef_, "intercept": model.intercept_}

    def _standard(self, rows: Any) -> Any:
        # As StandardScaler.transform, without its checks, which take longer than a forecast.
        standard = (rows - self._scaler.mean_) / self._scaler.scale_
        return standard.clip(-CLIP_SD, CLIP_SD)

    def state_dict(self) -> dict[str, Any]:
        if (model := self._model) is None:
            return {}
        scaler = self._scaler
        return copied(
            {
                "model": {"weights": model.coef_, "bias": model.intercept_, "seen": model.t_},
                "scaler": {
                    "mean": scaler.mean_,
                    "variance": scaler.var_,
                    "scale": scaler.scale_,
                    "seen": int(scaler.n_samples_seen_),
                },
            }
        )

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = copied(state)
        self._scaler, self._model = StandardScaler(), None
        if "model" not in state:
            return
        moments, weights = state["scaler"], state["model"]
        nothing = np.zeros((1, len(moments["mean"])))
        scaler = self._scaler.fit(nothing)  # fitting any row creates the attributes set below
        scaler.mean_, scaler.var_, scaler.scale_ = (
            moments[name] for name in ("mean", "variance", "scale")
        )
        scaler.n_samples_seen_ = np.int64(moments["seen"])
        model = _new_model().partial_fit(nothing, [False], classes=[False, True])
        model.coef_[:], model.intercept_[:] = weights["weights"], weights["bias"]
        model.t_ = weights["seen"]
        self._model = model


def _new_model() -> SGDClassifier:
    return SGDClassifier(
        loss="log_loss", alpha=ONLINE_RIDGE, learning_rate="constant", eta0=STEP_SIZE, shuffle=False
    )
