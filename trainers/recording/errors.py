"""What can be wrong with what a session has left; each says which file and what to do.

RecordError              it lacks something or was changed: replay nothing
├── DecisionLogError     a log is another version's, in use or damaged
├── LedgerError          a ledger is another session's or in use, or a bar does not follow
└── CheckpointError      a checkpoint is damaged or another version's
"""

from __future__ import annotations

from streaming.errors import TickloopError


class RecordError(TickloopError):
    """A record lacks something or was changed."""


class DecisionLogError(RecordError):
    """A decision log is another version's, in use or damaged."""


class LedgerError(RecordError):
    """A ledger is another session's or in use, or a bar does not follow."""


class CheckpointError(RecordError):
    """A checkpoint is damaged or another version's."""
