"""The names of the files in a session's folder that outlive a process; each has one writer."""

from __future__ import annotations

CONFIG = "config.json"
JOURNAL = "journal.jsonl"
CHECKPOINT = "checkpoint.pt"
OUTBOX = "outbox.jsonl"
RUNS = "runs.json"
TAPE = "tape"

# Artifacts of the session's run that make its record.
RECORD = "record"
