"""Recorded trades: the session's own Parquet segments, and other people's CSV files.

tick ring -> TapeWriter -> BTCUSDT-000000000000-000000054000.parquet -> read_tape -> Ticks
"""

from streaming.tape.reading import read_tape, tape_symbols
from streaming.tape.segments import Segment, TapeWriter, segments, write_segment

__all__ = ["Segment", "TapeWriter", "read_tape", "segments", "tape_symbols", "write_segment"]
