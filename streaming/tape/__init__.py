"""Recorded trades and quotes: the session's own segments, others' tables, received messages.

tick ring -> TapeWriter -> BTCUSDT-000000000000-000000054000.parquet -> SegmentTape ─┐
a CSV or Parquet file, maybe packed, and that of its quotes beside it -> TableTape ──┼-> Recording
lines of RECEIVED_NS {"stream":"btcusdt@trade",...} ──────────────---> CaptureTape ──┘

A table's header names its columns (``columns`` knows the names that public files use). Times may be
in s, ms, us or ns, or dates; rows may come in any order; what a file is can also be said:

tape:PATH?venue=NAME&columns=id,price,size,-,time,maker&unit=ms&sort=id

venue     the one to play, if the file names several
columns   the field in each column, ``-`` for one that is not used: id, price, size, time, received
          (by the recorder), side (the taker's), maker (is the buyer?), symbol, venue
unit      of the times: s, ms, us, ns
sort      what the order of the trades is: id, time, file
"""

from streaming.tape.address import TapeAddress, parse_address
from streaming.tape.reading import open_tape, read_tape, release_memory, tape_symbols
from streaming.tape.recording import Recording
from streaming.tape.segments import Segment, SegmentKind, TapeWriter, segments, write_segment

__all__ = [
    "Recording",
    "Segment",
    "SegmentKind",
    "TapeAddress",
    "TapeWriter",
    "open_tape",
    "parse_address",
    "read_tape",
    "release_memory",
    "segments",
    "tape_symbols",
    "write_segment",
]
