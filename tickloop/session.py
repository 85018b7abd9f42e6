"""A recorded session, running or ended, as pandas frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from streaming.errors import ConfigError
from tickloop.accounts import equity_frame, trade_frame
from tickloop.frames import bar_frame, forecast_frame, quote_frame, tick_frame
from tickloop.pieces import bar_pieces, quote_pieces, tick_pieces
from tickloop.runs import RUN, metric_frame, newest, param_frame, runs_of
from trainers.config import SessionConfig, session_folder
from trainers.recording.files import CONFIG, check_format
from trainers.recording.ledger import LedgerContents, read_ledger
from trainers.tracking.reader import SessionReader


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
        """Return the final bars of a market: see ``frames.bar_frame``.

        Args:
            symbol: the market; the session's first by default, as everywhere here.

        Raises:
            ConfigError: if the session has no such market, as everywhere here.
        """
        pieces = bar_pieces(self.folder, self._known(symbol), self.config)
        return bar_frame(np.concatenate(list(pieces)))

    def ticks(self, symbol: str = "") -> pd.DataFrame:
        """Return the market's own trades, those of others: see ``frames.tick_frame``."""
        return tick_frame(np.concatenate(list(tick_pieces(self.folder, self._known(symbol)))))

    def quotes(self, symbol: str = "") -> pd.DataFrame:
        """Return the best bids and asks of a market: see ``frames.quote_frame``."""
        return quote_frame(np.concatenate(list(quote_pieces(self.folder, self._known(symbol)))))

    def forecasts(self, symbol: str = "") -> pd.DataFrame:
        """Return every forecast of every learner and its outcome: see ``frames.forecast_frame``."""
        return forecast_frame(self._ledger(symbol), self.config.target)

    def trades(self, symbol: str = "") -> pd.DataFrame:
        """Return the paper trades of every learner: see ``accounts.trade_frame``."""
        return trade_frame(self._ledger(symbol), self.config.fee_bps, self.config.target)

    def equity(self, symbol: str = "") -> pd.DataFrame:
        """Return the paper accounts of every learner: see ``accounts.equity_frame``."""
        return equity_frame(self._ledger(symbol), self.config.fee_bps, self.config.target)

    def metrics(self, *, every: bool = False) -> pd.DataFrame:
        """Return the metrics in MLflow of all runs: see ``runs.metric_frame``.

        Args:
            every: every value of each of them, not the newest alone.

        Raises:
            TrackingAwayError: if the MLflow store does not answer.
        """
        reader = SessionReader(self.root)
        frames = [
            metric_frame(run, reader.points(run.run_id)) if every else newest(run)
            for run in runs_of(reader, self.run_id)
        ]
        return pd.concat(frames, ignore_index=True).astype(
            dict.fromkeys((*RUN, "metric"), "category")
        )

    def params(self) -> pd.DataFrame:
        """Return the params in MLflow of all runs: see ``runs.param_frame``.

        Raises:
            TrackingAwayError: if the MLflow store does not answer.
        """
        frames = [param_frame(run) for run in runs_of(SessionReader(self.root), self.run_id)]
        return pd.concat(frames, ignore_index=True).astype(dict.fromkeys(RUN, "category"))

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
            run.name[1]: pd.Series({p.cycle: p.value for p in reader.points(run.run_id, metric)})
            for run in runs_of(reader, self.run_id)
            if run.name[0] == market and metric in run.metrics
        }
        return pd.DataFrame(found).rename_axis(index="cycle", columns="learner")

    def _known(self, symbol: str) -> str:
        if symbol and symbol not in self.symbols:
            raise ConfigError(f"symbol: got {symbol!r}; expected one of {', '.join(self.symbols)}")
        return symbol or self.symbols[0]

    def _ledger(self, symbol: str) -> LedgerContents:
        return read_ledger(self.folder, self._known(symbol))
