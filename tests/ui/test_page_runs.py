"""Runs and models: what MLflow holds, two runs side by side, and what was decided about models."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.ui.mlflow_runs import PARITY
from tests.ui.page_world import Page, World
from trainers.names import Tag

OpenTab = Callable[..., Tab]


@pytest.fixture
def runs(tab: Tab) -> Iterator[Tab]:
    tab.get_by_role("tab", name="Runs and models").click()
    expect(tab.locator("#runs tr").first).to_be_visible()
    yield tab
    tab.get_by_role("tab", name="Live").click()


def choose(tab: Tab, *runs: str) -> None:
    """Tick these runs and no others."""
    tab.get_by_role("button", name="Clear").click()
    for run in runs:
        tab.locator("#runs tr", has=tab.locator(f'a[href*="{run}"]')).get_by_role(
            "checkbox"
        ).check()


def test_sessions_are_listed_newest_first_with_their_learners(busy: World, runs: Tab) -> None:
    expect(runs.locator("#runs tr")).to_have_count(6)
    rows = [text.split("\t") for text in runs.locator("#runs tr").all_inner_texts()]
    assert [row[1] for row in rows[:4]] == ["session", "learner", "champion", "learner"]
    assert rows[1][0] == "cnn BTCUSDT"
    assert rows[1][4] == "54.2 % ± 3.6 %"
    assert PARITY in rows[0][8]
    assert rows[4][1] == "session"
    assert "ran 15.5 min" in rows[4][8]
    assert "not replayed" in rows[4][8]


def test_every_run_leads_to_mlflow_s_own_page(busy: World, runs: Tab) -> None:
    links = runs.locator("#runs a").evaluate_all("(links) => links.map((a) => a.href)")
    for run in (busy.runs["cnn"], busy.earlier["session"]):
        view = rf"http://127.0.0.1:5000/#/experiments/\d+/runs/{run}\?workflowType=machine_learning"
        assert [link for link in links if re.fullmatch(view, link)], "opens the training view"
    assert set(runs.locator("#runs a").evaluate_all("(l) => l.map((a) => a.rel)")) == {"noopener"}


def test_a_learner_is_shown_beside_itself_in_the_session_before_until_others_are_chosen(
    busy: World, page: Page, open_tab: OpenTab
) -> None:
    tab = open_tab(page.address + "#BTCUSDT/runs")
    expect(tab.locator("#compare-rows tr")).to_have_count(2)
    compared = tab.evaluate("[...Tickloop.connection.runs.compare.chosen]")
    assert compared == [busy.runs["cnn"], busy.earlier["cnn"]]
    expect(tab.locator("#compare-head")).to_contain_text("seed")


def test_two_runs_side_by_side(busy: World, runs: Tab) -> None:
    choose(runs, busy.runs["cnn"], busy.earlier["cnn"])
    expect(runs.locator("#compare-head")).to_have_text(re.compile(r"run\s*Accuracy, share\s*seed"))
    expect(runs.locator("#compare-rows td")).to_have_text(["0.55", "1", "0.542", "0"])
    expect(runs.locator("#compare-params")).to_have_text("Parameters that differ (3 are the same)")
    chart = "Tickloop.connection.runs.compare.chart.lines"
    runs.wait_for_function(f"{chart}.size === 2")
    assert runs.evaluate(f"[...{chart}.values()].map((l) => l.series.data().length)") == [24, 30]
    expect(runs.get_by_label("Metric")).to_have_value("live/accuracy")
    runs.get_by_label("Metric").select_option("live/scored")
    expect(runs.locator("#compare-rows td")).to_have_text(["900", "1", "720", "0"])


def test_compared_runs_are_followed_as_they_go_on(
    changing: World, changing_page: Page, open_tab: OpenTab
) -> None:
    tab = open_tab(changing_page.address + "#BTCUSDT/runs")
    expect(tab.locator("#compare-rows tr")).to_have_count(2)
    tab.get_by_label("Metric").select_option("live/trades")
    changing.log(changing.runs["cnn"], 25, live__trades=4321.0)
    expect(tab.locator("#compare-rows")).to_contain_text("4321")
    expect(tab.get_by_label("Metric")).to_have_value("live/trades")
    expect(tab.locator("#compare-head [data-term='live/trades']")).to_have_text("Trades")
    expect(tab.get_by_label("Metric")).to_have_attribute("title", "live/trades")


def test_runs_without_a_common_metric_can_be_compared(busy: World, runs: Tab) -> None:
    choose(runs, busy.run_id, busy.runs["dqn"])
    expect(runs.locator("#compare-params")).to_have_text("All 4 parameters are the same")
    expect(runs.locator("#compare-rows")).to_contain_text("not logged")


def test_all_runs_that_a_filter_leaves_are_compared_in_one_chart(runs: Tab) -> None:
    runs.get_by_role("button", name="Clear").click()
    expect(runs.locator("#compare-chart ~ .empty, .empty:has(~ #compare-chart)")).to_be_visible()
    runs.get_by_label("Filter runs by a word").fill("learner btcusdt")
    expect(runs.locator("#runs tr:visible")).to_have_count(3)
    runs.get_by_role("button", name="Compare all shown").click()
    expect(runs.locator("#compare-rows tr")).to_have_count(3)
    expect(runs.locator("#compare-key")).to_have_text("3 runs")
    runs.get_by_label("Filter runs by a word").fill("")


def test_versions_have_their_aliases_and_audit_record(runs: Tab) -> None:
    model = runs.get_by_role("region", name="Model tickloop-btcusdt-cnn")
    texts = model.locator(".version").all_inner_texts()
    assert [text.split()[1] for text in texts] == ["3", "2", "1"]
    for text, alias in zip(texts, ("challenger", "champion", "previous"), strict=True):
        assert alias in text
    assert "promoted by evidence in cycle 20" in texts[1]
    assert "better than logistic (log E +3.21 against 3.00 needed" in texts[1]
    expect(model).to_contain_text("wait: not enough evidence yet")
    link = model.get_by_role("link", name="tickloop-btcusdt-cnn")
    assert (
        link.get_attribute("href")
        == "http://127.0.0.1:5000/#/models/tickloop-btcusdt-cnn?workflowType=machine_learning"
    )


def test_view_stays_over_a_reload(page: Page, open_tab: OpenTab, screenshots: Path) -> None:
    for scheme in ("light", "dark"):
        tab = open_tab(page.address + "#BTCUSDT/runs", color_scheme=scheme)
        expect(tab.locator("#runs tr").first).to_be_visible()
        expect(tab.locator("#view-live")).to_be_hidden()
        tab.screenshot(path=screenshots / f"runs_{scheme}.png", full_page=True)
        assert tab.faults == []


def test_learner_without_a_version_can_be_promoted(runs: Tab) -> None:
    model = runs.get_by_role("region", name="Model dqn")
    expect(model).to_contain_text("no model yet: Promote makes a version")
    model.get_by_role("button", name="Promote challenger of dqn").click()
    expect(runs.locator("#confirm")).to_contain_text("dqn as it is now, after cycle 24")
    runs.keyboard.press("Escape")
    back = model.get_by_role("button", name="Roll back champion of dqn")
    expect(back).to_have_attribute("title", "dqn has no champion")
    back.click(force=True)  # it says that it is disabled
    told = runs.locator("#view-runs .why-not")
    expect(told).to_have_text("Roll back champion: dqn has no champion")
    expect(told).to_be_visible()
    model.get_by_role("button", name="Promote challenger of dqn").click()
    expect(runs.locator("#confirm")).to_be_visible()
    expect(told).to_be_empty()
    runs.keyboard.press("Escape")


# Fill the scores of a run with long texts; return how far the last column, which stays on the
# screen, covers the one before it, px.
COVERED = """
(texts) => {
  const row = document.querySelector("#runs tr:not(.top)");
  texts.forEach((text, i) => row.children[4 + i].replaceWith(Tickloop.connection.runs.score(text)));
  const [about, link] = [...row.children].slice(-2).map((cell) => cell.getBoundingClientRect());
  return about.right - link.left;
}
"""


@pytest.mark.parametrize("width", [1440, 1024])
def test_nothing_of_a_run_is_covered(page: Page, open_tab: OpenTab, width: int) -> None:
    tab = open_tab(page.address + "#BTCUSDT/runs", viewport={"width": width, "height": 800})
    expect(tab.locator("#runs tr")).to_have_count(6)
    texts = [
        "100.0 % ± 10.0 %",
        "-0.1234 ± 0.1234",
        "n = 29: 37.9 % ± 17.3 %",
        "n = 29: -131.9 bp ± 93.9 bp",
    ]
    assert tab.evaluate(COVERED, texts) < 1


def test_metrics_to_compare_fit_a_phone(page: Page, open_tab: OpenTab) -> None:
    tab = open_tab(page.address + "#BTCUSDT/runs", viewport={"width": 390, "height": 844})
    expect(tab.locator("#compare-rows tr")).to_have_count(2)
    card = tab.get_by_role("region", name="Compare runs")
    right = "(node) => node.getBoundingClientRect().right"
    beyond = f"(card) => ({right})(card.querySelector('select')) - ({right})(card)"
    assert card.evaluate(beyond) < 0


def test_a_chart_without_lines_says_why(runs: Tab) -> None:
    empty = runs.locator(".empty:has(~ #compare-chart)")
    runs.get_by_role("button", name="Clear").click()
    expect(empty).to_have_text("no run is ticked")
    runs.route("**/live/compare?*", lambda route: None)  # it takes its time
    runs.locator("#runs").get_by_role("checkbox").nth(1).check()
    expect(empty).to_have_text("reading the runs …")
    runs.unroute("**/live/compare?*")


def test_a_fleet_has_a_table_of_its_shards_and_their_moves(busy: World, runs: Tab) -> None:
    expect(runs.locator("#fleet")).to_be_hidden()  # this session runs on one machine
    shard = {"shard": 1, "node": "77424bd1", "host": "10.0.0.7", "markets": "BTCUSDT, ETHUSDT",
             "epochs": "2, 2", "since": "2026-11-27 03:38:45 UTC"}  # fmt: skip
    moves = ["03:38:45 UTC  shard 1 of 2 runs on node 77424bd1 (10.0.0.7), was on 0a1b2c3d"]
    told = json.dumps({"shards": [shard], "moves": moves})
    busy.client.set_tag(busy.run_id, Tag.FLEET, told)
    try:
        cells = runs.locator("#fleet-shards td")
        expect(cells).to_have_text([str(value) for value in shard.values()])
        expect(runs.locator("#fleet-moves li")).to_have_text(moves)
    finally:
        busy.client.delete_tag(busy.run_id, Tag.FLEET)
    expect(runs.locator("#fleet")).to_be_hidden()
