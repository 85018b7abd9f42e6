"""The glossary has every metric, and the document is made from it."""

from __future__ import annotations

import re
from pathlib import Path

from streaming.rings.counters import REJECTED
from trainers.engine.stream_metrics import stream_metrics
from trainers.names import STREAM, TUNE
from trainers.research.tuning.report import metrics_of
from trainers.scoring.interval import Estimate
from trainers.scoring.metrics import DIRECTION
from trainers.scoring.search.judgement import Against, Judgement
from ui.evidence.evidence_view import COLUMNS
from ui.server.assets import STATIC
from ui.views.glossary import TERMS, as_markdown, plain_name
from ui.views.glossary_page import glossary_page
from ui.views.glossary_words import WORDS
from ui.views.metric_cards import CARDS

ROOT = Path(__file__).parents[2]


def test_the_document_is_the_glossary() -> None:
    """Write it anew with ``python -c`` and ``as_markdown`` after a change."""
    assert (ROOT / "docs/glossary.md").read_text(encoding="utf-8") == as_markdown()


def test_every_stream_metric_and_score_has_its_term() -> None:
    from streaming.rings.counters import STATS
    from trainers.engine.events import CycleBegun

    rows = {"ticks": 1, "quotes": 1}
    begun = CycleBegun(1, rows, 1, rows, 0, 1, dict.fromkeys(STATS.names or (), 0.0), {})
    assert stream_metrics(begun, rows, 0, 0, 0).keys() <= TERMS.keys()
    assert {f"{STREAM}rejected_{reason}" for reason in REJECTED} <= TERMS.keys()
    assert {f"live/{name}" for name in DIRECTION} <= TERMS.keys()


def test_every_metric_of_a_search_has_its_term() -> None:
    against = Against("the default", Estimate(1.0, 0.5), 10, 0.1, 0.9)
    found = metrics_of(Judgement(1, 2, against, against, 0.5))
    of_trials = {f"{TUNE}{name}" for name in ("gain", "gain_ci", "played", "batch_gain")}
    asked = {plain_name(name) for name in found.keys() | of_trials}
    assert asked == {name for name in TERMS if name.startswith(TUNE)}


def test_every_term_is_a_sentence() -> None:
    for name, term in (TERMS | WORDS).items():
        assert term.meaning.endswith("."), name


def test_every_term_has_its_place_on_the_page_of_the_glossary() -> None:
    html = glossary_page()
    for name in TERMS | WORDS:
        assert html.count(f'<tr id="{name}">') == 1, name
    assert "`" not in html


def test_every_label_of_the_page_is_in_the_glossary() -> None:
    files = [*STATIC.glob("*.js"), *(STATIC / "parts").glob("*.html")]
    text = "".join(path.read_text("utf-8") for path in files)
    asked = set(re.findall(r'data-term="([^"]+)"', text))
    lines = [*(line for card in CARDS.values() for line in card.lines), *COLUMNS]
    asked |= {line.key if "/" in line.key else f"live/{line.key}" for line in lines}
    assert len(asked) > 30
    assert asked <= (TERMS | WORDS).keys()
