"""What somebody who sees the page for the first time must find out, from the page alone.

Five tasks, by what is written on the page and by roles; each takes a few clicks.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from tests.ui.ledger_writer import EVERYBODY
from tests.ui.mlflow_runs import register, typical
from tests.ui.page_tab import THEMES
from tests.ui.page_world import Page, World
from trainers.names import Tag
from trainers.recording.ledger import read_ledger
from trainers.scoring.moves import moves_of
from trainers.scoring.profit.paper import paper_of
from trainers.scoring.scored import scored_of

OpenTab = Callable[..., Tab]
MODEL = "tickloop-btcusdt-cnn"


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A session that misses forecasts and loses money."""
    world = World(tmp_path_factory.mktemp("met"))
    world.runs = typical(world)
    for name in ("cnn", "dqn"):
        world.log(
            world.runs[name], 24, live__missed=87.0, live__missed_rate=0.124, live__drawdown=21.5,
            live__trades=64, live__pnl_bps=-131.9, live__pnl_bps_ci=93.9,
        )  # fmt: skip
    register(world, world.runs["cnn"])
    world.stream(ledger=EVERYBODY)
    yield world
    world.close()


@pytest.fixture(scope="module")
def met_page(met: World) -> Iterator[Page]:
    page = Page(met)
    yield page
    page.kill()


@pytest.fixture
def tab(met_page: Page, open_tab: OpenTab) -> Tab:
    return open_tab(met_page.address)


def test_which_market_and_which_source_is_this(tab: Tab) -> None:
    expect(tab).to_have_title(re.compile("BTCUSDT"))
    expect(tab.get_by_role("heading", level=1)).to_contain_text("BTCUSDT")
    for name in ("Live", "Trades", "Runs and models", "Evidence", "Alerts"):
        tab.get_by_role("tab", name=name).click()
        expect(tab.get_by_text("SIMULATED", exact=True)).to_be_visible()
    tab.get_by_role("tab", name="Live").click()
    expect(tab.get_by_text("paper only: no orders are sent")).to_be_visible()


def test_is_the_model_making_money_after_costs(tab: Tab) -> None:
    card = tab.get_by_role("region", name="CNN", exact=True)
    expect(card).to_contain_text(re.compile(r"Net P&L after costs\s*-131\.9 bp ± 93\.9 bp"))
    expect(card).to_contain_text("loses: the whole interval is below 0, 64 trades closed")
    money, accuracy = (
        card.get_by_text(text).bounding_box() for text in ("Net P&L", "accuracy (test")
    )
    assert money["y"] < accuracy["y"], "money stands first"


def test_how_many_forecasts_were_missed(tab: Tab) -> None:
    stream = tab.get_by_role("region", name="Stream", exact=True)
    missed = stream.get_by_text("⚠ 12.4 %")
    expect(missed).to_be_visible()
    amber = [int(THEMES[""]["warn"][i : i + 2], 16) for i in (1, 3, 5)]
    expect(missed).to_have_css("color", f"rgb({', '.join(map(str, amber))})")
    stream.get_by_text("Missed", exact=True).hover()
    expect(tab.get_by_role("dialog", name="What it means")).to_contain_text("came too late")


def test_promote_what_is_best_and_see_it_serve(met: World, tab: Tab) -> None:
    tab.get_by_role("tab", name="Runs and models").click()
    models = tab.get_by_role("region", name="Models", exact=True)
    models.get_by_role("button", name=f"Promote challenger of {MODEL}").click()
    dialog = tab.get_by_role("dialog", name="Promote cnn?")
    expect(dialog).to_contain_text("cnn as it is now, after cycle 24")
    expect(dialog).to_contain_text("a new version, champion")
    expect(dialog).to_contain_text("version 2, champion now")
    dialog.get_by_role("button", name="Promote").click()
    expect(models).to_contain_text(re.compile("Promote.*requested cnn.*operator"))

    began = time.time()
    answer = {"result": "applied", "value": "cnn", "cycle": 25, "ts": began}
    met.client.delete_tag(met.run_id, "control/promote")
    met.client.set_tag(met.run_id, "control_result/promote", json.dumps(answer))
    expect(models).to_contain_text("being made: cnn, taken in cycle 25")
    button = models.get_by_role("button", name=f"Promote challenger of {MODEL}")
    expect(button).to_have_attribute("aria-disabled", "true")

    _serve(met, began)
    expect(models).to_contain_text("applied cnn in cycle 25: version 4")
    version = models.get_by_text("version 4", exact=True).locator("..")
    expect(version).to_contain_text("champion")
    tab.get_by_role("tab", name="Live").click()
    expect(tab.get_by_role("region", name="CNN", exact=True)).to_contain_text("Champion: version 4")


