"""A search's folder, ``mlruns/studies/<run id>/``: what outlives a process that is killed.

    study.json           the settings, as they were given
    bars.json            hashes of the bars that are played, by market
    trials/000017.npz    a trial that was played: its settings and its scores

A trial's file is written whole, by the process that has played it; one that is there is not played
again.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datamodules.digest import digest
from streaming.bars import Bars
from streaming.errors import TickloopError, reason_of
from streaming.program.whole_file import write_whole
from trainers.recording.files import read_json
from trainers.research.tuning.search.trial import Played

STUDY = "study.json"
BARS = "bars.json"
TRIALS = "trials"
# What NumPy and the archive around its arrays raise on a file that was cut off or changed.
DAMAGED = (OSError, ValueError, TypeError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile,
           zlib.error)  # fmt: skip
BASELINE = "baseline."  # before the names of baselines in a trial's file


class StudyError(TickloopError):
    """What a search has kept does not fit what it would do now; the text says what to do."""

    exit_code = 2


def study_folder(root: Path, study: str) -> Path:
    """Return the folder of a search, given its MLflow run id."""
    return root / "mlruns" / "studies" / study


def check_bars(folder: Path, bars: Mapping[str, Bars]) -> None:
    """Check that the bars are those of the search's beginning; at its beginning, note them.

    Raises:
        StudyError: if they are not.
        RecordError: if the note is damaged.
    """
    hashes, path = {market: digest(rows) for market, rows in bars.items()}, folder / BARS
    if not path.exists():
        write_whole(path, json.dumps(hashes).encode())
        return
    noted = read_json(path, dict[str, str], "hashes of bars by market", "begin another search")
    if noted != hashes:
        raise StudyError(
            f"{path}: expected the bars of the search's beginning; the tape has others now;"
            " restore it, or begin another search"
        )


def keep_trial(folder: Path, number: int, settings: Mapping[str, Any], played: Played) -> None:
    """Write a trial's file."""
    data = io.BytesIO()
    baselines = {f"{BASELINE}{name}": scores for name, scores in played.baselines.items()}
    np.savez(data, allow_pickle=False, settings=np.array(json.dumps(settings)),
             share=np.array(played.share), scores=played.scores, **baselines)  # fmt: skip
    write_whole(trial_file(folder, number), data.getvalue())


def kept_trial(folder: Path, number: int, settings: Mapping[str, Any]) -> Played | None:
    """Return a trial that was played; None if it was not.

    Raises:
        StudyError: if it was played with other settings, or its file is damaged.
    """
    path = trial_file(folder, number)
    if not path.exists():
        return None
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            known = json.loads(str(kept["settings"]))
            names = [name for name in kept if name.startswith(BASELINE)]
            baselines = {name.removeprefix(BASELINE): kept[name] for name in names}
            played = Played(kept["scores"], baselines, float(kept["share"]))
    except DAMAGED as e:
        raise StudyError(f"{path}: damaged ({reason_of(e)}); delete it, it is played again") from e
    if known != json.loads(json.dumps(settings)):
        raise StudyError(
            f"{path}: expected the settings {json.dumps(settings)}, found {json.dumps(known)}: they"
            " were asked for by another version of Optuna; begin another search"
        )
    return played


def trial_file(folder: Path, number: int) -> Path:
    """Return the path of a trial's file."""
    return folder / TRIALS / f"{number:06d}.npz"
