"""What the README promises: its commands run, its length, its picture."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.chart import chart, differences
from benchmarks.processes import plain_environment
from tests.datamodules.samples import random_bars, snapshot_of
from tests.end_to_end.main_job import market_ticks, write_tape
from trainers.config import SessionConfig
from trainers.learners.registry import learners_of
from trainers.session.access import Passwords
from trainers.session.mlproject import project
from trainers.session.preflight import check

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = README.splitlines()
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
]


def test_it_is_short_and_starts_with_a_line_to_run():
    assert len(LINES) <= 120
    assert "make" in LINES[:30]


def test_its_picture_is_there():
    assert (ROOT / re.search(r"!\[.*?\]\((.*?)\)", README)[1]).stat().st_size > 20_000


def test_the_chart_of_benchmarks_is_drawn_from_the_table_beside_it():
    rows = differences((ROOT / "docs/benchmarks.md").read_text(encoding="utf-8"))
    assert len(rows) == 15
    assert ("BAC", -0.0286, 0.0027) in rows
    assert (ROOT / "docs/tapes.svg").read_text() == chart(rows), "python -m benchmarks.chart"


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\(([\w/.-]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_main_verb_runs_the_session():
    dry = subprocess.run(
        ["make", "--dry-run", "main", "ARGS=--speed 10"], cwd=ROOT, capture_output=True, text=True
    )
    assert "-m trainers.session --speed 10" in dry.stdout


@pytest.mark.parametrize("command", [c for c in COMMANDS if "ARGS=" in c])
def test_settings_given_to_make_are_settings(command, tmp_path):
    """A tape is played, and a session of each source run, by the end-to-end tests."""
    words = shlex.split(re.search(r'ARGS="(.*)"', command)[1])
    tape = write_tape(tmp_path / "recorded", market_ticks(60))
    words = [re.sub("^tape:.*", f"tape:{tape}", word) for word in words]
    config = SessionConfig.from_args([*words, "--page_port", "0", "--mlflow_ui_port", "0"])
    assert config.plays_locally == any(word.startswith("tape:") for word in words)
    if config.plays_locally:
        assert check(config, Passwords()).symbol_list == ["BTCUSDT"]


def test_parameters_of_mlflow_run_are_parameters():
    command = next(c for c in COMMANDS if c.startswith("mlflow run"))
    names = set(re.findall(r"-P (\w+)=", command))
    assert names <= set(project()["entry_points"]["main"]["parameters"])


def test_entry_points_named_are_the_project_s():
    named = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    assert named == set(project()["entry_points"])


def test_help_names_every_setting_with_its_default():
    words = ["-m", "trainers.session", "--help"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=plain_environment(), capture_output=True, text=True
    )
    assert done.returncode == 0
    for name in SessionConfig.flags():
        assert f"--{name} " in done.stdout


def test_its_learner_is_one(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(class .*?)```", README, re.DOTALL)
    assert len(code.splitlines()) <= 15
    (tmp_path / "my_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    flags = shlex.split(re.search(r'`make ARGS="(--learners .*)"`', README)[1])
    learner = learners_of(SessionConfig.from_args(flags))["contrarian"]
    assert learner.forecast(random_bars(1)) is None
    assert learner.forecast(random_bars(5)) in (0.45, 0.55)
    assert learner.learn(snapshot_of(random_bars(5))) == {"bars": 5}


def test_the_learner_of_the_contributors_guide_is_one(tmp_path, monkeypatch):
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(class .*?)```", guide, re.DOTALL)
    (tmp_path / "my_module.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_module", raising=False)
    flags = shlex.split(re.search(r'make ARGS="(.*)"', guide)[1])
    learner = learners_of(SessionConfig.from_args(flags))["contrarian"]
    assert learner.lean == 0.1
    assert learner.forecast(random_bars(5)) in (0.4, 0.6)
    assert learner.learn(snapshot_of(random_bars(5))) == {"bars": 5}
