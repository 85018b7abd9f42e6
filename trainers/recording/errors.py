"""The errors of a session's record; each text names the file and says what to do.

RecordError              the record lacks something or was changed: do not replay or resume it
├── DecisionLogError     a log has another version's format, is in use or is damaged
├── LedgerError          a ledger has other learners or another format, or is in use; or a row is
│                        out of order
└── CheckpointError      a checkpoint is damaged or has another version's format
"""

from __future__ import annotations

from streaming.errors import TickloopError

RESTORE = "restore it from the artifacts of the session's run"


class RecordError(TickloopError):
    """A session's record lacks something or was changed."""

    exit_code = 2  # another start finds the same


class DecisionLogError(RecordError):
    """A decision log has another version's format, is in use or is damaged."""


class LedgerError(RecordError):
    """A ledger does not fit the session, is in use, or was given a row out of order."""


class CheckpointError(RecordError):
    """A checkpoint is damaged or has another version's format."""
