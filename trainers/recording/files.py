"""The names of the files in a session's folder that outlive a process; each has one writer.

What is a market's begins with its name, and goes with it to whichever process trains it.
"""

from __future__ import annotations

from pathlib import Path

from trainers.recording.errors import RecordError

# Of the session.
CONFIG = "config.json"
CONTROLS = "controls.jsonl"  # wishes of operators, passed on to every trainer
SUMS = "sums.jsonl"  # which cycles of which markets made the session's metrics
OUTBOX = "outbox.jsonl"  # of the session's own run
TAPE = "tape"

# Of a market, after its name.
DECISIONS = ".decisions.jsonl"
CHECKPOINT = ".checkpoint.pt"
MARKET_OUTBOX = ".outbox.jsonl"
RUNS = ".runs.json"
OUTCOMES, FORECASTS = ".outcomes", ".forecasts"

# Artifacts of the session's run that make its record.
RECORD = "record"

FORMAT = 2
JOURNAL = "journal.jsonl"  # of format 1, that of tickloop 0.1


def of_market(session: Path, market: str, kind: str) -> Path:
    """Return the path of a market's file; ``kind`` is one of the endings above."""
    return session / f"{market}{kind}"


def check_format(session: Path) -> None:
    """Refuse the record of an older version.

    Raises:
        RecordError: in one line that names the version.
    """
    if (session / JOURNAL).exists():
        raise RecordError(
            f"{session}: expected a record of format {FORMAT}, found one of format 1, written by"
            " tickloop 0.1; replay or resume it with that version, or begin another session"
        )
