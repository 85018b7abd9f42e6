"""A session's metrics -> TensorBoard's event files: a folder a run, a step a cycle.

The values are those of MLflow as 32-bit floats, which is what TensorBoard keeps.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from streaming.errors import ConfigError
from streaming.symbols import file_name
from trainers.tracking.reader import RunRecord, SessionReader

EXTRA = "pip install -r requirements-export.txt"
OWN = "session"  # the folder of the session's own run


def check_installed() -> None:
    """Check that TensorBoard can be imported.

    Raises:
        ConfigError: if it cannot.
    """
    try:
        import tensorboard.summary  # noqa: F401, PLC0415
    except ImportError as e:
        raise ConfigError(
            f"to: got 'tensorboard', which is not installed; it needs: {EXTRA}"
        ) from e


def folder_of(run: RunRecord) -> str:
    """Return the folder of a run, which TensorBoard shows as its name."""
    symbol, learner = run.name
    return f"{file_name(symbol)}/{file_name(learner)}" if learner else OWN


def write_runs(
    folder: Path, reader: SessionReader, runs: list[RunRecord]
) -> Iterator[tuple[str, int]]:
    """Write the metrics of some runs; yield the folder and the number of values of each.

    Args:
        folder: the folder for all of them.
        reader: reads the store.
        runs: the session's.
    """
    from tensorboard.summary import Writer  # noqa: PLC0415, an extra: imported when it is used

    for run in runs:
        name, values = folder_of(run), 0
        with contextlib.closing(Writer(str(folder / name))) as writer:
            for point in reader.points(run.run_id):
                time = point.ts_ms / 1000
                writer.add_scalar(point.metric, point.value, point.cycle, wall_time=time)
                values += 1
        yield name, values
