"""The badge that says what market this is. Pure."""

from __future__ import annotations

import datetime
from typing import Any

from ui.views.view_model import Texts


def badge(source: str, rows: list[list[Any]]) -> Texts:
    """Return the badge's text: simulated, a tape with its date, or the venue.

    Args:
        source: the session's setting.
        rows: the chart's rows, oldest first; each begins with a time in unix seconds.

    >>> badge("sim:martingale", []), badge("binance", [])
    ({'source': 'SIMULATED'}, {'source': 'BINANCE'})
    >>> badge("tape:/somewhere/BTCUSDT.zip", [[1_723_075_200]])
    {'source': 'TAPE 2024-08-08'}
    """
    kind = source.partition(":")[0]
    if kind == "sim":
        return {"source": "SIMULATED"}
    if kind == "tape":
        days = [datetime.datetime.fromtimestamp(row[0], datetime.UTC).date() for row in rows[-1:]]
        return {"source": " ".join(["TAPE", *map(str, days)])}
    return {"source": kind.upper()}
