"""The names that are written to MLflow and read back from it: tags, controls, metrics, models.

It imports nothing heavy, so that the page can use the names without loading MLflow.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from datamodules.target import NEXT_BAR, Target
from streaming.symbols import readable_name

EXPERIMENT = "tickloop"

MOST_TAG_CHARS = 8000  # MLflow cuts a longer tag off


class Tag(enum.StrEnum):
    """The tags of runs; other programs may rely on these names."""

    KIND = "kind"  # a ``Kind``
    SESSION = "session"  # run id of the session that the run belongs to
    SYMBOL = "symbol"
    LEARNER = "learner"
    LEARNER_KIND = "learner_kind"  # a ``LearnerKind``
    STATE = "state"  # on a session and its learners: a ``trainers.states.State``
    MARKETS = "markets"  # on a session: JSON, how many of its markets are in each state
    STATUS = "status"  # a ``Status``
    STATUS_TEXT = "status_text"
    TRACEBACK = "traceback"  # the traceback of a learner's newest failure
    EVENTS = "events"  # on a session: JSON, the newest events, each with ts, code and text
    FLEET = "fleet"  # on a session that is a fleet: JSON, its shards and where they went
    VERDICT = "verdict"  # on a learner: JSON of ``trainers.scoring.promotion.verdict``
    CHAMPION = "champion"  # on a learner: its champion's version, empty if there is none
    DISCOVERIES = "discoveries"  # on a session: JSON, the markets that the metric counts
    PARITY = "parity"  # on a session: the result of its replay
    REPLAY_OF = "replay_of"
    RESUME_OF = "resume_of"
    TRIAL = "trial"  # on a trial: its number in its study, from 0
    PLAYED = "played"  # on a trial: ``whole``, ``given up``, ``same as NUMBER`` or ``too little``
    WHAT_IF = "what_if"  # the settings of a replay that are not the session's
    OWNER = "tickloop.owner"  # the process that keeps the run alive


class Kind(enum.StrEnum):
    """The kinds of runs."""

    SESSION = "session"
    LEARNER = "learner"
    CHAMPION = "champion"
    BASELINE = "baseline"
    REPLAY = "replay"
    BACKTEST = "backtest"  # a session that was computed from a tape at once
    STUDY = "study"  # a search for a learner's settings
    TRIAL = "trial"  # a backtest of one of them
    RESUME = "resume"  # made by `mlflow run` for resuming a session, which has its run already


class LearnerKind(enum.StrEnum):
    """What a learner returns at each bar: the probability of a rise, or an action."""

    FORECASTER = "forecaster"
    AGENT = "agent"


class Status(enum.StrEnum):
    """The statuses of a learner or a session."""

    IDLE = "IDLE"
    TRAINING = "TRAINING"
    ERROR = "ERROR"
    PAUSED = "PAUSED"


# An operator makes a request by setting the tag control/<name> of the session's run. The answer is
# the tag control_result/<name> (JSON: value, cycle, result, text, ts); then the first is removed.
# The page also says who asked, in the tag control_asked/<name> (JSON: value, by, ts).
CONTROL = "control/"
CONTROL_RESULT = "control_result/"
CONTROL_ASKED = "control_asked/"


class Control(enum.StrEnum):
    """The requests that an operator can make."""

    START = "start"  # resumes a session that has ended
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
TUNE = "tune/"  # of studies and their trials
HORIZON = "horizon/"  # horizon/5s/move_bps: in the run of the market's first learner

# A table among a session's artifacts: who is ahead of whom, by market (``scoring.arena``).
LEADERBOARD = "leaderboard.json"

# Names of registered models, their aliases, and the tags of their versions.
MODEL_PREFIX = "tickloop-"
CHAMPION_ALIAS, CHALLENGER_ALIAS, PREVIOUS_ALIAS = "champion", "challenger", "previous"
AUDIT = "audit."  # the tags audit.1, audit.2, ... of a version: JSON, never changed
SOURCE = "source"  # a version's tag: the ``source_name`` of the session that made it
SIMULATED = "sim"  # the source without a name of its own in the names of models


def source_name(source: str) -> str:
    """Return what models say of a session's source; all tapes are one source.

    >>> [source_name(source) for source in ("sim", "sim:ar1", "tape:/x/BTC.zip", "binance")]
    ['sim', 'sim.ar1', 'tape', 'binance']
    """
    kind, _, market = source.partition(":")
    named = kind == SIMULATED and market not in ("", "default")
    return f"{kind}.{readable_name(market)}" if named else kind


def model_name(source: str, symbol: str, learner: str, target: Target = NEXT_BAR) -> str:
    """Return the registered model's name, in which MLflow allows no / and no :.

    Each source has models of its own, as a model of one never serves another; so has each length of
    a bar and each horizon other than 1.

    >>> model_name("sim", "BTCUSDT", "cnn"), model_name("binance", "XBT/USD", "cnn")
    ('tickloop-btcusdt-cnn', 'tickloop-binance-xbt=2Fusd-cnn')
    >>> model_name("sim", "BTCUSDT", "cnn", Target(horizon=5, bar_seconds=60))
    'tickloop-btcusdt-cnn-60s-h5'
    """
    name = source_name(source)
    prefix = "" if name == SIMULATED else f"{name}-"
    bars = "" if target.bar_seconds == 1 else f"-{target.bar_seconds}s"
    ahead = "" if target.horizon == 1 else f"-h{target.horizon}"
    return f"{MODEL_PREFIX}{prefix}{readable_name(symbol.lower())}-{learner}{bars}{ahead}"


def model_of_run(params: Mapping[str, str], symbol: str, learner: str) -> str:
    """Return the registered model's name, given the params of a run of its session.

    Runs of sessions from before a param have none of it.
    """
    horizon, bar = (int(float(params.get(name, 1))) for name in ("horizon", "bar_seconds"))
    target = Target(horizon=horizon, bar_seconds=bar)
    return model_name(params.get(SOURCE, SIMULATED), symbol, learner, target)


def champion_name(learner: str) -> str:
    """Return the name of a learner's champion in the ledger and in MLflow.

    >>> champion_name("cnn")
    'cnn.champion'
    """
    return f"{learner}.champion"
