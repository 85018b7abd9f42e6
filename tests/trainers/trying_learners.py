"""Learners that do what no learner should."""

from __future__ import annotations

import collections
import sys

import numpy as np

from tests.trainers.world import Spy


class Exiting(Spy):
    """Raises ``error`` in the method ``where``."""

    def __init__(self, where, error, name="exiting"):
        super().__init__(name)
        self.where, self.error = where, error

    def _at(self, where):
        if where == self.where:
            raise self.error

    def forecast(self, bars):
        self._at("forecast")
        return super().forecast(bars)

    def learn(self, snapshot):
        self._at("learn")
        return super().learn(snapshot)

    def state_dict(self):
        self._at("state_dict")
        return {"share": 0.5}

    def load_state_dict(self, state):
        self._at("load_state_dict")

    @property
    def digests(self):
        self._at("digests")
        return {"features": "0"}

    adjustable = ("learning_rate",)

    def adjust(self, name, value):
        self._at("adjust")

    def export(self):
        self._at("export")

    @staticmethod
    def predict(model, bars):
        return 0.5


class MuteError(Exception):
    """An error whose text cannot be had."""

    def __str__(self):
        sys.exit("no text")


class Keeping(Spy):
    """Has this state."""

    def __init__(self, state, name="keeping"):
        super().__init__(name)
        self.state = state

    def state_dict(self):
        return self.state

    def load_state_dict(self, state):
        self.state = state


class Reporting(Spy):
    """Reports this of its training."""

    def __init__(self, report, name="reporting"):
        super().__init__(name)
        self.report = report

    def learn(self, snapshot):
        super().learn(snapshot)
        return self.report


class Number(float):
    """A number that is more than a number."""


Pair = collections.namedtuple("Pair", "a b")

# What no state may hold, and what is said of it.
NOT_PLAIN = {
    "['f'] is a builtin_function_or_method": {"f": print},
    "['a'][1]['b'] is a object": {"a": [1, {"b": object()}]},
    "it has a key that is a tuple": {(1, 2): 3},
    "['s'] is a set": {"s": {1}},
    "['n'] is a Number": {"n": Number(1)},
    "['p'] is a Pair": {"p": Pair(1, 2)},
    "['i'] is a number beyond 64 bits": {"i": 2**64},
    "['o'] is of numpy's type object": {"o": np.array([None])},
    "['t'] is of numpy's type <U1": {"t": np.array(["a"])},
    "['b'] is a bytes": {"b": b"bytes"},
    "it is a list": [1, 2],
}


class NameIsNumber(Spy):
    """Has a number for a name."""

    def __init__(self):
        super().__init__(5)


class ExitsWhenMade(Spy):
    """Ends the process when it is made."""

    def __init__(self):
        sys.exit(0)


class OddKind(Spy):
    """Is of a kind that there is none of."""

    kind = "oracle"

    def __init__(self):
        super().__init__("odd")
