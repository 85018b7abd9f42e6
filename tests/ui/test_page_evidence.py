"""The evidence tab, as a person reads it: MLflow's numbers and what the ledger adds to them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.ui.ledger_writer import AGENTS, BASELINES
from tests.ui.page_tab import LOW_CONTRAST
from tests.ui.page_world import Page

OpenTab = Callable[..., Tab]


@pytest.fixture
def shown(tab: Tab) -> Iterator[Tab]:
    tab.get_by_role("tab", name="Evidence").click()
    expect(tab.locator("#scores tbody tr")).to_have_count(4 + len(BASELINES))
    yield tab
    tab.get_by_role("tab", name="Live").click()


def cells(tab: Tab, name: str) -> list[str]:
    row = tab.locator("#scores tbody tr").filter(has=tab.get_by_role("rowheader", name=name))
    return row.locator("td").all_inner_texts()


def test_learner_s_scores_are_mlflow_s_over_the_windows_that_differ(shown: Tab) -> None:
    """The session is 16 minutes old: an hour would hold the same rows."""
    assert shown.locator("#scores thead tr").nth(1).inner_text().split("\t") == [
        "10 min", "session",
    ] * 4  # fmt: skip
    assert cells(shown, re.compile("^cnn$")) == [
        "720",
        *("-4.2", "n = 14: -12.4 ± 9.1"),
        *("55.1 ± 4.1", "54.2 ± 3.6"),
        *("0.6859", "0.6871 ± 0.0040"),
        *("+0.0051 ± 0.0093", "+0.0042 ± 0.0112"),
    ]


def test_baselines_have_windows_from_the_ledger(shown: Tab) -> None:
    accuracy = re.compile(r"\d\d\.\d ± \d+\.\d")
    for name in set(BASELINES) - AGENTS:
        row = cells(shown, re.compile(f"^{name}"))
        assert accuracy.fullmatch(row[3]), (name, row)
        assert row[7:9] == ["—"] * 2, "a baseline has no edge over itself"
    for name in AGENTS & set(BASELINES):
        row = cells(shown, re.compile(f"^{name}"))
        assert row[3:7] == ["—"] * 4
        assert re.match(r"[-+]\d", row[1]), (name, row)


def test_the_leaderboard_ranks_forecasters_and_no_agent_champion_or_control(shown: Tab) -> None:
    rows = shown.locator("#board tbody tr")
    ranked = {"cnn", *BASELINES} - AGENTS - {"permuted_labels"}
    expect(rows).to_have_count(len(ranked))
    assert set(rows.get_by_role("rowheader").all_inner_texts()) == ranked
    texts = [row.locator("td").all_inner_texts() for row in rows.all()]
    assert [row[0] for row in texts] == [str(place) for place in range(1, len(ranked) + 1)]
    assert texts[0][4] == "the first"
    assert all(re.fullmatch(r"0\.\d{4} ± 0\.\d{4}", row[4]) for row in texts[1:])
    scores = [float(row[3]) for row in texts]
    assert scores == sorted(scores)
    assert {row[5] for row in texts} <= {"nobody yet", *ranked}
    (majority,) = (row for row in texts if row[5] != "nobody yet" or row[0] == "1")
    assert majority[1].startswith("1"), "what the others draw is noise around what it says"


def test_edge_and_its_interval_over_cycles(shown: Tab) -> None:
    lines = "Tickloop.connection.evidence.edgeChart.lines"
    keys = set(shown.evaluate(f"[...{lines}.keys()]"))
    assert {"cnn", "cnn above", "cnn below", "cnn.champion"} <= keys
    shown.wait_for_function(f"{lines}.get('cnn above').series.data().length === 24")
    expect(shown.locator("#edges-key")).to_have_text("cnncnn.champion")


def test_bets_against_their_threshold(shown: Tab) -> None:
    lines = "Tickloop.connection.evidence.betChart.lines"
    shown.wait_for_function(f"{lines}.get('cnn').series.data().at(-1).value === 1.84")
    shown.wait_for_function(f"{lines}.get('cnn needed').series.data().at(-1).value === 3")
    expect(shown.locator("#verdicts")).to_contain_text("cnn: wait: not enough evidence yet")
    expect(shown.locator("#verdicts")).to_contain_text("dqn: not known yet")


def test_calibration_has_a_dot_a_bin_with_its_bars(shown: Tab) -> None:
    expect(shown.locator("#curves circle")).to_have_count(20)  # ten each of CNN and champion
    expect(shown.locator("#curves circle title").first).to_have_text(
        re.compile(r"predicted \d\d\.\d %, observed \d\d\.\d %, \d+ bars")
    )


def test_break_even_shows_needed_reached_and_what_costs_take(shown: Tab) -> None:
    panel = shown.get_by_role("region", name="Break-even of cnn", exact=True)
    expect(panel).to_contain_text(re.compile(r"accuracy needed\s*61\.8 %"))
    expect(panel).to_contain_text(re.compile(r"accuracy reached\s*54\.2 % ± 3\.6 %"))
    expect(panel).to_contain_text("does not pay: the whole interval is below 0")
    expect(panel).to_contain_text("would not pay: the whole interval is below the accuracy needed")
    money = [panel.locator(f'[data-k="p.cnn.{times}"]') for times in range(3)]
    for each in money:
        expect(each).to_have_class("few no-number")  # 14 trades: too few to be bold
    found = panel.locator('b[data-k^="p.cnn."].few').all_inner_texts()  # at one time: they move
    texts = [text.removeprefix("n = 14: ").split(" bp")[0] for text in found]
    free, once, twice = (float(text.replace(",", "")) for text in texts)
    assert free > once > twice
    expect(panel.locator("rect")).to_have_count(3)
    agent = shown.get_by_role("region", name="Break-even of dqn")
    expect(agent).to_contain_text("an agent: it gives no probability")
    expect(agent).to_contain_text(re.compile("does not pay|open: the interval"))


def test_break_even_has_a_figure_once_there_was_a_trade(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address + "#BTCUSDT/evidence")
    bars = tab.get_by_role("region", name="Break-even of dqn").locator(".bars")
    expect(bars.locator("rect")).to_have_count(3)
    put = "(rows) => Tickloop.connection.evidence.setCosts({ dqn: rows })"
    show = "document.querySelector('#pays .bars[data-of=dqn]').querySelectorAll('rect').length"
    for rows, figures in (([[0, None]] * 3, 0), ([[2, 1], [1, 1], [0, 1]], 3)):
        assert tab.evaluate(f"(rows) => {{ ({put})(rows); return {show}; }}", rows) == figures


def test_permuted_label_control_is_at_chance(shown: Tab) -> None:
    control = shown.get_by_role("region", name="Permuted-label control")
    expect(control.locator(".chip")).to_have_text("AT CHANCE")
    expect(control).to_contain_text(re.compile(r"the alarm is at 6\.91\. [\d,]+ bars judged"))


def test_charts_of_a_view_that_was_hidden_fill_it(shown: Tab) -> None:
    shown.wait_for_function(
        "(() => { const r = Tickloop.connection.evidence.edgeChart.chart.timeScale()"
        ".getVisibleLogicalRange(); return r.to - r.from < 40; })()"
    )


def test_screenshots_of_the_view(page: Page, open_tab: OpenTab, screenshots: Path) -> None:
    for scheme in ("light", "dark"):
        tab = open_tab(page.address + "#BTCUSDT/evidence", color_scheme=scheme)
        expect(tab.locator("#curves circle").first).to_be_visible()
        tab.screenshot(path=screenshots / f"evidence_{scheme}.png", full_page=True)
        expect(tab.locator("#board tbody tr").first).to_be_visible()
        expect(tab.locator("#horizons tbody tr").first).to_be_visible()
        assert tab.evaluate(LOW_CONTRAST) == []
        assert tab.faults == []


def test_a_line_a_horizon_says_what_a_forecast_would_need_and_what_is_reached(shown: Tab) -> None:
    rows = shown.locator("#horizons tbody tr")
    expect(rows).to_have_count(2)
    assert [row.split("\t") for row in rows.all_inner_texts()] == [
        [
            "1",
            "0.41 ± 0.02",
            "over 100 %: a move costs more than it is worth",
            "cnn 54.2 % ± 3.6 %, cnn.champion 53.6 %",
        ],
        ["60", "3.20", "81.2 % ± 3.0 %", "not forecast"],
    ]
