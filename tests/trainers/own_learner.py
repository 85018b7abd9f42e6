"""Learners as a user would write them, named by import path."""

from __future__ import annotations

import dataclasses

import numpy as np

from streaming.program.settings import Settings, setting


class UpShare:
    """Says how often the market went up in what it has learned from."""

    name, kind = "up_share", "forecaster"

    adjustable = ("learning_rate",)

    def __init__(self, context, learning_rate: float = 0.5, lag: int = 0):
        self.seed = context.seed
        self.learning_rate, self.lag = learning_rate, lag
        self.share = None

    def adjust(self, name, value):
        setattr(self, name, value)

    def forecast(self, bars):
        if self.share is None or len(bars) < 2 or bars["gap"][-1]:
            return None
        return float(self.share)

    def learn(self, snapshot):
        up = float(np.mean(np.diff(snapshot.bars["close"]) > 0))
        before = up if self.share is None else self.share
        self.share = before + self.learning_rate * (up - before)
        return {"share": self.share}

    def state_dict(self):
        return {"share": self.share}

    def load_state_dict(self, state):
        self.share = state["share"]


class Smallest:
    """The two methods and nothing else; its name and kind are given to it."""

    def forecast(self, bars):
        return 0.5

    def learn(self, snapshot):
        return None


class NoLearner:
    """Lacks the methods."""


class Unfinished(Smallest):
    """Cannot be made."""

    def __init__(self, config):
        raise RuntimeError("no weights yet")


class Named(Smallest):
    """Is called what it is told."""

    def __init__(self, name: str = "named"):
        self.name = name


@dataclasses.dataclass(frozen=True)
class Size(Settings):
    """The settings of ``Sized``."""

    size: int = setting(3, "how large it is", low=1, high=9)


class Sized(Smallest):
    """Takes its settings as one record."""

    def __init__(self, settings: Size = Size()):
        self.settings = settings


class Bold(Smallest):
    """Says always the same, so that the bolder it is, the worse."""

    name, kind = "bold", "forecaster"

    def __init__(self, context, boldness: float = 0.1):
        self.boldness = boldness

    def forecast(self, bars):
        return 0.5 + self.boldness
