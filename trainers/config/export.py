"""The settings of an export."""

from __future__ import annotations

import dataclasses

from streaming.program.settings import Settings, setting

PARQUET, TENSORBOARD = "parquet", "tensorboard"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportConfig(Settings):
    """Export a session for other tools."""

    session: str = setting("last", "run id of a session or backtest, or last")
    to: str = setting(
        PARQUET, "for what: a folder of Parquet files, or TensorBoard's event files",
        choices=(PARQUET, TENSORBOARD),
    )  # fmt: skip
    folder: str = setting(
        "", "folder to write, a new one or an earlier export of the session; exports/RUN_ID/TO if"
        " none is given",
    )  # fmt: skip
