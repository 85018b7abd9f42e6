"""Names of symbols: any that a venue or tape has, and a file name for each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streaming.symbols import file_name, is_symbol, readable_name, same_but_for_case, symbol_of

REAL = [
    "BTCUSDT", "btcusd", "XBT/USD", "BTC-USD", "PI_XBTUSD", "1000SATSUSDT", "币安人生USDT", "BRK.B",
    "tBTCF0:USTF0", "ETH-29DEC23-2000-C", "^GSPC", "EUR=X", "M&M.NS", "$SPX", "@ES", "ES.c.0",
]  # fmt: skip


@pytest.mark.parametrize("symbol", REAL)
def test_symbols_that_exist_are_allowed(symbol: str) -> None:
    assert is_symbol(symbol)


@pytest.mark.parametrize(
    "text",
    ["", " ", "BTC USD", "A,B", "A\n", "\x00", ".", "..", "../etc", "a/../b", "\u200b", "\ud800",
     "A" * 61, "币" * 23],
    ids=repr,
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    assert not is_symbol(text)


@given(st.text())
def test_a_file_is_named_in_ascii_and_its_name_tells_the_symbol(text: str) -> None:
    if is_symbol(text):
        assert symbol_of(file_name(text)) == text
        assert file_name(text).isascii()
        assert len(file_name(text)) <= 200
        assert not set(file_name(text)) & set("/\\:*?\"'<>|%# ")


@given(st.text(), st.text())
def test_two_symbols_never_share_a_name(one: str, other: str) -> None:
    if is_symbol(one) and is_symbol(other):
        assert (one == other) == (file_name(one) == file_name(other))
        assert (one == other) == (readable_name(one) == readable_name(other))


def test_a_symbol_is_found_by_its_own_case_first() -> None:
    assert same_but_for_case("btcusd", ["BTCUSD", "btcusd"]) == ["btcusd"]
    assert same_but_for_case("Btcusd", ["BTCUSD", "btcusd"]) == ["BTCUSD", "btcusd"]
    assert same_but_for_case("ETHUSD", ["BTCUSD"]) == []
