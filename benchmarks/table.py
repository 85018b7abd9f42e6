"""What a comparison comes to: rows of one table, on screen and as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil


class Row(NamedTuple):
    """One comparison; ``ratio`` is ours / against.

    Attributes:
        what: what is compared.
        ours: measured with this project, in ``unit``; None if it was not measured.
        against: measured with the peer, or a given limit, in ``unit``.
        unit: of both.
        sign: ``>=`` or ``<=``.
        wanted: bound on the ratio.
        peer: what the other side is.
        note: why a row was not measured, or what to know about it.
    """

    what: str
    ours: float | None
    against: float | None
    unit: str
    sign: str
    wanted: float
    peer: str
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Return ours / against."""
        if self.ours is None or not self.against:
            return None
        return self.ours / self.against

    @property
    def ok(self) -> bool | None:
        """Tell whether the ratio is as wanted; None if it was not measured."""
        if self.ratio is None:
            return None
        return self.ratio >= self.wanted if self.sign == ">=" else self.ratio <= self.wanted


HEAD = ("what", "ours", "against", "ratio", "wanted", "ok?", "peer and notes")


def render(rows: Sequence[Row]) -> str:
    """Return the rows as text."""
    cells = [HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(HEAD) - 1)]
    lines = []
    for line in cells:
        fixed = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        lines.append("  ".join([*fixed, line[-1]]).rstrip())
    return "\n".join(lines)


def save(rows: Sequence[Row], path: Path) -> None:
    """Write the rows, and what they were measured on, as JSON."""
    machine = {
        "cpus": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_average": psutil.getloadavg(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }
    found = [{**row._asdict(), "ratio": row.ratio, "ok": row.ok} for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"machine": machine, "rows": found}, indent=1), encoding="utf-8")


def _cells(row: Row) -> tuple[str, ...]:
    ok = {True: "yes", False: "NO", None: "-"}[row.ok]
    ratio = "-" if row.ratio is None else _number(row.ratio)
    about = "; ".join(text for text in (row.peer, row.note) if text)
    return (
        row.what,
        "not measured" if row.ours is None else f"{_number(row.ours)} {row.unit}",
        "-" if row.against is None else f"{_number(row.against)} {row.unit}",
        ratio,
        f"{row.sign} {row.wanted:g}",
        ok,
        about,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
