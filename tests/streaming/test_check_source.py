"""What is wrong with a source is found before anything starts, and what is odd is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from streaming.config import StreamConfig
from streaming.errors import ConfigError, TapeError
from streaming.events import event_ring
from streaming.exchange import check_source
from streaming.exchange.simulator import MarketSimulator
from tests.streaming.tape.samples import HEADER, csv, file, row


def config(path: Path, options: str = "", symbols: str = "BTCUSDT") -> StreamConfig:
    return StreamConfig(source=f"tape:{path}{options and '?'}{options}", symbols=symbols)


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (HEADER, ""),
        (b"PAR1 damaged", ""),
        (csv(row(0, maker="X")), ""),
        (csv(row(0, price=0)), ""),
        (csv(row(0)), "venue=nowhere"),
        (csv(row(0)), "unit=s"),
    ],
)
def test_a_tape_is_read_to_its_last_row_before_anything_starts(tmp_path, content, options) -> None:
    with pytest.raises(TapeError, match=r"BTCUSDT-trades-2023-11-14\.csv: "):
        check_source(config(file(tmp_path, content), options))


def test_wrong_words_about_a_tape_are_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="sort: got 'up'; allowed: id, time, file"):
        check_source(config(file(tmp_path, csv(row(0))), "sort=up"))
    with pytest.raises(ConfigError, match="known markets: "):
        check_source(StreamConfig(source="sim:nowhere"))


def test_a_good_tape_says_nothing(tmp_path: Path, capsys) -> None:
    path = file(tmp_path, csv(*(row(i) for i in range(9))))
    assert check_source(config(path)) == (["BTCUSDT"], False)
    assert capsys.readouterr() == ("", "")


def test_what_is_odd_is_said_at_once_and_is_an_event_of_the_exchange(tmp_path, capsys) -> None:
    path = file(tmp_path, csv(*(row(i, qty="" if i % 5 == 0 else 1) for i in reversed(range(20)))))
    given = config(path, symbols="btcusdt")
    assert check_source(given) == (["BTCUSDT"], False)  # as the file is called
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "tape       btcusdt: the tape spells it BTCUSDT",
        "tape       btcusdt: the rows are not in order: they are sorted by id",
        "tape       btcusdt: 20 % of the rows are dropped: bad_size",
    ]

    simulator = MarketSimulator(given, tmp_path, lambda: 10**18)
    events = event_ring(tmp_path, "exchange").read(0).rows
    assert [f"tape       {event['text'].decode()}" for event in events] == said
    assert {event["code"].decode() for event in events} == {"tape"}

    simulator.start()
    MarketSimulator(given, tmp_path, lambda: 10**18)  # started again, it does not repeat itself
    assert len(event_ring(tmp_path, "exchange").read(0).rows) == 3


def test_times_that_are_not_known_do_not_pace_a_tape(tmp_path: Path) -> None:
    second = 1_700_000_001_000
    times = [0, second - 1000, 5, second, 9_999_999_999_999, second, second]
    path = file(tmp_path, csv(*(row(i, time=time) for i, time in enumerate(times))))
    simulator = MarketSimulator(config(path), tmp_path, lambda: 10**18)
    simulator.start()
    [(_, chunk)] = simulator.advance()
    assert chunk.trades["id"].tolist() == [100, 101, 102]  # the rest is due a second later
