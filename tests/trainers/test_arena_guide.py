"""docs/arena.md, line by line: its code, its commands, and all its entrants in one backtest."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import mlflow
import pytest

from datamodules.target import NEXT_BAR
from tests.end_to_end.main_job import PATIENCE
from tests.trainers.tapes import market, write_csv
from trainers.config.arena import ArenaConfig
from trainers.config.entries import entry_of
from trainers.recording.ledger import read_ledger
from trainers.scoring.arena.board import standings_of
from trainers.session.mlproject import project
from trainers.tracking.store import ensure_store

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "arena.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
OWN_MODULE, LOGS_A_MODEL, READS_THE_TABLE = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
COMMANDS = [
    line
    for block in re.findall(r"```sh\n(.*?)```", GUIDE, re.DOTALL)
    for line in block.splitlines()
]
TABLE = GUIDE.partition("| of | entry |")[2].partition("\n\n")[0]
ENTRIES = [row.split("|")[2].strip().strip("`") for row in TABLE.splitlines()[2:]]
FLAGS = ["--source", "tape:BTCUSDT.csv", "--min_ticks", "300", "--cycle_seconds", "120"]


@pytest.fixture(scope="module", autouse=True)
def trusting():
    """The model is our own; MLflow loads none of scikit-learn's unless it is told so."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "true")
        yield


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("arena")
    (learner,) = re.findall(r"```python\n(class .*?)```", CONTRIBUTING, re.DOTALL)
    (root / "my_module.py").write_text(f"{OWN_MODULE}\n\n{learner}")
    write_csv(root / "BTCUSDT.csv", market(480))
    mlflow.set_tracking_uri(ensure_store(root))
    experiment = mlflow.create_experiment("mine", artifact_location=f"file://{root}/mine")
    with warnings.catch_warnings(), mlflow.start_run(experiment_id=experiment):
        warnings.simplefilter("ignore")  # MLflow's own, about pandas
        exec(LOGS_A_MODEL, {})
    return root


@pytest.fixture(scope="module")
def ended(folder):
    """All entrants of the table, and the settings of the guide's last command."""
    given = [word for word in shlex.split(COMMANDS[-1]) if "learner." in word or word[0] != "-"]
    own = [given[i : i + 2] for i, word in enumerate(given) if word.startswith("--learner.")]
    words = [*FLAGS, "--learners", ",".join(ENTRIES), *(word for pair in own for word in pair)]
    words = [word.replace(".river.LogisticRegression", ".LogisticRegression") for word in words]
    path = {"PYTHONPATH": f"{ROOT}:{folder}"}
    return subprocess.run(
        [sys.executable, "-m", "trainers.research.arena", *words],
        cwd=folder, env={**os.environ, **path}, capture_output=True, text=True,
        timeout=2 * PATIENCE,
    )  # fmt: skip


def board(folder):
    (session,) = (folder / "mlruns" / "sessions").iterdir()
    ledger = read_ledger(session, "BTCUSDT")
    return session.name, standings_of(*ledger, NEXT_BAR, "permuted_labels")


def test_every_entrant_of_the_guide_is_scored_and_ranked(folder, ended):
    assert ended.returncode == 0, ended.stderr
    names = {entry_of(entry).name for entry in ENTRIES}
    names = {name.replace("my_module:Contrarian", "contrarian") for name in names}
    assert len(names) == len(ENTRIES) >= 10
    bars = {one.name: one.bars for one in board(folder)[1]}
    assert names <= bars.keys()
    assert min(bars.values()) > 100
    for name in names:
        assert re.search(rf"^arena .*\)  {re.escape(name)}: 0\.", ended.stdout, re.MULTILINE), name


def test_the_table_in_mlflow_and_the_metrics_are_the_ledger_s(folder, ended, capsys):
    run, standings = board(folder)
    mlflow.set_tracking_uri(ensure_store(folder))
    exec(READS_THE_TABLE, found := {})
    assert "BTCUSDT" in capsys.readouterr().out
    table = found["table"]
    assert set(table["run_id"]) == {run}
    assert table["learner"].tolist() == [one.name for one in standings]
    assert table["worst_rank"].tolist() == [one.worst for one in standings]
    for one in mlflow.search_runs(
        search_all_experiments=True,
        filter_string=f"tags.session = '{run}' and tags.kind = 'learner'",
        output_format="list",
    ):
        (place,) = (each for each in standings if each.name == one.data.tags["learner"])
        metrics = [one.data.metrics[f"live/{name}"] for name in ("rank", "rank_best", "rank_worst")]
        assert metrics == [place.place, place.best, place.worst]


def test_a_replay_is_the_same_bits_for_every_entrant(folder, ended):
    session, _ = board(folder)
    path = {"PYTHONPATH": f"{ROOT}:{folder}"}
    done = subprocess.run(
        [sys.executable, "-m", "trainers.replay", "--session", session],
        cwd=folder, env={**os.environ, **path}, capture_output=True, text=True,
        timeout=2 * PATIENCE,
    )  # fmt: skip
    assert "identical: " in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_have_flags_that_there_are(command):
    words = shlex.split(command)
    if words[0] == "mlflow":
        names = {word.partition("=")[0] for word in words if "=" in word}
        assert names <= set(project()["entry_points"]["arena"]["parameters"])
        words = [part for word in words if "=" in word for part in f"--{word}".split("=", 1)]
    else:
        assert words[:3] == ["python", "-m", "trainers.research.arena"]
    flags = words[next(i for i, word in enumerate(words) if word.startswith("--")) :]
    config = ArenaConfig.from_args(flags)
    assert len(config.learner_list) >= 2
    assert (config.backtest() if config.is_backtest else config.session()).learner_list


def test_settings_of_the_guide_are_those_of_the_code():
    from trainers.learners.adapters.settings import EstimatorSettings, TorchSettings

    told = GUIDE.partition("| setting | of |")[2].partition("\n\n")[0]
    for name in {**EstimatorSettings.flags(), **TorchSettings.flags()}:
        assert f"`{name}`" in told
