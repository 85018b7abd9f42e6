from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.feed.rest.venue_clock import (
    UNKNOWN_AHEAD_NS,
    ClockReport,
    VenueClock,
    latest_time,
    midpoint,
)
from streaming.ticks import NS_PER_MS, NS_PER_S

NOW = 1_700_000_000 * NS_PER_S
STEADY = 5_000 * NS_PER_S  # since the machine started


def test_the_venue_answers_halfway_between_request_and_reply():
    clock = midpoint(STEADY, STEADY + 20 * NS_PER_MS, NOW, 1.0)
    assert clock == VenueClock(STEADY + 10 * NS_PER_MS, NOW, 1.0)


def test_lag_is_the_time_from_the_venue_to_here():
    clock = VenueClock(STEADY, NOW, 1.0)
    traded, received = NOW + 2 * NS_PER_S, STEADY + 2 * NS_PER_S + 7 * NS_PER_MS
    assert clock.lag_us(traded, received) == pytest.approx(7000, abs=1)


def test_lag_at_ten_times_speed_is_in_our_own_time():
    clock = VenueClock(STEADY, NOW, 10.0)
    assert clock.lag_us(NOW + 10 * NS_PER_S, STEADY + NS_PER_S) == 0
    assert clock.lag_us(NOW + 10 * NS_PER_S, STEADY + NS_PER_S + NS_PER_MS) == pytest.approx(
        1000, abs=1
    )


@given(st.integers(-(10**12), 10**12), st.integers(0, 10**12), st.floats(0.01, 1000))
def test_lag_is_never_negative(event, received, rate):
    assert VenueClock(STEADY, NOW, rate).lag_us(NOW + event, STEADY + received) >= 0


@given(st.integers(-(10**18), 10**18))
def test_a_trade_is_judged_by_the_venues_clock_whatever_ours_says(off):
    clock = VenueClock(STEADY, NOW, 1.0)
    assert latest_time(clock, STEADY + NS_PER_S, NOW + off) == NOW + 61 * NS_PER_S


def test_until_the_venues_clock_is_known_only_the_absurd_is_refused():
    assert latest_time(None, STEADY, NOW) == NOW + UNKNOWN_AHEAD_NS


def test_a_clock_that_is_off_is_said_once_and_again_when_that_changes():
    report, minutes = ClockReport(), 120 * NS_PER_S
    assert report.text(NOW, NOW + NS_PER_S // 2, 0) == ""
    assert "120.0 s behind the venue's" in report.text(NOW, NOW + minutes, 0)
    assert report.text(NOW, NOW + minutes + NS_PER_S // 2, 0) == ""
    assert "4,000.0 s ahead of the venue's" in report.text(NOW, NOW - 4000 * NS_PER_S, 0)
    assert report.text(NOW, NOW, 0) == "our clock agrees with the venue's again"
    assert report.text(NOW, NOW, 0) == ""


def test_what_a_slow_reply_may_have_made_up_is_not_said():
    assert ClockReport().text(NOW, NOW + 3 * NS_PER_S, 2 * NS_PER_S) == ""