CONTRADICTIONS = """
() => {
  window.contradicted = 0;
  const look = () => {
    const text = document.getElementById("view-runs").textContent;
    const model = document.querySelector('[aria-label="Model dqn"]')?.textContent ?? "";
    contradicted += /applied dqn/.test(text) && /no model yet/.test(model);
  };
  const all = { subtree: true, childList: true, characterData: true };
  new MutationObserver(look).observe(document.getElementById("view-runs"), all);
}
"""


def test_a_promotion_is_applied_only_where_its_model_is_listed(met: World, tab: Tab) -> None:
    tab.get_by_role("tab", name="Runs and models").click()
    models = tab.get_by_role("region", name="Models", exact=True)
    expect(models.get_by_role("region", name="Model dqn")).to_contain_text("no model yet")
    tab.evaluate(CONTRADICTIONS)
    began, model = time.time(), "tickloop-btcusdt-dqn"
    answer = {"result": "applied", "value": "dqn", "cycle": 26, "ts": began}
    met.client.set_tag(met.run_id, "control_result/promote", json.dumps(answer))
    expect(models).to_contain_text("being made: dqn, taken in cycle 26")
    met.client.create_registered_model(model)
    _serve(met, began, "dqn")
    expect(models).to_contain_text("applied dqn in cycle 26: version 1")
    expect(models.get_by_role("region", name=f"Model {model}")).to_contain_text("champion")
    assert tab.evaluate("contradicted") == 0


def _serve(met: World, ts: float, learner: str = "cnn") -> None:
    """Register the version and have it serve, as the trainer does."""
    run, model = met.runs[learner], f"tickloop-btcusdt-{learner}"
    made = met.client.create_model_version(model, f"runs:/{run}/model", run)
    audit = {"ts": ts, "action": "promote", "by": "hand", "session": met.run_id, "cycle": 25}
    met.client.set_model_version_tag(model, made.version, "audit.1", json.dumps(audit))
    met.client.set_registered_model_alias(model, "champion", made.version)
    met.tag(run, **{Tag.CHAMPION: str(made.version)})


def test_find_the_trade_that_lost_most(met: World, tab: Tab, screenshots: Path) -> None:
    names, outcomes, forecasts = read_ledger(met.folder, "BTCUSDT")
    worst = min(
        paper_of(scored_of(moves_of(outcomes), forecasts, names.index(name)), met.config.fee_bps)
        .profit_bps.min()
        for name in ("cnn", "dqn")
    )  # fmt: skip
    tab.get_by_role("tab", name="Trades").click()
    tab.get_by_role("columnheader", name="P&L, bp").get_by_role("button").click()
    first = tab.get_by_role("region", name="Trades", exact=True).locator("tbody tr").first
    expect(first).to_contain_text(f"{worst:+.1f}")
    expect(tab.get_by_role("columnheader", name="P&L, bp")).to_have_attribute(
        "aria-sort", "ascending"
    )
    tab.screenshot(path=screenshots / "trades_light.png", full_page=True)
    opened = first.get_by_role("rowheader").inner_text()
    first.get_by_role("button").click()
    expect(tab.get_by_role("tab", name="Live")).to_have_attribute("aria-selected", "true")
    times = "Tickloop.candles.chart.timeScale().getVisibleRange()"
    seconds = f"Date.parse('{opened.replace(' ', 'T')}Z') / 1000"
    tab.wait_for_function(f"(({{ from, to }}) => from <= {seconds} && {seconds} <= to)({times})")
