"""The names of the files in a session's folder that outlive a process; each has one writer.

A market's files begin with its symbol; the next process that trains the market takes them over.
"""

from __future__ import annotations

from pathlib import Path

from trainers.recording.errors import RecordError

# Files of the session.
CONFIG = "config.json"
CONTROLS = "controls.jsonl"  # the requests of operators, which every trainer reads
SUMS = "sums.jsonl"  # the cycles of all markets that were combined into the session's metrics
OUTBOX = "outbox.jsonl"  # undelivered batches of the session's own run
TAPE = "tape"

# Files of a market: what follows its symbol.
DECISIONS = ".decisions.jsonl"
CHECKPOINT = ".checkpoint.pt"
MARKET_OUTBOX = ".outbox.jsonl"
RUNS = ".runs.json"
OUTCOMES, FORECASTS = ".outcomes", ".forecasts"

RECORD = "record"  # the artifact folder of the session's run that holds its record

FORMAT = 2
JOURNAL = "journal.jsonl"  # a file of format 1, which tickloop 0.1 wrote


def of_market(session: Path, market: str, kind: str) -> Path:
    """Return the path of a market's file; ``kind`` is one of the endings, as ``CHECKPOINT``."""
    return session / f"{market}{kind}"


def check_format(session: Path) -> None:
    """Check that a session's record does not have an older version's format.

    Raises:
        RecordError: if it has; the text names that version.
    """
    if (session / JOURNAL).exists():
        raise RecordError(
            f"{session}: expected a record of format {FORMAT}, found one of format 1, written by"
            " tickloop 0.1; replay or resume it with that version, or begin another session"
        )
