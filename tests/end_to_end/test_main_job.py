"""From a market to MLflow and the page: every part real, in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pandas as pd
import pytest
from gradio_client import Client
from playwright.sync_api import sync_playwright
from websockets import ConnectionClosed

from benchmarks.processes import plain_environment, words_of
from streaming.cache import bar_ring, tick_cache
from streaming.tape import segments
from streaming.ticks import NS_PER_S
from streaming.venues.registry import TAKER_FEES_BPS
from tests.end_to_end.main_job import (
    PATIENCE,
    ROOT,
    MainJob,
    answers,
    apart,
    market_ticks,
    page_of_the_last,
    wait_for,
    write_tape,
)
from tests.ports import free_port
from tests.streaming.venue_server import VenueServer
from tests.trainers.whole import scores_of
from tests.ui.conftest import CHROMIUM, FLAGS
from tickloop.export.__main__ import export
from trainers.config.export import ExportConfig
from trainers.engine.forecasting import HASHED_BARS
from trainers.learners.registry import BASELINES
from trainers.recording.ledger import read_ledger
from trainers.scoring.ledger import MISSED
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import scored_of
from ui.views.glossary import TERMS, plain_name

SECONDS = 300


@pytest.fixture(scope="module")
def market():
    return market_ticks(SECONDS)


def test_a_tape_is_played_learned_from_and_shown(tmp_path, market):
    """The session ends with its tape, and a page of its own shows it afterwards."""
    tape = write_tape(tmp_path / "recorded", market)
    with MainJob(tmp_path, source=f"tape:{tape}", speed=50) as job:
        folder, out = job.session_folder(), job.finish(3 * PATIENCE)
    assert job.process.returncode == 0, out
    told = re.search(
        r"^the stream is over: BTCUSDT (\d+) cycles, ([\d,]+) ticks", out, re.MULTILINE
    )
    assert told, out
    assert (int(told[1]), told[2]) == (job.cycles(), f"{len(market):,}")
    # Every trade of the tape, once, in order, unchanged.
    kept = tick_cache(folder, "BTCUSDT").read().rows
    for name in ("id", "ts_event", "price", "size", "side"):
        np.testing.assert_array_equal(kept[name], market[name])
    assert sum(stop - first for first, stop, _ in segments(folder / "tape", "BTCUSDT")) == len(kept)
    # The last cycle has learned from all of its bars, and the first not before its time.
    runs = job.runs()
    known = bar_ring(folder, "BTCUSDT").read().rows["final_seq"][-1]
    assert runs["session"].data.metrics["stream/ticks"] == known
    assert job.cycles() >= SECONDS / 30
    assert runs["cnn"].data.metrics["train/accuracy"] > 0
    assert runs["dqn"].data.metrics["train/memory_size"] > 100
    check_runs(runs)
    check_rows(folder)
    newest = bar_ring(folder, "BTCUSDT").tail(1).rows["ts_open"]
    assert read_ledger(folder, "BTCUSDT").outcomes["bar"][-1] == newest
    check_scores(folder, runs)
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert re.fullmatch(
        r"identical: \d+ cycles, [\d,]+ metrics", runs["session"].data.tags["parity"]
    )
    named = {plain_name(name) for run in runs.values() for name in run.data.metrics}
    assert named <= TERMS.keys()
    check_notebook(tmp_path, runs)
    check_export(tmp_path, folder, runs)
    check_page(tmp_path, market, runs["cnn"].data.metrics["live/accuracy"])


def check_notebook(folder, runs):
    """The notebook of docs/ runs in the project's folder, and finds MLflow's numbers."""
    space = {}
    with contextlib.chdir(folder):
        for cell in json.loads((ROOT / "docs/session.ipynb").read_text())["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), space)
    newest = space["equity"].iloc[-1]
    assert newest["cnn"] == pytest.approx(runs["cnn"].data.metrics["live/pnl_bps"])
    assert len(space["bars"]) >= SECONDS - 1
    made = space["forecasts"].query("learner == 'cnn'")
    missed = runs["cnn"].data.metrics["live/missed"]
    assert (made["status"] == "missed").sum() == missed
    right = space["right"].groupby(space["scored"]["learner"], observed=True).mean()
    assert right["cnn"] == pytest.approx(runs["cnn"].data.metrics["live/accuracy"])


def check_export(root, folder, runs):
    """The Parquet files have the record's ledger and MLflow's values, those of no replay."""
    made = export(ExportConfig(), root)
    names, _, forecasts = read_ledger(folder, "BTCUSDT")
    ledger = pd.read_parquet(made / "ledger.parquet")
    assert ledger["learner"].tolist() == [names[i] for i in forecasts["learner"]]
    np.testing.assert_array_equal(ledger["probability"], forecasts["probability"])
    bars = pd.read_parquet(made / "bars.parquet")
    np.testing.assert_array_equal(bars["close"], bar_ring(folder, "BTCUSDT").read().rows["close"])
    metrics = pd.read_parquet(made / "metrics.parquet").set_index(["learner", "metric", "cycle"])
    for name, run in runs.items():
        newest = metrics.loc["" if name == "session" else name]["value"].groupby("metric").last()
        assert newest.to_dict() == pytest.approx(dict(run.data.metrics), nan_ok=True, abs=0, rel=0)


def check_page(folder, market, live):
    """The page and its API show the session as it ended."""
    port = free_port()
    with page_of_the_last(folder, port) as page:
        api = Client(f"http://127.0.0.1:{port}", verbose=False, httpx_kwargs={"timeout": 60})
        ticks = api.predict(api_name="/get_tick_cache_for_training")
        assert [tick["trade_id"] for tick in ticks] == market["id"].tolist()
        bars = api.predict(api_name="/get_one_second_bars")
        status = api.predict(api_name="/training_status")
        assert status["learners"]["BTCUSDT"]["cnn"]["metrics"]["live/accuracy"] == live
        text = apart(read_page, port)
        assert f"{100 * live:.1f} %" in text
        assert f"{bars[-1]['close']:,.2f}" in text
        assert f"{len(market):,}" in text
        page.send_signal(signal.SIGINT)
        assert page.wait(PATIENCE) == 0


def check_runs(runs):
    """Every learner and baseline has its run, with the scores that are logged of it."""
    kinds = {name: run.data.tags["kind"] for name, run in runs.items()}
    baselines = dict.fromkeys(BASELINES, "baseline")
    assert len(baselines) == 8
    champions = {"cnn.champion": "champion", "dqn.champion": "champion"}
    learners = {"cnn": "learner", "dqn": "learner"}
    assert kinds == {"session": "session", **learners, **champions, **baselines}
    wanted = {"live/edge", "live/log_loss", "live/1h/accuracy", "live/accuracy_ci"}
    assert wanted <= runs["cnn"].data.metrics.keys()
    assert {"live/accuracy", "live/log_loss"} <= runs["majority"].data.metrics.keys()
    assert "live/pnl_bps" in runs["buy_and_hold"].data.metrics


def check_rows(folder):
    """Every row was made of no later bar than its own, or says that it was missed."""
    names, outcomes, forecasts = read_ledger(folder, "BTCUSDT")
    assert names == ["cnn", "dqn", "cnn.champion", "dqn.champion", *BASELINES]
    bars, ticks = bar_ring(folder, "BTCUSDT").read().rows, tick_cache(folder, "BTCUSDT").read().rows
    at = {int(bar): i for i, bar in enumerate(bars["ts_open"])}
    assert forecasts["bar"].tolist() == np.repeat(outcomes["bar"], len(names)).tolist()
    assert (np.diff(outcomes["bar"]) == NS_PER_S).all()
    spoken = forecasts[forecasts["status"] != MISSED]
    assert len(spoken) > 20
    for row in spoken:
        i = at[int(row["bar"])]
        seen = bars[max(0, i + 1 - HASHED_BARS) : i + 1].tobytes()
        digest = hashlib.blake2b(seen, digest_size=8).digest()
        assert int(row["inputs"]) == int.from_bytes(digest, "little")
        if i + 1 < len(bars):  # by the clock too, but for how long the feed gathers ticks
            known, label = ticks["ts_init"][bars["final_seq"][i : i + 2] - 1].tolist()
            assert 0 <= row["latency_us"] * 1000 < label - known + NS_PER_S


def check_scores(folder, runs):
    """What is in MLflow is what the files say."""
    names, outcomes, forecasts = read_ledger(folder, "BTCUSDT")
    moves = moves_of(outcomes)
    for i, name in enumerate(names):
        metrics = runs[name].data.metrics
        wanted = scores_of(scored_of(moves, forecasts, i), fee_bps=TAKER_FEES_BPS["tape"])
        live = {key: metrics[key] for key in wanted if key in metrics}
        assert live
        assert live == {key: wanted[key] for key in live}
        if name in ("cnn", "dqn"):
            assert live.keys() == wanted.keys()
    check_sums(runs)


def check_sums(runs):
    """The session's run has the sums over its learners, as of its last cycle."""
    found, learners = (runs["session"].data.metrics,
                       [runs[name].data.metrics for name in ("cnn", "dqn")])  # fmt: skip
    assert found["live/pnl_bps"] == learners[1]["live/pnl_bps"]  # the agent's
    for name in ("live/missed", "live/scored", "live/trades"):
        assert found[name] == sum(metrics.get(name, 0.0) for metrics in learners)
    assert (found["live/markets"], found["live/markets_failing"]) == (1, 0)
    rates = [metrics["live/missed_rate"] for metrics in learners]
    assert found["live/missed_rate"] == pytest.approx(sum(rates) / 2)
    assert json.loads(runs["session"].data.tags["markets"]).keys() <= {"live", "ended"}


