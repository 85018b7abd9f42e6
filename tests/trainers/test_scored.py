from __future__ import annotations

import numpy as np
import pytest

from datamodules.transitions import Action
from tests.trainers.ledger_rows import forecasts_of, outcomes_of, score
from trainers.scoring.ledger import FAILED, MADE, MISSED, SILENT
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import scored_of


def test_a_forecast_is_scored_by_the_bar_after_it_and_the_newest_waits():
    scored = score([100, 101, 100, 100, 99], [0.9, 0.8, 0.7, 0.6, 0.5])
    assert scored.moves.moved.tolist() == [1, -1, 0, -1, 0]
    assert scored.scored.tolist() == [True, True, False, True, False]
    assert scored.flat.tolist() == [False, False, True, False, False]
    assert scored.moves.waiting.tolist() == [False] * 4 + [True]
    samples = scored.samples()
    assert samples.probability.tolist() == [0.9, 0.8, 0.6]
    assert samples.up.tolist() == [1, 0, 0]


def test_returns_are_those_of_the_mid_and_directions_those_of_the_close():
    scored = score([100, 101], [0.9, 0.9], mids=[100, 99.5])
    assert scored.moves.ret_bps.tolist() == pytest.approx([-50, 0])
    assert scored.moves.moved.tolist() == [1, 0]


@pytest.mark.parametrize(
    "stream", [{"gaps": [2]}, {"bars": [0, 1, 9, 10]}, {"bars": [0, 1, 100_000, 100_001]}]
)
def test_no_label_crosses_a_gap_or_a_hole_in_the_series(stream):
    scored = score([100, 101, 150, 151], [0.9] * 4, **stream)
    assert scored.broken.tolist() == [False, True, False, False]
    assert scored.scored.tolist() == [True, False, True, False]
    assert scored.moves.ret_bps[1] == scored.moves.moved[1] == 0


def test_only_forecasts_made_in_time_count():
    status = [MADE, MISSED, SILENT, FAILED, MADE]
    scored = score([100, 101, 102, 103, 104], [0.9] * 5, signals=Action.BUY, status=status)
    assert scored.scored.tolist() == [True, False, False, False, False]
    assert scored.signal.tolist() == [Action.BUY, Action.HOLD, Action.HOLD, Action.HOLD, Action.BUY]
    assert [scored.count(kind) for kind in (MADE, MISSED, SILENT, FAILED)] == [2, 1, 1, 1]


def test_a_forecast_not_made_is_not_broken_by_a_gap():
    scored = score([1, 2, 3], [0.9] * 3, status=[MISSED, MADE, MADE], gaps=[1, 2])
    assert scored.broken.tolist() == [False, True, False]


def test_an_agent_gives_signals_and_no_probability():
    scored = score([100, 101], [np.nan, np.nan], signals=[Action.BUY, Action.SELL])
    assert not scored.matured.any()
    assert scored.signal.tolist() == [Action.BUY, Action.SELL]


def test_each_learner_has_its_own_forecasts_and_a_bar_without_a_row_is_missed():
    moves = moves_of(outcomes_of([100, 101, 102]))
    rows = np.concatenate(
        [forecasts_of([0.1] * 3, learner=0), forecasts_of([0.9], learner=1, bars=[1])]
    )
    scored = scored_of(moves, rows, 1)
    assert scored.status.tolist() == [MISSED, MADE, MISSED]
    assert scored.samples().probability.tolist() == [0.9]
    assert (scored.first, scored_of(moves, rows, 0).first, scored_of(moves, rows, 2).first) == (
        1, 0, 3
    )  # fmt: skip


def test_forecasts_whose_bar_is_not_there_are_left_out():
    rows = forecasts_of([0.1, 0.2, 0.3, 0.4], bars=[0, 5, 6, 9])
    scored = scored_of(moves_of(outcomes_of([100, 101], bars=[5, 7])), rows, 0)
    assert scored.probability[0] == 0.2
    assert scored.status.tolist() == [MADE, MISSED]


def test_the_last_direction_is_known_at_the_close_and_skips_flat_bars():
    moves = moves_of(outcomes_of([100, 101, 101, 100, 100, 102]))
    assert moves.direction.tolist() == [0, 1, 1, -1, -1, 1]


def test_later_bars_change_no_move_that_was_known():
    rng = np.random.default_rng(0)
    outcomes = outcomes_of(100 + rng.integers(-2, 3, 60).cumsum(), gaps=[7, 30])
    whole = moves_of(outcomes)
    for t in range(1, 60):
        part = moves_of(outcomes[:t])
        for name in ("direction", "typical_bps", "path_bps", "known"):
            assert getattr(part, name).tobytes() == getattr(whole, name)[:t].tobytes()
        for known, later in zip(part, whole, strict=True):
            assert known[: t - 1].tobytes() == later[: t - 1].tobytes()


def test_an_empty_ledger_has_nothing_to_score():
    scored = score([], [])
    assert (len(scored), scored.first, len(scored.samples().up)) == (0, 0, 0)
