"""Recorded files for tests: small ones, written on the spot."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from streaming.errors import TickloopError
from streaming.tape import Recording, open_tape, parse_address

NAME = "BTCUSDT-trades-2023-11-14.csv"
HEADER = "id,price,qty,quote_qty,time,is_buyer_maker"
START_MS = 1_700_000_000_000


def row(i: int, **given: object) -> str:
    """Row ``i`` of a file in Binance's columns, half a second behind the one before."""
    usual: dict[str, Any] = {
        "id": 100 + i, "price": 30_000 + i, "qty": 0.5, "quote": 1, "time": START_MS + 500 * i,
        "maker": "true" if i % 2 else "false",
    }  # fmt: skip
    return ",".join(str(value) for value in {**usual, **given}.values())


def csv(*rows: str, header: str = HEADER) -> str:
    return "\n".join([header, *rows]) + "\n"


def file(folder: Path, content: str | bytes, name: str = NAME) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read(path: Path, options: str = "", symbol: str = "BTCUSDT") -> Recording:
    """Return what a session would play of ``--source tape:PATH?OPTIONS``."""
    return open_tape(parse_address(f"{path}{options and '?'}{options}")).read(symbol)


def refusal(path: Path, options: str = "", symbol: str = "BTCUSDT") -> str:
    """Return the line in which a tape is refused, without the folder."""
    with pytest.raises(TickloopError) as caught:
        read(path, options, symbol)
    line = str(caught.value)
    assert "\n" not in line
    return re.sub(re.escape(f"{path.parent}/"), "", line)


def refused(path: Path, says: str, options: str = "", symbol: str = "BTCUSDT") -> None:
    """Check that a tape is refused in a line that says something."""
    assert says in refusal(path, options, symbol)
