"""What a session's markets come to together: sums, and in how many a learner is proven better."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainers.scoring.promotion.discoveries import log_e_of_market
from trainers.scoring.session import CycleSummary, session_scores

STREAM = {"stream/ticks": 10.0, "stream/lag_ms": 3.0, "stream/span_seconds": 60.0}
LOGS = st.floats(-50, 50)


def ended(log_e=0.0, **standing):
    return CycleSummary(STREAM, {"log_e": log_e, **standing})


def test_streams_are_summed_but_the_lag_is_the_longest_and_the_span_the_shortest():
    slow = CycleSummary(
        {"stream/ticks": 5.0, "stream/lag_ms": 9.0, "stream/span_seconds": 30.0}, {}
    )
    found = session_scores({"A": ended(), "B": slow}, ["A", "B"]).metrics
    assert [found[name] for name in STREAM] == [15.0, 9.0, 30.0]


def test_a_session_of_one_market_searches_for_no_discoveries():
    found = session_scores({"A": ended(9.0, pnl_bps=4.0)}, ["A"])
    assert found == ({**STREAM, "live/pnl_bps": 4.0}, None)


def test_every_market_counts_in_the_search_also_one_that_has_no_cycle_yet():
    enough_for_two = math.log(2 / 0.05) + 0.1
    ends = {"A": ended(enough_for_two), "B": ended()}
    assert session_scores(ends, ["A", "B"]).discoveries == ["A"]
    with_a_third = session_scores(ends, ["A", "B", "C"])
    assert with_a_third.discoveries == []
    assert with_a_third.metrics["promotion/discoveries"] == 0.0
    assert with_a_third.metrics["promotion/markets"] == 3.0


def test_profits_are_summed_over_the_markets_that_have_one():
    ends = {"A": ended(pnl_bps=4.0), "B": ended(), "C": ended(pnl_bps=-6.5)}
    assert session_scores(ends, ["A", "B", "C"]).metrics["live/pnl_bps"] == -2.5
    assert "live/pnl_bps" not in session_scores({"B": ended()}, ["A", "B"]).metrics


def test_a_record_that_is_older_than_standings_has_no_discoveries():
    assert session_scores({"A": ended(9.0), "B": CycleSummary(STREAM, None)}, ["A", "B"])[1] is None


@given(st.lists(LOGS, min_size=1, max_size=5))
def test_a_market_s_evidence_is_the_mean_of_its_learners(log_values):
    mean = sum(math.exp(value) for value in log_values) / len(log_values)
    assert math.exp(log_e_of_market(log_values)) == pytest.approx(mean)


@given(st.lists(st.floats(600, 1000), min_size=1, max_size=5))
def test_evidence_that_would_overflow_is_averaged_all_the_same(log_values):
    found = log_e_of_market(log_values)
    assert max(log_values) - math.log(len(log_values)) <= found + 1e-9 <= max(log_values) + 2e-9
