"""Optuna's plots of a search as files, and a table of its trials."""

from __future__ import annotations

import csv
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import optuna
from matplotlib import pyplot
from optuna.visualization import matplotlib as plots

from streaming.errors import reason_of
from streaming.program.console import say
from trainers.research.tuning.search.study import Tried

SIZE = (11, 6)  # inches


def draw(study: optuna.Study, folder: Path) -> list[Path]:
    """Draw a search; return the files.

    A plot that the trials do not allow, as importances of two trials, is said and left out.
    """
    mpl.use("Agg")  # there is no screen
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    found = []
    for name, plot in (
        ("parallel_coordinate", plots.plot_parallel_coordinate),
        ("importances", plots.plot_param_importances),
    ):
        path = folder / f"{name}.png"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that the plots are experimental
                figure = plot(study).get_figure(root=True)
                assert figure is not None  # for mypy
                figure.set_size_inches(SIZE)
                figure.tight_layout()
                figure.savefig(path)
            found.append(path)
        except (ValueError, RuntimeError) as e:
            say(f"{name}: cannot be drawn ({reason_of(e)})", error=True)
        finally:
            pyplot.close("all")
    return found


def write_table(tried: Sequence[Tried], path: Path) -> None:
    """Write a line for each trial."""
    names = list(tried[0].settings)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["trial", *names, "gain", "gain_ci", "played", "same_as"])
        for one in tried:
            gain = (None, None) if one.gain is None else one.gain
            row = [one.number, *(one.settings[name] for name in names)]
            table.writerow([*row, *gain, one.played.share, one.same_as])
