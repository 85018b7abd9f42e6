"""Every name that is written to MLflow and read back from it. Nobody else spells one.

Imports nothing, so that the page can know the names without loading MLflow.
"""

from __future__ import annotations

import enum

EXPERIMENT = "tickloop"


class Tag(enum.StrEnum):
    """Tags of runs; the values are a contract."""

    KIND = "kind"  # a ``Kind``
    SESSION = "session"  # run id of the session that the run belongs to
    SYMBOL = "symbol"
    LEARNER = "learner"
    LEARNER_KIND = "learner_kind"  # a ``LearnerKind``
    STATUS = "status"  # a ``Status``
    STATUS_TEXT = "status_text"
    TRACEBACK = "traceback"  # of a learner's newest failure
    EVENTS = "events"  # of a session: JSON, the newest events, each with ts, code and text
    VERDICT = "verdict"  # of a learner: JSON of ``trainers.scoring.promotion.verdict``
    CHAMPION = "champion"  # of a learner: its champion's version, empty if there is none
    PARITY = "parity"  # of a session: what its replay came to
    REPLAY_OF = "replay_of"
    RESUME_OF = "resume_of"
    WHAT_IF = "what_if"  # the settings of a replay that are not the session's
    OWNER = "tickloop.owner"  # the process that keeps the run alive


class Kind(enum.StrEnum):
    """What a run is about."""

    SESSION = "session"
    LEARNER = "learner"
    CHAMPION = "champion"
    BASELINE = "baseline"
    REPLAY = "replay"
    RESUME = "resume"  # a run that `mlflow run` made for a session that goes on


class LearnerKind(enum.StrEnum):
    """What a learner says at each bar: how likely the next is up, or what to do."""

    FORECASTER = "forecaster"
    AGENT = "agent"


class Status(enum.StrEnum):
    """What a learner or a session is doing."""

    IDLE = "IDLE"
    TRAINING = "TRAINING"
    ERROR = "ERROR"
    PAUSED = "PAUSED"


# A wish of an operator is the tag control/<name> of the session's run. It is answered by
# control_result/<name> (JSON: value, cycle, result, text, ts), and taken away then.
CONTROL = "control/"
CONTROL_RESULT = "control_result/"


class Control(enum.StrEnum):
    """What can be asked of a session."""

    START = "start"  # of one that has ended: it goes on
    PAUSE = "pause"
    RESUME = "resume"
    TRAIN_NOW = "train_now"
    STOP = "stop"
    LEARNING_RATE = "learning_rate"
    EPSILON = "epsilon"
    CONFIDENCE = "confidence"
    PROMOTE = "promote"
    ROLLBACK = "rollback"


# Prefixes of metric names.
STREAM, TRAIN, LIVE, PROMOTION = "stream/", "train/", "live/", "promotion/"

# Registered models, their aliases and what is told of a version.
MODEL_PREFIX = "tickloop-"
CHAMPION_ALIAS, CHALLENGER_ALIAS, PREVIOUS_ALIAS = "champion", "challenger", "previous"
AUDIT = "audit."  # tags audit.1, audit.2, ... of a version: JSON, never changed


def model_name(symbol: str, learner: str) -> str:
    """Return the registered model's name.

    >>> model_name("BTCUSDT", "cnn")
    'tickloop-btcusdt-cnn'
    """
    return f"{MODEL_PREFIX}{symbol.lower()}-{learner}"


def champion_name(learner: str) -> str:
    """Return the name under which a learner's champion has its rows and its run.

    >>> champion_name("cnn")
    'cnn.champion'
    """
    return f"{learner}.champion"
