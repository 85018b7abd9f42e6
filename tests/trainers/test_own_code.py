"""A learner's own code: whatever it raises, reports or keeps, the others and the session go on."""

from __future__ import annotations

import math
import re
import signal
import sys

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlflow import MlflowClient
from mlflow.utils.validation import _validate_metric

from datamodules.plain import copied, not_plain
from streaming.bars import BROKEN
from streaming.errors import ConfigError
from streaming.events import Code
from streaming.program import interrupt
from tests.datamodules.samples import SIDES, random_bars
from tests.stores import copy_store
from tests.trainers.ledger_rows import rows_among
from tests.trainers.trying_learners import NOT_PLAIN, Exiting, Keeping, MuteError, Reporting
from tests.trainers.world import Spy
from trainers.config import SessionConfig
from trainers.engine.commands import Checkpoint, CycleDone, Happened, RunUpdate
from trainers.engine.drivers.backtest import Backtest
from trainers.engine.events import ControlGiven
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.report import LONGEST, checked, refusals
from trainers.engine.runners.roster import Roster, make_roster
from trainers.learners.learner import Context
from trainers.learners.own_code import LearnerError, own_code
from trainers.learners.registry import check_learners, make_learners
from trainers.promotion.versions import register_learners
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint
from trainers.scoring.ledger import FAILED, MADE

BARS = random_bars(330, seed=4)
CONFIG = SessionConfig.of(cycle_seconds=20, fee_bps=1)
HERE = "tests.trainers.trying_learners"

EXITS = [SystemExit(0), SystemExit(3), KeyboardInterrupt(), GeneratorExit(), MuteError(),
         RuntimeError("half a character: \ud800"), StopIteration(), RecursionError()]  # fmt: skip


def trainer_of(*learners):
    return MarketTrainer(CONFIG, "BTCUSDT", Roster(CONFIG, learners, ()))


def played(*learners):
    """The trainer and all commands of a whole backtest."""
    trainer = trainer_of(*learners)
    return trainer, list(Backtest(trainer, min_bars=200).take(BARS))


def told(commands, code):
    return [each.text for each in commands if isinstance(each, Happened) and each.code == code]


def statuses(commands, name):
    updates = [one for one in commands if isinstance(one, RunUpdate) and one.learner == name]
    return {one.tags["status"] for one in updates if "status" in one.tags}


def rows_of(commands, number):
    _, rows = rows_among(commands)
    return rows[rows["learner"] == number]


# ---- whatever is raised, wherever


@pytest.mark.parametrize("error", EXITS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["forecast", "learn", "state_dict", "digests"])
def test_whatever_a_learner_raises_is_its_failure_and_stops_no_other(where, error):
    _, commands = played(Exiting(where, error), Spy())
    assert sum(isinstance(each, CycleDone) for each in commands) == 7
    assert statuses(commands, "exiting") >= {"ERROR"}
    assert statuses(commands, "spy") == {"TRAINING", "IDLE"}
    failures = told(commands, Code.LEARNER_FAILED)
    assert 2 <= len(failures) <= 4  # tried again after 1, 2, 4 cycles, and told each time
    assert failures[0].startswith("exiting failed: ")
    assert type(error).__name__ in failures[0]
    assert failures[0].encode()
    assert (rows_of(commands, 1)["status"] == MADE).all()
    wanted = FAILED if where == "forecast" else MADE
    assert (rows_of(commands, 0)["status"] == wanted).all()


def test_a_state_that_cannot_be_had_is_not_in_the_checkpoint_and_the_others_are():
    _, commands = played(Exiting("state_dict", SystemExit(1)), Keeping({"a": 1.5}))
    *_, last = [each.state for each in commands if isinstance(each, Checkpoint)]
    runners = last["roster"]["runners"]
    assert (runners["exiting"]["learner"], runners["keeping"]["learner"]) == (None, {"a": 1.5})


def resumed(learner):
    """Why a learner is not resumed from a checkpoint that has its state, and its runner."""
    was = type(learner)
    first, commands = played(
        Keeping({"share": 0.5}, "same") if was is Keeping else was("nowhere", None, "same")
    )
    *_, last = [each.state for each in commands if isinstance(each, Checkpoint)]
    again = trainer_of(learner)
    rows = rows_among(commands)
    why = again.restore(last, first.bars.copy(), rows, lambda *_: None)
    return why, again.roster.learners[0]


def test_a_state_that_cannot_be_loaded_begins_anew_and_ends_nothing():
    why, runner = resumed(Exiting("load_state_dict", SystemExit(0), "same"))
    assert why == {"same": "cannot load its state (SystemExit: 0)"}
    assert (runner.status, runner.version) == ("ERROR", 0)


def test_a_state_that_can_be_loaded_goes_on():
    why, runner = resumed(Keeping({}, "same"))
    assert why == {}
    assert (runner.version, runner.learner.state) == (7, {"share": 0.5})