def read_page(port):
    """Return all a person can read on the page, once its numbers are there."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{port}")
            tab.locator("body.tl-ready").wait_for(timeout=60_000)
            tab.locator('[data-k="cnn.live/accuracy"]', has_text="%").wait_for(timeout=60_000)
            tab.locator("canvas").first.wait_for()
            return tab.inner_text("body")
        finally:
            browser.close()


class Venue(threading.Thread):
    """The tests' own venue, in a thread: plays on as long as somebody follows."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.addresses: dict[str, str] = {}
        self.sent = 0
        self.ended = threading.Event()

    def run(self) -> None:
        asyncio.run(self._play())

    async def _play(self) -> None:
        async with VenueServer(["BTCUSDT"]) as venue:
            self.addresses = {"venue_ws": venue.ws, "venue_rest": venue.rest}
            while not self.ended.is_set():
                if venue.followers:
                    with contextlib.suppress(ConnectionClosed):  # the session has ended
                        await venue.trade("BTCUSDT", 15)  # 0.6 s of market time
                    self.sent = venue.next_id["BTCUSDT"] - 1
                await asyncio.sleep(0.05)


def test_any_server_of_binances_format_will_do(tmp_path):
    venue = Venue()
    venue.start()
    wait_for(lambda: venue.addresses, "the venue")
    with MainJob(tmp_path, source="binance", learners="cnn", **venue.addresses) as job:
        # Without history the CNN learns first in the fourth, and is scored in the next.
        wait_for(lambda: job.cycles() >= 5, "five cycles")
        out, alive = job.interrupt()
        venue.ended.set()
        assert (job.process.returncode, alive) == (0, []), out
        check_end_by_hand(job, out)
    metrics = job.runs()["session"].data.metrics
    assert metrics["stream/gaps"] == metrics["stream/rejected"] == 0
    assert "train/accuracy" in job.runs()["cnn"].data.metrics
    ids = tick_cache(job.session_folder(), "BTCUSDT").read().rows["id"]
    assert ids[-1] <= venue.sent
    np.testing.assert_array_equal(np.diff(ids), 1)


