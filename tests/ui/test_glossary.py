"""The glossary has every metric, and the document is made from it."""

from __future__ import annotations

from pathlib import Path

from streaming.counters import REJECTED
from trainers.engine.stream_metrics import stream_metrics
from trainers.names import STREAM
from trainers.scoring.metrics import DIRECTION
from ui.views.glossary import TERMS, as_markdown

ROOT = Path(__file__).parents[2]


def test_the_document_is_the_glossary() -> None:
    """Write it anew with ``python -c`` and ``as_markdown`` after a change."""
    assert (ROOT / "docs/glossary.md").read_text(encoding="utf-8") == as_markdown()


def test_every_stream_metric_and_score_has_its_term() -> None:
    from streaming.counters import STATS
    from trainers.engine.events import CycleBegun

    rows = {"ticks": 1, "quotes": 1}
    begun = CycleBegun(1, rows, 1, rows, 0, 1, dict.fromkeys(STATS.names or (), 0.0), {})
    assert stream_metrics(begun, rows, 0, 0, 0).keys() <= TERMS.keys()
    assert {f"{STREAM}rejected_{reason}" for reason in REJECTED} <= TERMS.keys()
    assert {f"live/{name}" for name in DIRECTION} <= TERMS.keys()


def test_every_term_is_a_sentence() -> None:
    for name, term in TERMS.items():
        assert term.meaning.endswith("."), name
