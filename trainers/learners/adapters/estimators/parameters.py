"""What a classifier's constructor is given: the user's settings, a seed, one thread. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from trainers.learners.adapters.wrapped import arguments_in

# The names of seeds, in the order in which they are looked for.
SEEDS = ("random_state", "seed")

# What makes a library give the same bits each time, in one thread, and say nothing.
OF_LIBRARY: dict[str, dict[str, Any]] = {
    "lightgbm": {"n_jobs": 1, "deterministic": True, "force_row_wise": True, "verbosity": -1},
    "xgboost": {"n_jobs": 1, "verbosity": 0},
}


def known_parameters(make: Callable[..., Any]) -> dict[str, Any]:
    """Return the parameters of a class or function that have defaults, with these.

    A class that takes any keyword (LightGBM, XGBoost) says by ``get_params`` which it knows.
    """
    parameters = inspect.signature(make).parameters.values()
    known = {
        each.name: each.default
        for each in parameters
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        and each.default is not each.empty
    }
    if any(each.kind is each.VAR_KEYWORD for each in parameters) and hasattr(make, "get_params"):
        known = {**make().get_params(deep=False), **known}
    return known


def arguments_of(
    library: str, known: Mapping[str, Any], given: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Return a constructor's arguments: the user's come first.

    Args:
        library: a key of ``LIBRARIES``.
        known: the constructor's parameters and their defaults.
        given: the settings, as text or as values.
        seed: for a constructor that takes one and has none.
    """
    own = dict(OF_LIBRARY.get(library, {}))
    if known.get("loss") == "hinge":
        own["loss"] = "log_loss"  # of SGDClassifier: a hinge gives no probability
    own |= {name: seed for name in SEEDS if name in known and known[name] is None}
    return own | arguments_in(given)