@pytest.mark.parametrize(
    "name, value, said",
    [
        ("learning_rate", "0.5", "failed at it: SystemExit: 9"),
        ("promote", "exiting", "refused control/promote: exiting cannot be exported"),
    ],
)
def test_a_request_at_which_a_learner_fails_is_answered(name, value, said):
    where = "adjust" if name == "learning_rate" else "export"
    trainer, _ = played(Exiting(where, SystemExit(9)), Spy())
    *_, answer = trainer.handle(ControlGiven(name, value))
    assert said in answer.text


@pytest.mark.parametrize(
    "exported, said",
    [
        (SystemExit(0), "its export failed (SystemExit: 0)"),
        (("no module", 60), "it exports a str, no torch module"),
        ("nothing", "its export failed (ValueError: "),
    ],
)
def test_a_learner_that_cannot_be_exported_is_not_registered_and_ends_nothing(
    exported, said, tmp_path
):
    class Exporting(Exiting):
        def export(self):
            if isinstance(exported, BaseException):
                raise exported
            return exported

    trainer, _ = played(Exporting("", None))
    copy_store(tmp_path)
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    run_id = client.create_run("0").info.run_id
    (found,) = register_learners(client, "session", trainer, {"exiting": run_id})
    assert found.version == 0
    assert f"exiting {trainer.market} is not registered: {said}" in found.text


def test_ctrl_c_is_no_failure_of_a_learner():
    class Interrupted(Spy):
        def learn(self, snapshot):
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    interrupt.install()
    try:
        with pytest.raises(KeyboardInterrupt):
            played(Interrupted())
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_learner_that_takes_another_name_keeps_its_first():
    class Renaming(Spy):
        def learn(self, snapshot):
            self.name = 5

    _, commands = played(Renaming())
    assert {each.learner for each in commands if isinstance(each, RunUpdate)} == {"spy"}


# ---- a wrong print


def flashed(factor=3500.0):
    bars = BARS.copy()
    for name in ("open", "high", "low", "close", *SIDES):
        bars[name][280] *= factor
    bars["gap"][[280, 281]] = BROKEN
    return bars


def test_a_wrong_print_is_told_once_and_rules_no_account_memory_or_score():
    trainer = MarketTrainer(CONFIG, "BTCUSDT", make_roster(CONFIG, "BTCUSDT"))
    commands = list(Backtest(trainer, min_bars=200).take(flashed()))
    sound = list(
        Backtest(
            MarketTrainer(CONFIG, "BTCUSDT", make_roster(CONFIG, "BTCUSDT")), min_bars=200
        ).take(BARS)
    )
    (text,) = told(commands, Code.BROKEN_BAR)
    assert text.startswith("2 broken bars: a price moved by more than a factor of 2 within a bar")
    assert told(sound, Code.BROKEN_BAR) == []
    done = [each for each in commands if isinstance(each, CycleDone)]
    assert [each.stream["stream/broken"] for each in done][-1] == 2
    last = {}
    for each in commands:
        if isinstance(each, RunUpdate) and each.metrics:
            last[each.learner] = each.metrics
    assert abs(last["buy_and_hold"]["live/pnl_bps"]) < 1000
    assert abs(last["buy_and_hold"]["live/gross_bps"]) < 1000
    (dqn,) = [one.learner for one in trainer.roster.learners if one.name == "dqn"]
    assert np.abs(dqn.memory.take(np.arange(len(dqn.memory)))[2]).max() < 20  # typical moves


# ---- before anything starts


@pytest.mark.parametrize(
    "entry, said",
    [
        ("tests.trainers.module_that_exits:Any", "cannot be imported (SystemExit: 3)"),
        (f"{HERE}:ExitsWhenMade", "cannot be made (SystemExit: 0)"),
        (f"{HERE}:NameIsNumber", "whose name is 5, a int; allowed: text"),
        (f"{HERE}:OddKind", "whose kind is 'oracle'; allowed: forecaster, agent"),
    ],
)
def test_a_learner_that_cannot_be_had_is_refused_in_one_line(entry, said):
    for make in (check_learners, lambda *given: make_learners(*given, Context.of(SessionConfig()))):
        with pytest.raises(ConfigError) as refused:
            make([entry], {})
        text = str(refused.value)
        assert text.startswith(f"learners: got {entry!r}, ")
        assert said in text
        assert "\n" not in text


# ---- what is kept


@pytest.mark.parametrize("fault", NOT_PLAIN)
def test_a_state_that_is_not_plain_is_not_kept_and_told_once(fault):
    _, commands = played(Keeping(NOT_PLAIN[fault]), Spy())
    (text,) = told(commands, Code.NOT_RESUMABLE)
    assert fault in text
    assert "keeping: its state_dict is not kept" in text
    assert statuses(commands, "keeping") == {"TRAINING", "IDLE"}
    *_, last = [each.state for each in commands if isinstance(each, Checkpoint)]
    assert last["roster"]["runners"]["keeping"]["learner"] is None
    assert (rows_of(commands, 0)["status"] == MADE).all()


