"""From a market to MLflow and the page: every part real, in processes of their own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import numpy as np
import psutil
import pytest
from gradio_client import Client
from playwright.sync_api import sync_playwright

from streaming.cache import tick_cache
from streaming.tape import segments
from tests.end_to_end.main_job import (
    ROOT,
    MainJob,
    environment,
    free_port,
    market_ticks,
    wait_for,
    write_tape,
)
from tests.streaming.venue_server import VenueServer
from tests.ui.conftest import CHROMIUM, FLAGS

SECONDS = 300


@pytest.fixture(scope="module")
def market():
    return market_ticks(SECONDS)


def test_a_tape_is_played_learned_from_and_shown(tmp_path, market):
    tape = write_tape(tmp_path / "recorded", market)
    port = free_port()
    with MainJob(tmp_path, source=f"tape:{tape}", speed=10, page_port=port) as job:
        folder = job.session_folder()
        wait_for(lambda: "train/accuracy" in job.runs()["cnn"].data.metrics
                 if "cnn" in job.runs() else False, "the CNN's first cycle")  # fmt: skip
        wait_for(lambda: tick_cache(folder, "BTCUSDT").stats["state"] == 4, "the tape's end")
        # Every trade of the tape, once, in order, unchanged.
        kept = tick_cache(folder, "BTCUSDT").read().rows
        for name in ("id", "ts_event", "price", "size", "side"):
            np.testing.assert_array_equal(kept[name], market[name])
        # The last cycle is over once the session has learned from the last cut.
        runs = wait_for_all_learned(job, len(market))
        assert runs["cnn"].data.metrics["train/accuracy"] > 0
        assert runs["dqn"].data.metrics["train/memory_size"] > 100
        live = runs["cnn"].data.metrics["live/accuracy"]
        assert 0 < live < 1
        api = Client(f"http://127.0.0.1:{port}", verbose=False)
        ticks = api.predict(api_name="/get_tick_cache_for_training")
        assert [tick["trade_id"] for tick in ticks] == market["id"].tolist()
        bars = api.predict(api_name="/get_one_second_bars")
        status = api.predict(api_name="/training_status")
        assert status["learners"]["BTCUSDT"]["cnn"]["metrics"]["live/accuracy"] == live
        text = read_page(port)
        assert f"{100 * live:.1f} %" in text
        assert f"{bars[-1]['close']:,.2f}" in text
        assert f"{len(market):,}" in text
        _, took, alive = job.interrupt()
        assert job.process.returncode == 0
        assert alive == []
        assert took < 5
    assert {run.info.status for run in job.runs().values()} == {"FINISHED"}
    assert sum(stop - first for first, stop, _ in segments(folder / "tape", "BTCUSDT")) == len(kept)


def wait_for_all_learned(job, n_ticks):
    """Return the runs once a cycle has seen every tick; the session's metrics come last."""

    def all_learned():
        runs = job.runs()
        return runs if runs["session"].data.metrics.get("stream/ticks") == n_ticks else None

    return wait_for(all_learned, "a cycle that has seen every tick")


