"""A session -> one folder of Parquet files, a table each: see docs/export.md.

The columns are those of the frames of ``import tickloop``, behind the market's ``symbol``; the
index is the column ``time``. Rows are written piece by piece, in the memory of a piece.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tickloop.accounts import Accounts
from tickloop.frames import bar_frame, forecast_frame, quote_frame, tick_frame
from tickloop.pieces import bar_pieces, quote_pieces, tick_pieces
from tickloop.runs import metric_frame, param_frame
from trainers.config import SessionConfig
from trainers.recording.ledger import ledger_pieces
from trainers.tracking.reader import RunRecord, SessionReader

Frames = Iterable[pd.DataFrame]

PIECE_POINTS = 100_000  # of metrics


def tables(
    record: Path, config: SessionConfig, reader: SessionReader, runs: list[RunRecord]
) -> Iterator[tuple[str, Frames]]:
    """Yield the name of each table, and its rows piece by piece.

    Args:
        record: the folder with the session's files.
        config: the session's settings.
        reader: reads the store.
        runs: the session's.
    """
    markets = config.symbol_list
    yield (
        "ledger",
        (
            _of_market(market, forecast_frame(piece.contents, config.target))
            for market in markets
            for piece in ledger_pieces(record, market, ahead=config.horizon)
        ),
    )
    yield "trades", _trades(record, config)
    yield (
        "bars",
        (
            _of_market(market, bar_frame(bars))
            for market in markets
            for bars in bar_pieces(record, market, config)
        ),
    )
    for name, pieces, frame_of in (
        ("ticks", tick_pieces, tick_frame),
        ("quotes", quote_pieces, quote_frame),
    ):
        yield (
            name,
            (
                _of_market(market, frame_of(rows))
                for market in markets
                for rows in pieces(record, market)
            ),
        )
    yield "metrics", _metrics(reader, runs)
    yield "params", (param_frame(run) for run in runs)


def _trades(record: Path, config: SessionConfig) -> Iterator[pd.DataFrame]:
    for market in config.symbol_list:
        accounts = Accounts(config.fee_bps, config.target)
        for piece in ledger_pieces(record, market):
            yield _of_market(market, accounts.update(piece))


def _metrics(reader: SessionReader, runs: list[RunRecord]) -> Iterator[pd.DataFrame]:
    for run in runs:
        points = reader.points(run.run_id)
        yield metric_frame(run, [])  # has the columns, if no run has any metric yet
        while some := list(itertools.islice(points, PIECE_POINTS)):
            yield metric_frame(run, some)


def _of_market(market: str, frame: pd.DataFrame) -> pd.DataFrame:
    if frame.index.name:
        frame = frame.reset_index()
    frame.insert(0, "symbol", pd.Series(market, index=frame.index, dtype="str"))
    return frame


def write_table(path: Path, frames: Frames) -> int:
    """Write a table's rows to a Parquet file; return how many there are.

    Args:
        path: the file.
        frames: the rows, one piece at least, all with the same columns.
    """
    rows = 0
    with contextlib.ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for frame in frames:
            table = pa.table({name: _column(frame[name]) for name in frame})
            if writer is None:
                writer = stack.enter_context(
                    pq.ParquetWriter(path, table.schema, compression="zstd")
                )
            if len(frame) or not rows:
                writer.write_table(table)
            rows += len(frame)
    return rows


def _column(values: pd.Series[Any]) -> pa.Array:
    """Return a column as other programs than pandas read it: text without categories."""
    kind = values.dtype
    if isinstance(kind, pd.DatetimeTZDtype):
        times = values.dt.tz_convert(None).to_numpy()
        return pa.array(times, pa.timestamp(kind.unit, "UTC"), from_pandas=True)
    if isinstance(kind, pd.CategoricalDtype | pd.StringDtype):
        return pa.array(values.astype("str").array, pa.string())
    return pa.array(values.to_numpy())
