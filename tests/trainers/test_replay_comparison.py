"""The comparison of a replay's metrics with the session's: nothing missing, nothing new."""

from __future__ import annotations

import math

import pytest

from trainers.replay.comparison import MetricsCheck, ReplayDiffersError, compare_stages
from trainers.replay.side_by_side import side_by_side

RUN = "BTCUSDT cnn"


def check_of(metrics):
    return MetricsCheck({RUN: {7: metrics}})


def test_the_same_metrics_are_counted_those_of_a_clock_are_not():
    check = check_of({"live/edge": 0.5, "live/brier": math.nan, "train/seconds": 1.0})
    check.take(RUN, 7, {"live/edge": 0.5, "live/brier": math.nan, "train/seconds": 1.0})
    check.has_all(RUN, 7)
    assert check.compared == 2


@pytest.mark.parametrize(
    "replayed, said",
    [
        ({"live/edge": 0.25}, "recorded 0.5, replayed 0.25"),
        ({"live/brier": 0.25, "live/edge": 0.5}, "live/brier of .* recorded none, replayed 0.25"),
        ({"live/brier": 0.25}, "recorded none, replayed 0.25"),
    ],
)
def test_another_value_a_missing_one_and_a_new_one_are_named(replayed, said):
    with pytest.raises(ReplayDiffersError, match=f"^differs: cycle 7, metric .*{said}"):
        check_of({"live/edge": 0.5}).take(RUN, 7, replayed)


def test_a_replay_that_has_nothing_where_the_session_had_metrics_differs():
    check = check_of({"live/edge": 0.5})
    check.has_all(RUN, 6)  # the session had none there either
    with pytest.raises(ReplayDiffersError, match=r"recorded 0\.5, replayed none"):
        check.has_all(RUN, 7)


def test_a_what_if_is_not_compared():
    check = MetricsCheck(None)
    check.take(RUN, 7, {"live/edge": 0.25})
    check.has_all(RUN, 8)
    assert (check.compared, check.newest[RUN]) == (0, {"live/edge": 0.25})


def test_learners_of_either_side_alone_differ():
    stages = {"ticks": "t", "bars": "b", "forecasts": "f"}
    one, two = {"cnn": {"weights": "w"}}, {"cnn": {"weights": "w"}, "dqn": {"weights": "v"}}
    compare_stages("BTCUSDT", 1, {**stages, "learners": one}, {**stages, "learners": one})
    for then, now in ((one, two), (two, one)):
        with pytest.raises(ReplayDiffersError, match="weights of dqn"):
            compare_stages("BTCUSDT", 1, {**stages, "learners": then}, {**stages, "learners": now})


def test_a_what_if_shows_what_differs_and_names_what_does_not():
    then = {"live/accuracy": 0.5, "train/loss": 0.7}
    recorded = {"S/cnn": {1: {"train/loss": 0.8}, 2: then}, "S/flat": {2: {"live/pnl_bps": 0.0}}}
    newest = {
        "session": {"stream/ticks": 5.0},
        "S/cnn": {**then, "train/loss": 0.6},
        "S/flat": {"live/pnl_bps": 0.0},
    }
    table = side_by_side(recorded, newest, "cnn_updates=9")
    assert [line.split() for line in table.splitlines()] == [
        ["as", "recorded", "what", "if", "cnn_updates=9"],
        ["cnn", "live/accuracy", "0.5", "0.5"],
        ["cnn", "train/loss", "0.7", "0.6"],
        ["the", "same", "in", "both:", "flat"],
    ]


def test_a_what_if_of_several_markets_names_them():
    newest = {"A/cnn": {"train/loss": 0.6}, "B/cnn": {"live/trades": 1.0}}
    table = side_by_side({}, newest, "seed=1").splitlines()
    assert table[1].split() == ["A", "cnn", "train/loss", "not", "known", "0.6"]
    assert table[2].startswith("B cnn live/trades")