def read_page(port):
    """Return all a person can read on the page, once its numbers are there."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            tab = browser.new_page()
            tab.goto(f"http://127.0.0.1:{port}")
            tab.get_by_text("bars scored").first.wait_for(timeout=60_000)
            tab.locator("canvas").first.wait_for()
            return tab.inner_text("body")
        finally:
            browser.close()


def test_the_default_market_trains_both_models_and_ends_after_its_cycles(tmp_path):
    with MainJob(tmp_path, cycles=2, speed=20) as job:
        out = job.finish()
    assert job.process.returncode == 0, out
    runs = job.runs()
    for name in ("session", "cnn", "dqn"):
        assert runs[name].info.status == "FINISHED"
    assert runs["cnn"].data.params["cycle_seconds"] == "30.0"
    assert "live/accuracy" in runs["cnn"].data.metrics
    assert len(re.findall(r"^cycle \d+", out, re.MULTILINE)) == 2
    history = job.client.get_metric_history(runs["cnn"].info.run_id, "train/loss")
    assert [point.step for point in history] == [1, 2]
    for learner in ("cnn", "dqn"):
        found = job.client.get_model_version_by_alias(f"tickloop-btcusdt-{learner}", "challenger")
        assert found.run_id == runs[learner].info.run_id


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
                    await venue.trade("BTCUSDT", 100)
                    self.sent = venue.next_id["BTCUSDT"] - 1
                await asyncio.sleep(0.05)


def test_any_server_of_binances_format_will_do(tmp_path):
    venue = Venue()
    venue.start()
    wait_for(lambda: venue.addresses, "the venue")
    with MainJob(tmp_path, source="binance", cycles=6, **venue.addresses) as job:
        out = job.finish()
        venue.ended.set()
    assert job.process.returncode == 0, out
    metrics = job.runs()["session"].data.metrics
    assert metrics["stream/gaps"] == metrics["stream/rejected"] == 0
    assert "train/accuracy" in job.runs()["cnn"].data.metrics
    ids = tick_cache(job.session_folder(), "BTCUSDT").read().rows["id"]
    assert ids[-1] <= venue.sent
    np.testing.assert_array_equal(np.diff(ids), 1)


def test_mlflow_run_makes_the_session_its_own_run(tmp_path):
    project = tmp_path / "project"
    project.mkdir()
    for name in ("streaming", "datamodules", "trainers", "ui", "MLproject", "conda.yaml"):
        (project / name).symlink_to(ROOT / name)
    parameters = {"cycles": 1, "speed": 20, "page_port": 0, "mlflow_ui_port": 0}
    words = [word for name, value in parameters.items() for word in ("-P", f"{name}={value}")]
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", "run", ".", "--env-manager", "local", *words],
        cwd=project,
        env=environment() | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    job = MainJob(project)
    run = job.runs()["session"]
    assert run.data.tags["mlflow.project.entryPoint"] == "main"
    assert run.info.status == "FINISHED"
    assert run.data.tags["session"] == run.info.run_id


@pytest.mark.parametrize("victim", ["streaming.feed", "streaming.exchange", "ui.app"])
def test_a_killed_process_is_started_again_and_nothing_is_lost(tmp_path, victim):
    port = free_port()
    with MainJob(tmp_path, speed=5, page_port=port, learners="none") as job:
        folder = job.session_folder()
        wait_for(lambda: (folder / "BTCUSDT.ticks").exists(), "the tick cache")
        cache = tick_cache(folder, "BTCUSDT")
        wait_for(lambda: cache.committed > 0, "ticks")
        wait_for(lambda: answers(port), "the page")
        os.kill(pid_of(job, victim), signal.SIGKILL)
        seen = cache.committed
        wait_for(lambda: alive_as(job, victim), "the restart")
        wait_for(lambda: cache.committed > seen + 2000, "further ticks")
        wait_for(lambda: answers(port), "the page")
        ids = cache.read().rows["id"]
        np.testing.assert_array_equal(np.diff(ids), 1)
        events = wait_for(lambda: told(job, victim), "the event")
        assert "starting it again" in events
        job.interrupt()


def pid_of(job, module):
    return wait_for(lambda: alive_as(job, module), module)


def alive_as(job, module):
    for process in job.processes():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie has no command line
            if module in process.cmdline():
                return process.pid
    return 0


def answers(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).status == 200
    except (urllib.error.URLError, OSError):
        return False


def told(job, victim):
    names = {"streaming.feed": "feed", "streaming.exchange": "exchange", "ui.app": "page"}
    events = job.runs()["session"].data.tags.get("events", "[]")
    texts = [event["text"] for event in json.loads(events)]
    return next((text for text in texts if f"the {names[victim]} ended" in text), "")


def test_runs_of_a_killed_session_are_closed_by_the_next(tmp_path):
    with MainJob(tmp_path, speed=20) as job:
        wait_for(lambda: {"cnn", "dqn"} <= job.runs().keys(), "the learners' runs")
        session = job.runs()["session"].info.run_id
        everyone = job.processes()
        for process in everyone:
            process.kill()
    wait_for(lambda: not any(process.is_running() for process in everyone), "their end")
    assert job.client.get_run(session).info.status == "RUNNING"
    with MainJob(tmp_path, cycles=1, speed=20) as following:
        following.finish()
    client = job.client
    for run in client.search_runs(
        [e.experiment_id for e in client.search_experiments()], f"tags.session = '{session}'"
    ):
        assert run.info.status == "KILLED"
    assert client.get_run(session).info.status == "KILLED"


def test_children_end_when_their_parent_is_killed(tmp_path):
    with MainJob(tmp_path, speed=20) as job:
        wait_for(lambda: {"cnn", "dqn"} <= job.runs().keys(), "the learners' runs")
        children = job.processes()[1:]
        job.process.kill()
        wait_for(lambda: not any(child.is_running() for child in children), "their end", 20)


def test_a_second_reader_never_disturbs_the_feed(tmp_path):
    """Readers hold no lock: many of them at once, while the feed writes."""
    with MainJob(tmp_path, speed=50, learners="none") as job:
        folder = job.session_folder()
        wait_for(lambda: (folder / "BTCUSDT.ticks").exists(), "the tick cache")
        stop, broken = threading.Event(), []

        def read():
            cache = tick_cache(folder, "BTCUSDT")
            while not stop.is_set():
                ids = cache.tail(5000).rows["id"]
                if len(ids) and not (np.diff(ids) == 1).all():
                    broken.append(ids)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        wait_for(lambda: tick_cache(folder, "BTCUSDT").committed > 60_000, "many ticks")
        stop.set()
        for reader in readers:
            reader.join()
        assert not broken
        job.interrupt()
