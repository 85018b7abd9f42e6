"""The limit of requests, on a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streaming.feed.rest.rest_gate import SHARE, RestGate
from streaming.venues import RestLimit

LIMIT, WINDOW_S = 6000, 60.0
THE_LIMIT = RestLimit(LIMIT, WINDOW_S)


@given(st.lists(st.tuples(st.floats(0, 30), st.sampled_from([1, 4, 20, 25, 400]))), st.booleans())
def test_in_no_minute_more_is_asked_than_the_share_of_the_limit(steps, slow):
    gate, now, spent = RestGate(THE_LIMIT), 0.0, []
    for pause, weight in steps:
        now += pause if slow else 0.01
        now += gate.wait(weight, now)
        assert gate.wait(weight, now) == 0
        gate.spend(weight, now)
        spent.append((now, weight))
    for start, _ in spent:
        inside = sum(weight for when, weight in spent if start <= when < start + WINDOW_S)
        assert inside <= SHARE * LIMIT


def test_a_closed_gate_lets_nothing_pass_until_it_opens():
    gate = RestGate(THE_LIMIT)
    gate.close(20.0, 100.0, "HTTP 429")
    assert (gate.wait(1, 105.0), gate.reason) == (15.0, "HTTP 429")
    gate.close(5.0, 106.0, "HTTP 503")
    assert gate.wait(1, 106.0) == 14.0
    assert gate.wait(1, 120.0) == 0


def test_the_venues_own_count_is_taken_if_it_is_higher():
    gate = RestGate(THE_LIMIT)
    gate.spend(100, 0.0)
    gate.reported(90, 1.0)
    assert gate.wait(4700, 1.0) == 0
    gate.reported(4800, 2.0)
    assert 0 < gate.wait(25, 2.0) <= WINDOW_S


def test_a_request_heavier_than_the_limit_is_for_the_venue_to_refuse():
    assert RestGate(RestLimit(10, WINDOW_S)).wait(25, 0.0) == 0
