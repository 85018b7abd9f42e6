"""Exports a session for other tools; running, ended or a backtest.

    python -m tickloop.export --session RUN_ID --to parquet|tensorboard

A running session is exported as it is now. The folder is there as a whole or not at all.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from streaming.errors import ConfigError
from streaming.program import interrupt
from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.whole_file import write_whole
from tickloop.export.parquet import tables, write_table
from tickloop.export.tensorboard import check_installed, write_runs
from tickloop.runs import runs_of
from trainers.config import SessionConfig
from trainers.config.export import TENSORBOARD, ExportConfig
from trainers.recording.files import CONFIG, check_format
from trainers.replay.runs import known_session, record_folder
from trainers.session.preflight import check_folder
from trainers.tracking.reader import SessionReader, TrackingAwayError
from trainers.tracking.store import STORE_ERRORS, before_the_start, begin_process
from trainers.tracking.stores.client import MlflowClient

MADE_OF = "session.txt"  # the file of an export that has its session's run id
FOLDER = "exports"


def export(given: ExportConfig, root: Path) -> Path:
    """Export a session of the project at ``root``; return the folder that was written.

    Raises:
        ConfigError: if a setting, the session or the folder is unusable.
        RecordError, TapeError: if the record lacks something or was changed.
        TrackingAwayError: if the MLflow store does not answer.
    """
    if given.to == TENSORBOARD:
        check_installed()
    with before_the_start():
        reader = SessionReader(root)
        reader.sessions(1)  # raises if there is no store: a client would make one
        client = MlflowClient(reader.uri)
        session = known_session(client, given.session)
        folder = Path(given.folder) if given.folder else root / FOLDER / session / given.to
        _check_free(folder, session)
        check_folder(folder.parent)
    with contextlib.ExitStack() as stack:
        new = stack.enter_context(_replacing(folder))
        if given.to == TENSORBOARD:
            for name, values in write_runs(new, reader, runs_of(reader, session)):
                say(f"  {name}: {values:,} values")
        else:
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tickloop-export-")))
            record = record_folder(client, root, session, copy)
            check_format(record)
            config = SessionConfig.load(record / CONFIG)
            for name, frames in tables(record, config, reader, runs_of(reader, session)):
                say(f"  {name}.parquet: {write_table(new / f'{name}.parquet', frames):,} rows")
        write_whole(new / MADE_OF, f"{session}\n".encode())
    return folder


def _check_free(folder: Path, session: str) -> None:
    """Check that a folder may be written: it is new, empty, or an export of the same session."""
    made_of = folder / MADE_OF
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if made_of.exists() and made_of.read_text().strip() == session:
        return
    raise ConfigError(
        f"folder: got {folder}; expected a new folder, an empty one, or one with an earlier export"
        f" of session {session}"
    )


@contextlib.contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """Give a new folder, which takes the place of ``folder`` once all is in it."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as temporary:
        new = Path(temporary) / "new"
        new.mkdir()
        yield new
        if folder.exists():
            folder.rename(Path(temporary) / "old")
        shutil.move(new, folder)


@entry_point("export", outside=(*STORE_ERRORS, TrackingAwayError), codes={TrackingAwayError: 2})
def main() -> None:
    """Run an export from the command line."""
    given = ExportConfig.from_args()
    begin_process("export")
    interrupt.install()
    folder = export(given, Path.cwd())
    say(f"exported to {folder}")
    if given.to == TENSORBOARD:
        say(f"look at it with: tensorboard --logdir {folder}")


if __name__ == "__main__":
    main()
