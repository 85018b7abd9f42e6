"""A recorded session, running or ended, as pandas frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from streaming.cache import bar_ring
from streaming.errors import ConfigError
from tickloop.frames import bar_frame, equity_frame, forecast_frame, trade_frame
from trainers.config import SessionConfig, session_folder
from trainers.names import Tag
from trainers.recording.files import CONFIG, check_format
from trainers.recording.ledger import LedgerContents, read_ledger
from trainers.tracking.reader import RunRecord, SessionReader

METRICS = ("symbol", "learner", "kind", "metric", "value", "cycle")


def sessions(root: str | Path = ".") -> list[str]:
    """Return the run ids of the sessions recorded in a project, newest last.

    Args:
        root: the project's folder, where ``mlruns`` is.
    """
    made = session_folder(Path(root), "").glob(f"*/{CONFIG}")
    return [path.parent.name for path in sorted(made, key=lambda path: path.stat().st_mtime_ns)]


def session(run_id: str = "last", root: str | Path = ".") -> Session:
    """Open a session's record.

    Args:
        run_id: the session's run id; ``last`` for the one that was started or resumed last.
        root: the project's folder, where ``mlruns`` is.

    Raises:
        ConfigError: if there is no such session.
        RecordError: if a version of Tickloop wrote it whose format is no longer read.
    """
    there = sessions(root)
    if run_id == "last" and there:
        run_id = there[-1]
    if run_id not in there:
        raise ConfigError(
            f"session: got {run_id!r}; expected last, or one of {', '.join(there[-5:]) or 'none'}"
            f" in {Path(root).resolve()}"
        )
    folder = session_folder(Path(root), run_id)
    check_format(folder)
    return Session(folder, Path(root))


class Session:
    """One session. Each call reads the record anew, so a running session shows its newest rows.

    Args:
        folder: the session's folder; its name is the run id.
        root: the project's folder.

    Attributes:
        run_id: the id of the session's own MLflow run.
        config: the session's settings.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root, self.run_id = folder, root, folder.name
        self.config = SessionConfig.load(folder / CONFIG)

    def __repr__(self) -> str:
        return f"Session({self.run_id!r}, {self.config.source!r}, symbols={self.symbols})"

    @property
    def symbols(self) -> list[str]:
        """The session's markets."""
        return self.config.symbol_list

    def bars(self, symbol: str = "") -> pd.DataFrame:
        """Return the final bars of a market, the newest 86,400: see ``frames.bar_frame``.

        Args:
            symbol: the market; the session's first by default, as everywhere here.

        Raises:
            ConfigError: if the session has no such market, as everywhere here.
        """
        return bar_frame(bar_ring(self.folder, self._known(symbol)).read().rows)

    def forecasts(self, symbol: str = "") -> pd.DataFrame:
        """Return every forecast of every learner and its outcome: see ``frames.forecast_frame``."""
        return forecast_frame(self._ledger(symbol), self.config.target)

    def trades(self, symbol: str = "") -> pd.DataFrame:
        """Return the paper trades of every learner: see ``frames.trade_frame``."""
        return trade_frame(self._ledger(symbol), self.config.fee_bps, self.config.target)

    def equity(self, symbol: str = "") -> pd.DataFrame:
        """Return the paper accounts of every learner: see ``frames.equity_frame``."""
        return equity_frame(self._ledger(symbol), self.config.fee_bps, self.config.target)

    def metrics(self) -> pd.DataFrame:
        """Return the newest value of every metric in MLflow.

        Columns: ``symbol`` and ``learner`` (both empty for the session's own run), ``kind`` of the
        run, ``metric``, ``value``, and ``cycle``, in which it was logged.

        Raises:
            TrackingAwayError: if the MLflow store does not answer.
        """
        rows = [
            (*run.name, run.tags.get(Tag.KIND, ""), name, value, run.steps[name])
            for run in self._runs()
            for name, value in sorted(run.metrics.items())
        ]
        frame = pd.DataFrame(rows, columns=list(METRICS))
        kinds = {"value": "float64", "cycle": "int64"}
        return frame.astype(kinds | dict.fromkeys(METRICS[:4], "category"))

    def history(self, metric: str, symbol: str = "") -> pd.DataFrame:
        """Return one metric of every learner by cycle: a column a learner that has it.

        Args:
            metric: its name in MLflow, such as ``live/accuracy``.
            symbol: the market.

        Raises:
            TrackingAwayError: if the MLflow store does not answer.
        """
        market, reader = self._known(symbol), SessionReader(self.root)
        found = {
            run.name[1]: pd.Series(reader.history(run.run_id, metric, most=1_000_000), dtype=float)
            for run in self._runs()
            if run.name[0] == market and metric in run.metrics
        }
        return pd.DataFrame(found).rename_axis(index="cycle", columns="learner")

    def _known(self, symbol: str) -> str:
        if symbol and symbol not in self.symbols:
            raise ConfigError(f"symbol: got {symbol!r}; expected one of {', '.join(self.symbols)}")
        return symbol or self.symbols[0]

    def _ledger(self, symbol: str) -> LedgerContents:
        return read_ledger(self.folder, self._known(symbol))

    def _runs(self) -> list[RunRecord]:
        reader = SessionReader(self.root)
        own = reader.session_run(self.run_id)
        return [own, *reader.learner_runs(self.run_id), *reader.baseline_runs(self.run_id)]
