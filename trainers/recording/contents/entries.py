"""The entries of a decision log: one JSON object each, ``do`` names its kind.

began      a trainer began or resumed the market: the log's format and the symbol
bars       the bars up to ``to`` were taken, ``after`` a learner's turn or between cycles;
           ``ask`` is whether the bar after the newest was to be forecast, ``each`` (of a
           backtest, where nothing comes too late) that after every one of them
cycle      a cycle begins: the number of rows of each stream that it may see (the
           ``watermark``), and the feed's counters
end        a cycle has ended: measured seconds, hashes of every stage, the stream's metrics,
           the market's ``standing`` in the session (older records have none)
control    an operator's request was carried out or refused; ``seq`` is the request's number,
           ``after_bar`` the open time of the newest bar then, ns
champion   another model version forecasts as champion from the next bar on; ``own`` if it is
           none of the registry's but a copy that a backtest has made
verdict    the verdict that led to a promotion or a rollback
segment    a segment of the tape is in the store, with the hash of its content
dropped    a segment was dropped from this machine's disk, as ``keep_days`` says
left       nothing is left to do in the market, and what was learned is registered
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from streaming.errors import reason_of
from trainers.recording.errors import RESTORE, DecisionLogError

Entry = dict[str, Any]


class _Kind(msgspec.Struct, tag_field="do", tag=lambda name: name.strip("_").lower()):
    """What an entry needs so that it can be repeated; it may have more."""


class _Began(_Kind):
    format: int


class _Rows(msgspec.Struct):
    """A number of rows for each stream."""

    ticks: int
    quotes: int


class _Bars(_Kind):
    to: int
    ask: bool
    after: str
    each: bool = False


class _Cycle(_Kind):
    cycle: int
    watermark: _Rows
    now: int
    oldest: _Rows
    oldest_ts: int
    wall_ms: int
    stats: dict[str, float | None]


class _End(_Kind):
    cycle: int
    seconds: dict[str, float]
    overran: bool
    hashes: dict[str, Any]
    stream: dict[str, float | None]
    standing: dict[str, float] | None = None


class _Control(_Kind):
    name: str
    value: str
    seq: int
    refused: bool


class _Champion(_Kind):
    learner: str
    version: int
    challenge: int
    own: bool = False


class _Verdict(_Kind):
    pass


class _Segment(_Kind):
    name: str
    sha256: str


class _Dropped(_Kind):
    name: str


class _Left(_Kind):
    pass


_Known = (
    _Began | _Bars | _Cycle | _End | _Control | _Champion | _Verdict | _Segment | _Dropped | _Left
)


def entry_of(path: Path, line: bytes, where: str) -> Entry:
    """Return the entry in a line of a log; ``where`` names the line in the error's text.

    Raises:
        DecisionLogError: if the line is no JSON object with a ``do``.
    """
    try:
        entry = msgspec.json.decode(line, type=Entry)
        entry["do"] = str(entry["do"])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError) as e:
        raise DecisionLogError(
            f"{path}: expected a JSON object in {where}, found {line[:60]!r} ({reason_of(e)}); it"
            f" was changed since it was written: {RESTORE}"
        ) from e
    return entry


def check_entry(path: Path, number: int, entry: Entry) -> None:
    """Check that an entry, in line ``number`` of a log, can be repeated.

    Raises:
        DecisionLogError: if it is unknown or lacks something.
    """
    try:
        msgspec.convert(entry, _Known)
    except msgspec.ValidationError as e:
        raise DecisionLogError(
            f"{path}: expected a whole entry in line {number}, found do = {entry['do']!r}"
            f" ({reason_of(e)}); it was changed since it was written: {RESTORE}"
        ) from e
