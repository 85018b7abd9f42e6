"""The files of a market that travel: their names, and how much of each is whole.

    SYMBOL.ticks  .quotes  .bars            rows of the rings, numbered from the session's first
    SYMBOL.decisions.jsonl  .outcomes  .forecasts
    controls.jsonl  sums.jsonl              the session's own, with its first market
    SYMBOL.runs.json  .checkpoint.pt  .stats    replaced whole

They are put into the store in this order, and read so that what is there never refers to something
that is not (``local_record``).
"""

from __future__ import annotations

from collections.abc import Sequence

from streaming.bars import BAR
from streaming.quotes import QUOTE
from streaming.symbols import file_name
from streaming.ticks import TICK
from trainers.recording.files import (
    CHECKPOINT,
    CONTROLS,
    DECISIONS,
    FORECASTS,
    OUTCOMES,
    RUNS,
    SUMS,
)
from trainers.recording.rows import PAGE
from trainers.scoring.ledger import FORECAST, OUTCOME

TICKS, QUOTES, BARS, STATS = ".ticks", ".quotes", ".bars", ".stats"
ROWS = {TICKS: TICK, QUOTES: QUOTE, BARS: BAR}
LOGS = (DECISIONS, OUTCOMES, FORECASTS)
WHOLE = (RUNS, STATS, CHECKPOINT)
OF_SESSION = (CONTROLS, SUMS)


def growing_files(market: str, *, first: bool) -> list[str]:
    """Return the names of the files of a market that grow, without the rings.

    Args:
        market: its symbol.
        first: whether it is the session's first, with which the session's own files travel.
    """
    return [f"{file_name(market)}{kind}" for kind in LOGS] + (list(OF_SESSION) if first else [])


def whole_bytes(name: str, data: bytes, at: int, learners: Sequence[str] = ()) -> int:
    """Return how many of a file's bytes end with a whole entry.

    Args:
        name: the file's name.
        data: the file's bytes from ``at`` on, which may end within an entry.
        at: a byte at which an entry begins, or 0.
        learners: a ledger's learners: their rows of one bar belong together.
    """
    if name.endswith((OUTCOMES, FORECASTS)):
        per_bar = max(1, len(learners)) if name.endswith(FORECASTS) else 1
        dtype = FORECAST if name.endswith(FORECASTS) else OUTCOME
        size = at + len(data)
        return size - (size - PAGE) % (dtype.itemsize * per_bar) if size >= PAGE else 0
    return at + data.rfind(b"\n") + 1
