"""Times: the unit is looked at, for every format, and an impossible time is no trade's."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.tape.tables.times import UNITS, unit_of
from streaming.ticks import NS_PER_S, OLDEST_TS
from tests.streaming.tape.samples import START_MS, csv, file, read, refusal, refused, row

NOW = 1_800_000_000 * NS_PER_S
SCALE = {"s": 1e-3, "ms": 1, "us": 10**3, "ns": 10**6}  # of a time in ms


def rows_at(*times: object) -> str:
    return csv(*(row(i, time=at) for i, at in enumerate(times)))


@given(st.integers(OLDEST_TS, NOW), st.sampled_from(list(UNITS)))
def test_each_time_from_2009_to_now_tells_its_unit(ts: int, unit: str) -> None:
    ts -= ts % NS_PER_S  # or 2009 in whole seconds would be 2008
    assert unit_of(np.array([ts // UNITS[unit]]), NOW).tolist() == [UNITS[unit]]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20))
def test_what_lies_outside_of_every_unit_is_impossible(times: list[int]) -> None:
    found = unit_of(np.array(times, np.int64), NOW)
    for value, unit in zip(times, found.tolist(), strict=True):
        assert any(OLDEST_TS <= value * ns <= NOW for ns in UNITS.values()) is (unit > 0) or (
            unit and value == OLDEST_TS // unit
        )


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    "header",
    ["id,price,qty,quote_qty,time,is_buyer_maker", "aggId,price,qty,x,timestamp,isBuyerMaker"],
)
def test_every_format_may_be_in_every_unit(tmp_path: Path, unit: str, header: str) -> None:
    times = [int((START_MS + 1000 * i) * SCALE[unit]) for i in range(3)]
    text = rows_at(*times).replace("id,price,qty,quote_qty,time,is_buyer_maker", header)
    expected = [(START_MS + 1000 * i) * 10**6 for i in range(3)]
    assert read(file(tmp_path, text)).ticks["ts_event"].tolist() == expected


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1696982287.4922", 1_696_982_287_492_200_000),
        ("1696982287.123456789", 1_696_982_287_123_456_789),
        ("1696982287.1234567894", 1_696_982_287_123_456_789),
        ("1696982287123.5", 1_696_982_287_123_500_000),
        ("1696982287123456.789", 1_696_982_287_123_456_789),
        ("1696982287.", 1_696_982_287_000_000_000),
        ("2023-11-14 22:13:20.123+00:00", 1_700_000_000_123_000_000),
        ("2023-11-14 22:13:20+00:00", 1_700_000_000_000_000_000),
        ("2023-11-14T22:13:20.1234567Z", 1_700_000_000_123_456_700),
        ("2023-11-14T23:13:20.5+01:00", 1_700_000_000_500_000_000),
        ("2023-11-14 22:13:20.25", 1_700_000_000_250_000_000),
        ("2023-11-14D22:13:20.123456789", 1_700_000_000_123_456_789),
    ],
)
def test_decimals_and_dates_are_exact(tmp_path: Path, text: str, ns: int) -> None:
    assert read(file(tmp_path, rows_at(text))).ticks["ts_event"].tolist() == [ns]


@pytest.mark.parametrize(
    ("texts", "is_said"),
    [
        (["2023-11-14 22:13:20", "2023-11-14 22:13:21"], True),
        (["2023-11-14 22:13:20Z", "2023-11-14 22:13:21"], True),
        (["2023-11-14 22:13:20Z", "2023-11-14 23:13:21+01:00"], False),
        ([START_MS, START_MS + 1000], False),
    ],
)
def test_that_dates_name_no_zone_is_said(tmp_path: Path, texts: list, is_said: bool) -> None:
    said = read(file(tmp_path, rows_at(*texts))).remarks
    assert said == ("the times name no zone: they are taken as UTC",) * is_said


@pytest.mark.parametrize(
    "text",
    ["11/14/2023 22:13", "2023-11-14", "2023-13-45 22:13:20", "2023-11-14 22:13:20 UTC", "now"],
)
def test_other_ways_to_write_a_time_are_refused(tmp_path: Path, text: str) -> None:
    line = refusal(file(tmp_path, rows_at(START_MS, text) if text == "now" else rows_at(text)))
    assert "column time: expected a time in s, ms, us or ns" in line
    assert line.endswith(f"got {text!r}")


def test_a_file_may_change_its_unit_once(tmp_path: Path) -> None:
    ms = [START_MS + 1000 * i for i in range(6)]
    path = file(tmp_path, rows_at(*ms[:3], *(t * 1000 for t in ms[3:])))  # as Binance's in 2025
    assert read(path).ticks["ts_event"].tolist() == [t * 10**6 for t in ms]
    mixed = rows_at(*(t * (1000 if i % 2 else 1) for i, t in enumerate(ms)))
    refused(file(tmp_path, mixed), "row 3, column time: expected the unit of the rows before")


@pytest.mark.parametrize("wrong", ["0", "-5", "7", "", "9" * 19, "9" * 30, "1" * 25 + ".5"])
def test_an_impossible_time_is_0_and_chooses_no_unit(tmp_path: Path, wrong: str) -> None:
    path = file(tmp_path, rows_at(wrong, *(START_MS + 1000 * i for i in range(3))))
    assert read(path).ticks["ts_event"].tolist()[:2] == [0, START_MS * 10**6]


@pytest.mark.parametrize("beyond_s", [-1, 2 * 86_400, 10 * 365 * 86_400])
def test_a_tape_before_2009_or_after_tomorrow_is_refused(tmp_path: Path, beyond_s: int) -> None:
    at = (int(time.time()) if beyond_s > 0 else OLDEST_TS // NS_PER_S) + beyond_s
    line = refusal(file(tmp_path, rows_at(at, at, at)))
    assert "row 2, column time: expected a time from 2009 to tomorrow, as 100 %" in line


def test_a_unit_that_a_user_says_is_the_only_one(tmp_path: Path) -> None:
    path = file(tmp_path, rows_at(START_MS, START_MS + 1))
    assert len(read(path, "unit=ms").ticks) == 2
    refused(path, "column time: expected a time from 2009 to tomorrow", "unit=us")
