"""Names of symbols: which are allowed, how files are named after them, and how one is found.

A symbol is spelled as its venue or tape spells it: BTCUSDT, XBT/USD, btcusd, 币安人生USDT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_SYMBOL_CHARS = 60
MAX_NAME_BYTES = 200  # of a file system's 255; the rest is for what follows the symbol


def is_symbol(text: str) -> bool:
    """Return whether a market can have this name.

    >>> [is_symbol(text) for text in ("XBT/USD", "币安人生USDT", "..", "BTC USD", "A,B", "")]
    [True, True, False, False, False, False]
    """
    return (
        0 < len(text) <= MAX_SYMBOL_CHARS
        and text.isprintable()
        and not re.search(r"[\s,]", text)
        and not {".", ".."} & {*text.split("/")}  # it is no path
        and len(file_name(text)) <= MAX_NAME_BYTES
    )


def file_name(symbol: str) -> str:
    """Return how files are named after a symbol: in ASCII, so that any locale can write it.

    The escape is = and not %, since MLflow decodes %2F in the names of artifacts and then does not
    find them.

    >>> file_name("BTC-USD"), file_name("XBT/USD"), file_name("币")
    ('BTC-USD', 'XBT=2FUSD', '=E5=B8=81')
    """
    return re.sub(r"[^A-Za-z0-9._-]", _escaped, symbol)


def symbol_of(name: str) -> str:
    """Return the symbol after which a file is named: the inverse of ``file_name``.

    >>> symbol_of("XBT=2FUSD")
    'XBT/USD'
    """
    escapes = re.sub(rb"=([0-9A-F]{2})", lambda m: bytes.fromhex(m[1].decode()), name.encode())
    return escapes.decode(errors="replace")


def readable_name(symbol: str) -> str:
    """Return a symbol for names that people read: letters of any script stay as they are.

    >>> readable_name("xbt/usd"), readable_name("币安人生usdt")
    ('xbt=2Fusd', '币安人生usdt')
    """
    return re.sub(r"[^\w.-]", _escaped, symbol)


def upper(symbol: str) -> str:
    """Return a symbol in upper case, as venues mean it: ASCII letters only.

    >>> upper("btcusdt"), upper("straßeusdt")
    ('BTCUSDT', 'STRAßEUSDT')
    """
    return symbol.encode().upper().decode()  # of bytes, it changes ASCII alone


def lower(symbol: str) -> str:
    """Return a symbol in lower case: ASCII letters only."""
    return symbol.encode().lower().decode()


def same_but_for_case(symbol: str, there: Iterable[str]) -> list[str]:
    """Return the symbols that are this one: itself, or else those that differ in case only.

    >>> same_but_for_case("btcusd", ["BTCUSD", "ETHUSD"]), same_but_for_case("x", ["X", "x"])
    (['BTCUSD'], ['x'])
    """
    alike = [name for name in there if name.casefold() == symbol.casefold()]
    return [symbol] if symbol in alike else alike


def _escaped(match: re.Match[str]) -> str:
    return "".join(f"={byte:02X}" for byte in match[0].encode())