KEYS = st.text(max_size=5) | st.integers(-9, 9) | st.booleans()
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from([print, object(), b"x", {1}, 2**70, float, np.float32(1), np.bool_(True)])
    | st.sampled_from(["f4", "f8", "i2", "u1", ">f8", "O", "U1", "M8[s]", "c16", "V4", "g"]).map(
        lambda kind: np.zeros(2, kind))
    | st.sampled_from([torch.zeros(2), torch.nn.Parameter(torch.ones(1)), torch.tensor(1)])
)  # fmt: skip
STATES = st.recursive(
    LEAVES,
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(KEYS, parts, max_size=3)
    | st.tuples(parts, parts),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(state=STATES)
def test_what_counts_as_plain_comes_back_from_a_checkpoint(tmp_path_factory, state):
    path = tmp_path_factory.mktemp("plain") / "one.pt"
    if not_plain(state):
        return
    save_checkpoint(path, {"state": state})
    found = load_checkpoint(path)["state"]
    assert repr(_lists(found)) == repr(_lists(state))
    other = copied(state)
    assert repr(_lists(other)) == repr(_lists(state))
    assert _arrays(other).isdisjoint(_arrays(state))


def _arrays(value):
    """The ids of the arrays, tensors, lists and dicts within a value."""
    if isinstance(value, torch.Tensor | np.ndarray):
        return {id(value)}
    parts = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return set().union(*map(_arrays, value)) if isinstance(value, tuple) else set()
    return {id(value)}.union(*map(_arrays, parts))


def _lists(value):
    """A value whose numbers and arrays are plain Python's."""
    if isinstance(value, torch.Tensor):
        return value.detach().tolist()
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _lists(part) for key, part in value.items()}
    return type(value)(map(_lists, value)) if isinstance(value, list | tuple) else value


def test_a_state_within_itself_is_not_plain():
    state = {}
    state["me"] = state
    assert "more than 50 levels" in not_plain(state)


# ---- what is reported


def test_the_names_that_mlflow_does_not_take_are_told_once_and_the_rest_is_logged():
    odd = {"acc%": 50.0, "f1@0.5": 0.4, "time(s)": 0.1, "a//b": 1.0, "loss:val": 0.7}
    _, commands = played(Reporting({"loss": 0.69, "bars": 7, **odd}))
    (text,) = told(commands, Code.METRIC_REFUSED)
    assert text.startswith("reporting reports metrics that are not logged: acc%, f1@0.5, time(s)")
    assert "a//b" in text
    assert "loss:val" in text
    logged = [each.metrics for each in commands if isinstance(each, RunUpdate) and each.metrics]
    assert {"train/loss", "train/bars"} <= set(logged[-1])
    assert "live/scored" in logged[-1]
    assert not set(logged[-1]) & {f"train/{name}" for name in odd}
    assert statuses(commands, "reporting") == {"TRAINING", "IDLE"}


@pytest.mark.parametrize(
    "value, kept",
    [
        (True, 1.0), ("0.5", 0.5), (np.float32(0.25), 0.25), (np.int64(3), 3.0),
        (torch.tensor(2.0), 2.0), (math.inf, sys.float_info.max), (-math.inf, -sys.float_info.max),
        (None, None), ("high", None), ([1], None), (1j, None), (10**400, None), (object(), None),
    ],
)  # fmt: skip
def test_a_value_is_a_number_or_told_of(value, kept):
    metrics, refused = checked({"x": value, "loss": 1.0})
    assert metrics == ({"x": kept} if kept is not None else {}) | {"loss": 1.0}
    assert refused == ({} if kept is not None else {"x": "its value, which is no number"})


def test_a_number_that_is_not_known_is_logged_as_that():
    assert math.isnan(checked({"x": math.nan}).metrics["x"])


@pytest.mark.parametrize("name", ["x" * (LONGEST + 1), "", "..", "a/../b", "/a", "seconds", "ü\n"])
def test_a_name_that_cannot_be_is_told_of(name):
    metrics, refused = checked({name: 1.0, "ü": 2.0})
    assert metrics == {"ü": 2.0}
    assert list(refused) == [name]


def test_a_report_that_is_none_is_a_failure_of_the_learner():
    with pytest.raises(LearnerError, match="expected metrics by name, or None; got float"):
        checked(0.5)
    assert checked(None).metrics == {}


def test_thousands_of_metrics_are_a_short_text():
    _, refused = checked({f"{i}%": i for i in range(3000)})
    assert "0%, 1%, 2%" in refusals(refused)
    assert "and 2,992 more for its name" in refusals(refused)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.text(max_size=8) | st.integers(), LEAVES, max_size=5))
@example({"\ud800": 1.0})
@example({"a\n": 1.0})
@example({"a/./b": 1.0, " ": 2})
def test_whatever_is_reported_mlflow_takes_what_is_logged(report):
    metrics, refused = checked(report)
    for name, value in metrics.items():
        _validate_metric(f"train/{name}", value, 1, 1)
    assert {str(name) for name in report} == {*metrics, *refused}
    assert refusals(refused).encode() is not None


@given(st.sampled_from(EXITS))
def test_only_what_is_ours_passes_through(error):
    with pytest.raises(LearnerError, match=re.escape(type(error).__name__)), own_code():
        raise error
    with pytest.raises(interrupt.Interrupt), own_code():
        raise interrupt.Interrupt
