"""Draws docs/tapes.svg, the chart in docs/benchmarks.md, from the table beside it: no figure twice.

python -m benchmarks.chart
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

DOCS = Path(__file__).parents[1] / "docs"
CHART = DOCS / "tapes.svg"
ROW = re.compile(
    r"^\| (?P<tape>[^|*]+?)(?: \*)? \| [\d,]+ \|.*\| (?P<mean>[-+][\d.]+) ± (?P<error>[\d.]+) \|$",
    re.MULTILINE,
)
LEFT, RIGHT, TOP, STEP, WIDTH = 190, 30, 48, 22, 720
LOW, HIGH, TICK = -0.06, 0.04, 0.02  # nats, of the axis
GRID, TEXT, AHEAD, BEHIND, OPEN = "#d0d7de", "#1f2933", "#0a7a4b", "#c81e1e", "#5b6776"


class Difference(NamedTuple):
    """How far ahead a tape's forecasts are of the peers' mean.

    Attributes:
        tape: its name.
        mean: log-loss less the peers', nats a bar; below 0 we are ahead.
        error: the standard error of it.
    """

    tape: str
    mean: float
    error: float


def differences(markdown: str) -> list[Difference]:
    """Return the rows of the table of tapes, in its order."""
    rows = ROW.finditer(markdown)
    return [Difference(row["tape"], float(row["mean"]), float(row["error"])) for row in rows]


def chart(rows: Sequence[Difference]) -> str:
    """Return an SVG: a line a tape, its difference a dot in an interval of two standard errors."""
    height = TOP + STEP * len(rows) + 34
    grid = [_grid(LOW + i * TICK, height - 30) for i in range(round((HIGH - LOW) / TICK) + 1)]
    lines = [_line(row, TOP + STEP * i) for i, row in enumerate(rows)]
    title = "Log-loss less that of the peers, nats a bar, with two standard errors"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
            ' font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{title}</title>",
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            _text(LEFT, 18, title, "start", bold=True),
            _text(_x(0) - 8, TOP - 12, "we are ahead", "end", AHEAD),
            _text(_x(0) + 8, TOP - 12, "they are ahead", "start", BEHIND),
            *grid,
            *lines,
            "</svg>\n",
        ]
    )


def _x(value: float) -> float:
    return LEFT + (value - LOW) / (HIGH - LOW) * (WIDTH - LEFT - RIGHT)


def _grid(value: float, bottom: float) -> str:
    x, colour = _x(value), OPEN if abs(value) < TICK / 2 else GRID
    line = f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6}" y2="{bottom}" stroke="{colour}"/>'
    return line + _text(x, bottom + 18, f"{value:+.2f}" if round(value, 4) else "0", "middle")


def _line(row: Difference, y: float) -> str:
    ends = row.mean - 2 * row.error, row.mean + 2 * row.error
    colour = AHEAD if ends[1] < 0 else BEHIND if ends[0] > 0 else OPEN
    low, high = (_x(min(max(end, LOW), HIGH)) for end in ends)
    return (
        _text(LEFT - 10, y + 12, row.tape, "end")
        + f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y + 8}" y2="{y + 8}" stroke="{colour}"'
        f' stroke-width="2"/><circle cx="{_x(row.mean):.1f}" cy="{y + 8}" r="4" fill="{colour}"/>'
    )


def _text(
    x: float, y: float, text: str, anchor: str, colour: str = TEXT, *, bold: bool = False
) -> str:
    weight = ' font-weight="600"' if bold else ""
    where = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}"'
    return f'<text {where} fill="{colour}"{weight}>{escape(text)}</text>'


if __name__ == "__main__":
    CHART.write_text(chart(differences((DOCS / "benchmarks.md").read_text(encoding="utf-8"))))
