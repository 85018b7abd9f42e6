"""A session that has ended goes on from a page of its own."""

from __future__ import annotations

import json
import re
import signal

import psutil
from playwright.sync_api import expect, sync_playwright

from benchmarks.kills import faults_of
from tests.end_to_end.main_job import (
    PATIENCE,
    MainJob,
    apart,
    end_registering,
    page_of_the_last,
    wait_for,
)
from tests.ports import free_port
from tests.ui.conftest import CHROMIUM, FLAGS
from trainers.config import SessionConfig
from trainers.recording.files import CONFIG


def test_start_on_the_page_of_an_ended_session_has_it_go_on_until_the_page_ends(tmp_path):
    port = free_port()
    with MainJob(tmp_path, speed=20, learners="cnn", page_port=port) as job:
        session = job.session_folder()
        wait_for(lambda: job.cycles() >= 2, "two cycles")
        out, _ = job.interrupt()
    assert job.process.returncode == 0, out
    before = job.cycles()
    with page_of_the_last(tmp_path, port) as page:
        apart(go_on, port, job, before + 2)
        children = psutil.Process(page.pid).children(recursive=True)
        page.send_signal(signal.SIGINT)
        assert page.wait(PATIENCE) == 0
        wait_for(lambda: job.client.get_run(session.name).info.status != "RUNNING", "its end")
        assert job.client.get_run(session.name).info.status == "FINISHED"
        psutil.wait_procs(children, timeout=PATIENCE)
    end_registering(tmp_path)
    told = json.loads(job.client.get_run(session.name).data.tags["control_result/start"])
    assert (told["result"], told["text"]) == ("applied", "training goes on")
    assert faults_of(session, job.client) == []
    assert SessionConfig.load(session / CONFIG).page_port == port, (
        "a later resume has its page there"
    )
    check_parity_by_the_next(job, session.name)


def check_parity_by_the_next(job, session):
    """A session that Ctrl-C ended is replayed beside the next one."""

    def parity():
        return job.client.get_run(session).data.tags.get("parity")

    assert parity() is None
    with MainJob(job.folder, speed=1) as following:
        assert re.fullmatch(r"identical: \d+ cycles, [\d,]+ metrics", wait_for(parity, "parity"))
        _, alive = following.interrupt()
    assert alive == []


def go_on(port, job, cycles):
    """Press Start, and see that training goes on."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        tab = browser.new_page()
        tab.goto(f"http://127.0.0.1:{port}")
        expect(tab.locator('[data-k="control.note"]')).to_contain_text("Start resumes it")
        expect(tab.get_by_role("button", name="Pause")).to_be_disabled()
        tab.get_by_role("button", name="Start", exact=True).click()
        wait_for(lambda: job.cycles() >= cycles, "two more cycles")
        start = tab.locator('#controls [data-control="start"]')
        expect(start).to_contain_text("applied in cycle", timeout=10_000)
        expect(tab.get_by_role("button", name="Pause")).to_be_enabled()
        expect(tab.get_by_role("button", name="Start", exact=True)).to_be_disabled()
        browser.close()