def check_end_by_hand(job, out):
    """It is said what came of it; its models are registered right after, as those of its venue."""
    runs, session = job.runs(), job.session_folder()
    when = rf"^session    stopped at [\d:]+ UTC after {job.cycles()} cycles in .* s$"
    assert re.search(when, out, re.MULTILINE), out
    assert re.search(r"^ +cnn BTCUSDT: net P&L .*, \d+ forecasts? scored$", out, re.MULTILINE), out
    assert f'go on      make ARGS="--resume {session.name}"' in out
    assert "models     cnn: being registered in the background" in out
    for name in ("session", "cnn"):
        assert runs[name].data.tags["state"] == "stopped"

    def registered():
        text = (session / "registered.log").read_text()
        return text if "egistered" in text else ""

    assert "registered cnn BTCUSDT version 1" in wait_for(registered, "the CNN's version")
    found = job.client.get_model_version_by_alias("tickloop-binance-btcusdt-cnn", "challenger")
    assert (found.run_id, found.tags["source"]) == (runs["cnn"].info.run_id, "binance")


def test_mlflow_run_of_the_default_market_trains_registers_and_ends(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for name in ("streaming", "datamodules", "trainers", "ui", "MLproject", "conda.yaml"):
        (project / name).symlink_to(ROOT / name)
    parameters = {"cycles": 2, "speed": 20, "parity": "false", "page_port": 0, "mlflow_ui_port": 0}
    words = [word for name, value in parameters.items() for word in ("-P", f"{name}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", "run", ".", "--env-manager", "local", *words],
        cwd=project,
        env=plain_environment() | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^cycle \d+", done.stdout, re.MULTILINE)) == 2
    job = MainJob(project)
    runs = job.runs()
    # The session's run is the one that MLflow made.
    assert runs["session"].data.tags["mlflow.project.entryPoint"] == "main"
    assert runs["session"].data.tags["session"] == runs["session"].info.run_id
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    assert "live/accuracy" in runs["cnn"].data.metrics
    assert {name for name, run in runs.items() if run.data.tags["kind"] == "baseline"} == {
        *BASELINES
    }
    check_rows(job.session_folder())
    assert runs["cnn"].data.params["cycle_seconds"] == "30.0"
    history = job.client.get_metric_history(runs["cnn"].info.run_id, "train/loss")
    assert [point.step for point in history] == [1, 2]
    for learner in ("cnn", "dqn"):
        found = job.client.get_model_version_by_alias(f"tickloop-btcusdt-{learner}", "challenger")
        assert found.run_id == runs[learner].info.run_id


CHILDREN = {"feed": "streaming.feed", "exchange": "streaming.exchange", "page": "ui.app"}


def test_killed_processes_are_started_again_and_nothing_is_lost(tmp_path):
    """What the session's own process leaves behind when it is killed, the next session closes."""
    port = free_port()
    with MainJob(tmp_path, speed=5, page_port=port, learners="cnn") as job:
        folder = job.session_folder()
        wait_for(lambda: (folder / "BTCUSDT.ticks").exists(), "the tick cache")
        cache = tick_cache(folder, "BTCUSDT")
        wait_for(lambda: cache.committed > 0, "ticks")
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/"), "the page")
        for name, module in CHILDREN.items():
            victim = wait_for(lambda m=module: alive_as(job, m), module)
            os.kill(victim, signal.SIGKILL)
            seen = cache.committed
            wait_for(lambda m=module, v=victim: alive_as(job, m) not in (0, v), "the restart")
            wait_for(lambda s=seen: cache.committed > s + 1000, "further ticks")
            wait_for(lambda n=name: told(job, f"the {n} ended (signal 9)"), "the event")
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/"), "the page")
        np.testing.assert_array_equal(np.diff(cache.read().rows["id"]), 1)
        check_the_next_closes_its_runs(job)


def alive_as(job, module):
    for process in job.processes():
        if module in words_of(process):
            return process.pid
    return 0


def told(job, words):
    """Whether one of the session's last events says so."""
    events = job.runs()["session"].data.tags.get("events", "[]")
    return any(words in event["text"] for event in json.loads(events))


def check_the_next_closes_its_runs(job):
    """Kill the session's own process: the others end by themselves, its runs by the next one."""
    wait_for(lambda: "cnn" in job.runs(), "the learner's run")
    session = job.session_folder().name
    children = job.processes()[1:]
    job.process.kill()
    wait_for(lambda: not any(child.is_running() for child in children), "their end", 30)
    assert states(job, session) == {"RUNNING"}
    with MainJob(job.folder):
        wait_for(lambda: states(job, session) == {"KILLED"}, "the next session to close them")


def states(job, session):
    """Return the states of the runs of a session, its own among them."""
    experiments = [e.experiment_id for e in job.client.search_experiments()]
    found = job.client.search_runs(experiments, f"tags.session = '{session}'")
    return {run.info.status for run in found}
