"""A search for settings by backtests: the same whoever plays its trials, and after a kill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mlflow.tracking import MlflowClient

from streaming.errors import ConfigError
from tests.trainers.tapes import ALWAYS, QUICK, backtested, looked_at, two_markets
from trainers.config.tune import TuneConfig
from trainers.names import Kind
from trainers.recording.ledger import read_ledger
from trainers.research.tape_bars import bars_of_tape
from trainers.research.tuning.files import StudyError, check_bars, trial_file
from trainers.research.tuning.job import job_of
from trainers.research.tuning.players import Players
from trainers.research.tuning.report import NOTHING, report_of
from trainers.research.tuning.search.study import Study
from trainers.research.tuning.search.trial import RUNGS, play_trial
from trainers.scoring.moves import moves_of
from trainers.scoring.scored import scored_of
from trainers.scoring.search.bar_scores import bar_scores, mean_gain
from trainers.tracking.runs.search import search
from trainers.tracking.store import ensure_store

ROOT = Path(__file__).parents[2]
BOLD = "tests.trainers.own_learner:Bold"


@pytest.fixture(scope="module")
def tapes(tmp_path_factory):
    """Two markets of 6 minutes."""
    return two_markets(tmp_path_factory.mktemp("tapes"), 360)


@pytest.fixture(scope="module")
def job(tapes):
    return job_of(config_of(tapes))


def config_of(tapes, **settings):
    quick = {"symbols": "AAA,BBB", "learner": BOLD, "min_ticks": 100, "trials": 8, "batch": 4}
    return TuneConfig.of(source=f"tape:{tapes}", **{**quick, **settings})


def searched(folder, job, **settings):
    """Search with the settings; return the study."""
    job = job._replace(given=job.given.changed(**settings))
    (folder / "trials").mkdir(parents=True, exist_ok=True)
    study = Study(job.space, job.default, job.given.seed,
                  batch=job.given.batch, prune=job.given.prune)  # fmt: skip
    for _ in study.run(job.given.trials, Players(folder, job).play):
        pass
    return study


def bits(study):
    return [
        (one.number, repr(one.settings), one.played.scores.tobytes(), one.played.share, one.gain)
        for one in study.tried
    ]


@pytest.fixture(scope="module")
def found(tmp_path_factory, job):
    folder = tmp_path_factory.mktemp("study")
    return folder, searched(folder, job, workers=1)


@pytest.mark.parametrize("workers", [2, 8])
def test_any_number_of_workers_finds_the_same_bits(tmp_path, job, found, workers):
    again = searched(tmp_path, job, workers=workers)
    assert bits(again) == bits(found[1])
    assert again.judgement() == found[1].judgement()


def test_the_best_is_the_least_bold_and_the_worst_are_given_up(found):
    study = found[1]
    boldness = [one.settings["boldness"] for one in study.tried]
    assert boldness[0] == 0.1
    assert min(boldness) == boldness[study.judgement().best]
    shares = [one.played.share for one in study.tried]
    assert set(shares[:4]) == {1.0}  # nobody to compare with yet
    assert min(shares) in RUNGS[:2]
    assert boldness[int(np.argmin(shares))] > 0.1
    for one in study.tried:
        told = np.flatnonzero(~np.isnan(one.played.scores))
        assert one.played.share == 1 or told.max() <= one.played.share * len(one.played.scores)


def test_a_search_that_was_killed_goes_on_where_it_was(tmp_path, job, found):
    searched(tmp_path, job, trials=6)
    trial_file(tmp_path, 5).unlink()  # it was being played
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "trials").iterdir()}
    again = searched(tmp_path, job)
    assert bits(again) == bits(found[1])
    assert len(before) == 5
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())


def test_trials_of_other_settings_are_not_taken_for_these(tmp_path, job):
    searched(tmp_path, job, trials=3)
    with pytest.raises(StudyError, match=r"expected the settings .* begin another search"):
        searched(tmp_path, job, trials=3, seed=1)


def test_another_tape_than_at_the_beginning_is_refused(tmp_path, job):
    check_bars(tmp_path, job.bars)
    check_bars(tmp_path, job.bars)
    with pytest.raises(StudyError, match="expected the bars of the search's beginning"):
        check_bars(tmp_path, {name: rows[1:] for name, rows in job.bars.items()})


def test_settings_that_were_tried_before_are_not_played_again(tmp_path, job):
    space = {"boldness": job.space["boldness"]._replace(choices=(0.1, 0.2))}
    study = searched(tmp_path, job._replace(space=space), batch=2)
    assert {one.same_as for one in study.tried[3:]} <= {0, 1, 2}
    assert study.judgement().tried == 1
    assert len(list((tmp_path / "trials").iterdir())) == 2


def test_a_trial_is_to_the_bit_what_a_backtest_with_its_settings_says(tmp_path, tapes):
    config = config_of(
        tapes, **{**QUICK, "symbols": "AAA", "learner": "cnn"}
    ).with_features(quotes=False).for_record()  # fmt: skip
    tape = looked_at(tapes, "AAA")
    backtested(tmp_path / "backtest", tape, config)
    ledger = read_ledger(tmp_path / "backtest", "AAA")
    bars = bars_of_tape(tape, ALWAYS, config)
    played = play_trial(config, {"AAA": bars}, baselines=True)
    n = len(ledger.outcomes)
    assert ledger.outcomes["bar"].tolist() == bars["ts_open"][-n:].tolist()
    for name, scores in {"cnn": played.scores, **played.baselines}.items():
        moves = moves_of(ledger.outcomes)
        scored = scored_of(moves, ledger.forecasts, ledger.names.index(name))
        wanted = bar_scores(scored, is_agent=False, fee_bps=config.fee_bps)
        assert (~np.isnan(wanted)).sum() > 100
        assert scores[-n:].tobytes() == wanted.tobytes(), name
    assert {"majority", "logistic"} < played.baselines.keys()
    alone = play_trial(config, {"AAA": bars})
    assert alone.scores.tobytes() == played.scores.tobytes()


def test_the_report_says_in_words_what_the_numbers_are(job, found):
    study = found[1]
    judged = study.judgement()
    text = report_of(judged, study.tried, job)
    gain = mean_gain(study.tried[judged.best].played.scores, study.tried[0].played.scores)
    assert f"gains {gain.value:.6f} ± {gain.half_width:.6f} nats a bar" in text
    assert "Probability of backtest overfitting (CSCV)" in text
    assert text.splitlines()[1].startswith(NOTHING)  # no better than the baselines
    assert "against default" in text.lower()
    assert "promoted" not in text


@pytest.mark.parametrize(
    "given, said",
    [
        ({"learner": "cnn,dqn"}, "learner: got 'cnn,dqn'; allowed: one, by name"),
        ({"learners": "cnn,dqn,x"}, "learners: got 'cnn,dqn,x'; a backtest has no use for it"),
        ({"trials": 1}, "trials: got 1; allowed: 2 to"),
    ],
)
def test_a_wrong_setting_is_a_line_that_says_what_is_allowed(given, said):
    with pytest.raises(ConfigError) as told:
        TuneConfig.of(**{"source": "tape:x.csv", **given})
    assert str(told.value).startswith(said)


# Two searches in one process, as it takes long to import what both need.
WHOLE = """
import sys
from pathlib import Path
from trainers.config.tune import TuneConfig
from trainers.research.tuning.running import tune
first = [*sys.argv[1:], "--trials", "3"]
assert tune(TuneConfig.from_args(first), Path.cwd()) == 0
assert tune(TuneConfig.from_args(["--resume", "last", "--trials", "5"]), Path.cwd()) == 0
"""


def test_a_study_is_a_run_with_its_trials_below_it_and_goes_on_with_more(tmp_path, tapes):
    flags = ["--source", f"tape:{tapes}", "--symbols", "BBB", "--learner", BOLD,
             "--min_ticks", "300", "--batch", "2"]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", WHOLE, *flags],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    client = MlflowClient(ensure_store(tmp_path))
    (study,) = search(client, f"tags.kind = '{Kind.STUDY}'")
    assert study.info.status == "FINISHED"
    assert study.data.tags["state"] == "ended"
    assert study.data.params["learner"] == BOLD
    trials = search(client, f"tags.kind = '{Kind.TRIAL}'")
    assert sorted(run.data.tags["trial"] for run in trials) == ["0", "1", "2", "3", "4"]
    for run in trials:
        assert run.info.status == "FINISHED"
        assert run.data.tags["mlflow.parentRunId"] == study.info.run_id
        assert set(run.data.params) == {"learner.Bold.boldness"}
        assert {"tune/gain", "tune/played"} <= run.data.metrics.keys()
    assert {"tune/best", "tune/better", "tune/batch_gain"} <= study.data.metrics.keys()
    report = study.data.tags["mlflow.note.content"]
    assert report.splitlines()[0].startswith("5 trials:")
    assert report.splitlines()[0] in done.stdout
    artifacts = {one.path for one in client.list_artifacts(study.info.run_id)}
    assert {"report.md", "trials.csv", "parallel_coordinate.png", "importances.png"} <= artifacts
    folder = tmp_path / "mlruns" / "studies" / study.info.run_id
    assert json.loads((folder / "study.json").read_text())["trials"] == 5
    assert len(list(Path(folder / "trials").iterdir())) == 5
