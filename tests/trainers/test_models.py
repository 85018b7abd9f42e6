from __future__ import annotations

import contextlib
import json
from pathlib import Path

import mlflow
import numpy as np
import pytest
import torch
from mlflow.tracking import MlflowClient

from datamodules.features import RAW_COLUMNS, raw_columns
from streaming.cache import write_bar_ring
from tests.datamodules.samples import random_bars, snapshot_of
from tests.serving import serving
from trainers.config import SessionConfig
from trainers.learners.registry import learners_of
from trainers.names import model_name
from trainers.promotion.registry import AliasMove
from trainers.promotion.versions import log_version
from trainers.tracking.runs.lifecycle import start_learner, start_session
from trainers.tracking.store import ensure_store
from ui.model_input import bars_for_model

BARS = random_bars(300, seed=6)
NAMES = pytest.mark.parametrize("name", ["cnn", "dqn"])


class Logged:
    """Both learners, trained, logged and registered once for all tests here."""

    def __init__(self, root, client):
        config = SessionConfig.of(dqn_updates=50)
        self.learners = learners_of(config)
        session = start_session(client, config, root)
        self.runs, self.versions = {}, {}
        for name, learner in self.learners.items():
            learner.learn(snapshot_of(BARS))
            self.runs[name] = start_learner(client, config, session, "BTCUSDT", name)
            self.versions[name] = self.log(client, name)

    def log(self, client, name):
        module, n_bars = self.learners[name].export()
        raw = raw_columns(BARS[: n_bars + 1])
        return log_version(
            client,
            self.runs[name],
            symbol="BTCUSDT",
            learner=name,
            module=module,
            example=np.stack([raw[:-1], raw[1:]]),
            move=AliasMove("register", "end", cycle=3),
        )

    def raw(self, name, t):
        return raw_columns(BARS[t - self.learners[name].export()[1] : t])[None]

    def check(self, name, t, said):
        """See that a model version said what the learner says."""
        answer = self.learners[name].forecast(BARS[:t])
        if name == "cnn":
            assert said[0] == np.float32(answer)
        else:
            assert (int(said[2] or said[3]), (said[0], said[1])) == answer


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A store of our own: its versions are numbered from 1."""
    folder = tmp_path_factory.mktemp("models")
    ensure_store(folder)
    return folder


@pytest.fixture(scope="module")
def client(root):
    return MlflowClient(f"sqlite:///{root / 'mlflow.db'}")


@pytest.fixture(scope="module")
def logged(root, client):
    with pytest.MonkeyPatch.context() as patch:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID"):
            patch.delenv(name, raising=False)
        return Logged(root, client)


@pytest.fixture(scope="module", autouse=True)
def served(logged, client, tmp_path_factory):
    """The CNN by `mlflow models serve`, started first since it takes seconds."""
    folder, model = tmp_path_factory.mktemp("serving"), "models:/tickloop-btcusdt-cnn@challenger"
    with serving(client.tracking_uri, model, folder) as found:
        yield found


@NAMES
def test_a_version_is_registered_under_the_market_and_learner_as_challenger(logged, client, name):
    assert model_name("sim", "BTCUSDT", name) == f"tickloop-btcusdt-{name}"
    version = client.get_model_version_by_alias(f"tickloop-btcusdt-{name}", "challenger")
    assert str(version.version) == "1"
    assert version.run_id == logged.runs[name]


@NAMES
def test_a_version_is_a_pt2_without_any_pickle_and_names_what_it_needs(
    logged, client, name, monkeypatch
):
    mlflow.set_tracking_uri(client.tracking_uri)
    found = mlflow.artifacts.download_artifacts(f"models:/tickloop-btcusdt-{name}@challenger")
    files = [path for path in Path(found).rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix == ".pt2"]
    assert not [path for path in files if path.suffix in (".pth", ".pkl", ".pickle", ".pt")]
    needed = (Path(found) / "requirements.txt").read_text().split()
    assert sorted(line.partition("==")[0] for line in needed) == ["mlflow", "numpy", "torch"]
    assert "torch==2.13.0" in needed


@NAMES
def test_a_version_loaded_by_alias_without_pickle_says_what_the_learner_says(
    logged, client, name, monkeypatch
):
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    mlflow.set_tracking_uri(client.tracking_uri)
    model = mlflow.pyfunc.load_model(f"models:/tickloop-btcusdt-{name}@challenger")
    for t in range(150, 300, 25):
        logged.check(name, t, model.predict(logged.raw(name, t))[0])
    together = np.concatenate([logged.raw(name, t) for t in (150, 175, 200)])
    for said, t in zip(model.predict(together), (150, 175, 200), strict=True):
        answer = model.predict(logged.raw(name, t))[0]
        np.testing.assert_allclose(said, answer, rtol=1e-4, atol=1e-5)


def test_the_next_version_of_a_name_takes_the_alias(logged, client):
    version = logged.log(client, "dqn")
    alias = client.get_model_version_by_alias("tickloop-btcusdt-dqn", "challenger")
    assert str(version) == str(alias.version) == "2"
    client.set_registered_model_alias("tickloop-btcusdt-dqn", "challenger", "1")


def test_mlflow_serves_the_registered_cnn(logged, served):
    served.wait()
    for t in (150, 250):
        (said,) = served.ask(logged.raw("cnn", t))
        logged.check("cnn", t, np.float32(said))
    assert len(served.ask(np.concatenate([logged.raw("cnn", t) for t in (150, 151, 152)]))) == 3


def test_a_served_model_takes_the_pages_answer_as_it_is(logged, served, tmp_path):
    with contextlib.closing(write_bar_ring(tmp_path, "BTCUSDT", 300)) as ring:
        ring.append(BARS[:250])
        body = json.dumps(bars_for_model(tmp_path, "BTCUSDT", logged.learners["cnn"].export()[1]))
    served.wait()
    (said,) = served.send(body.encode())
    logged.check("cnn", 250, np.float32(said))


@NAMES
def test_a_version_tells_its_columns_its_output_and_how_to_ask_it(logged, client, name):
    version = client.get_model_version_by_alias(f"tickloop-btcusdt-{name}", "challenger")
    told = mlflow.models.get_model_info(f"models:/{version.name}/{version.version}").metadata
    assert tuple(told["columns"]) == RAW_COLUMNS
    assert told["bars"] == logged.learners[name].export()[1]
    said = logged.learners[name].export()[0](torch.from_numpy(logged.raw(name, 200)))
    assert len(told["outputs"]) == said.shape[1]
    for words in (*told["columns"], *told["outputs"], f"models:/tickloop-btcusdt-{name}@challenger",
                  f"/get_bars_for_model?symbol=BTCUSDT&bars={told['bars']}"):  # fmt: skip
        assert words in version.description
