"""Champions in a real registry: moved, told of, watched, fetched, and never pruned away."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
from mlflow.utils.file_utils import local_file_uri_to_path

from datamodules.features import raw_columns
from streaming.errors import ConfigError
from streaming.events import Code
from tests.datamodules.samples import random_bars, snapshot_of
from trainers.config import SessionConfig
from trainers.engine.commands import CandidateWanted
from trainers.learners.cnn.learner import CNN
from trainers.learners.learner import Context
from trainers.names import model_name, source_name
from trainers.promotion import alias_watcher
from trainers.promotion.__main__ import PromoteConfig
from trainers.promotion.__main__ import run as by_hand
from trainers.promotion.alias_watcher import AliasWatcher, Versions
from trainers.promotion.candidate import is_put_aside, register, register_all, write_candidate
from trainers.promotion.registry import (
    AliasMove,
    RegistryError,
    next_challenge,
    promote,
    prune,
    record,
    roll_back,
    version_of,
    versions_of,
)
from trainers.promotion.versions import log_version
from trainers.recording.files import CONFIG, waiting_candidates
from trainers.scoring.promotion.verdict import Verdict
from trainers.tracking.model_reader import audit_of
from trainers.tracking.runs.lifecycle import start_learner, start_session
from trainers.tracking.runs.search import search

BARS = random_bars(300, seed=6)
MADE, BY_HAND = AliasMove("register", "end", cycle=1), AliasMove("promote", "hand")
SYMBOLS = iter(f"MARKET{i}" for i in range(100))


class Model:
    """A market whose CNN has some versions, one model logged once and registered many times."""

    def __init__(self, client, root):
        self.client, self.symbol = client, next(SYMBOLS)
        self.config = SessionConfig(symbols=self.symbol)
        self.session = start_session(client, self.config, root)
        self.run = start_learner(client, self.config, self.session, self.symbol, "cnn")
        self.learner = CNN(Context.of(self.config, self.symbol))
        self.learner.learn(snapshot_of(BARS))
        self.name = model_name("sim", self.symbol, "cnn")

    def log(self, candidate=""):
        module, n_bars = self.learner.export()
        raw = raw_columns(BARS[-n_bars - 1 :])
        return log_version(
            self.client, self.run, symbol=self.symbol, learner="cnn", module=module,
            example=np.stack([raw[:-1], raw[1:]]), move=MADE, candidate=candidate,
        )  # fmt: skip

    def more(self, n):
        """Register the same model ``n`` more times."""
        source = self.client.get_model_version(self.name, "1").source
        for _ in range(n):
            self.client.create_model_version(self.name, source, self.run)

    def alias(self, alias):
        return version_of(self.client, self.name, alias)

    def told(self, version):
        found = audit_of(self.client.get_model_version(self.name, str(version)))
        return [(told["action"], told["by"]) for told in found]


@pytest.fixture(scope="module")
def logged(client, root):
    made = Model(client, root)
    made.log()
    return made


@pytest.fixture
def model(logged):
    """The same model as version 1, and challenger, of a market of its own: logging takes long."""
    made = copy.copy(logged)
    made.symbol = next(SYMBOLS)
    made.name = model_name("sim", made.symbol, "cnn")
    source = made.client.get_model_version(logged.name, "1").source
    made.client.create_registered_model(made.name)
    made.client.create_model_version(made.name, source, made.run)
    made.client.set_registered_model_alias(made.name, "challenger", "1")
    return made


VERDICT = Verdict("promote", "better than all", 4.0, 3.0, 100, "majority", 0)


def test_a_champion_leaves_its_place_to_the_next_and_is_the_previous_one(model, client):
    model.more(1)
    promote(client, model.name, 1, BY_HAND)
    assert (model.alias("champion"), model.alias("previous")) == (1, 0)
    assert model.alias("challenger") == 1  # until there is a newer one
    promote(client, model.name, 2, AliasMove("promote", "evidence", "s", 7, {"reason": "better"}))
    assert (model.alias("champion"), model.alias("previous")) == (2, 1)
    assert model.told(2) == [("promote", "evidence")]
    (told,) = audit_of(client.get_model_version(model.name, "2"))
    assert (told["session"], told["cycle"], told["verdict"]) == ("s", 7, {"reason": "better"})


def test_a_rollback_makes_the_previous_one_champion_again_and_then_nobody(model, client):
    model.more(1)
    promote(client, model.name, 1, BY_HAND)
    promote(client, model.name, 2, BY_HAND)
    assert roll_back(client, model.name, AliasMove("rollback", "hand")) == 1
    assert (model.alias("champion"), model.alias("previous")) == (1, 0)
    assert roll_back(client, model.name, AliasMove("rollback", "hand")) == 0
    assert model.alias("champion") == 0
    with pytest.raises(RegistryError, match="there is no champion to roll back"):
        roll_back(client, model.name, AliasMove("rollback", "hand"))


def test_what_was_told_of_a_version_is_never_changed(model, client):
    for i in range(12):
        record(client, model.name, 1, AliasMove("promote", "hand", cycle=i))
    found = audit_of(client.get_model_version(model.name, "1"))
    assert [told["cycle"] for told in found] == list(range(12))


def test_promoting_the_champion_again_tells_nothing_new(model, client):
    promote(client, model.name, 1, BY_HAND)
    promote(client, model.name, 1, BY_HAND)
    assert model.told(1) == [("promote", "hand")]


# ---- watching


def test_a_watch_fetches_whoever_an_alias_names_and_counts_the_challenge(model, client, tmp_path):
    told = []
    watch = AliasWatcher(
        client, Versions(client, tmp_path / "models", "sim"), lambda *event: told.append(event)
    )
    learners = [(model.symbol, "cnn")]
    watch.look(learners)
    nobody = watch.arrivals.get_nowait()
    assert (nobody.version, nobody.model, nobody.challenge) == (0, None, 1)
    # As a person does it in MLflow's own UI.
    client.set_registered_model_alias(model.name, "champion", "1")
    watch.look(learners)
    watch.look(learners)
    arrival = watch.arrivals.get_nowait()
    assert watch.arrivals.empty()
    assert (arrival.version, arrival.challenge) == (1, 1)
    for t in (150, 200, 250):
        assert CNN.predict(arrival.model, BARS[:t]) == model.learner.forecast(BARS[:t])
    another = AliasWatcher(
        client, Versions(client, tmp_path / "others", "sim"), lambda *event: told.append(event)
    )
    another.look(learners)
    assert another.arrivals.get_nowait().challenge == 2  # its second challenger
    assert told == []


def test_a_version_that_cannot_be_loaded_is_told_of_once_and_changes_nothing(
    model, client, tmp_path
):
    client.create_model_version(model.name, str(tmp_path / "nowhere"), model.run)
    client.set_registered_model_alias(model.name, "champion", "2")
    told = []
    watch = AliasWatcher(
        client, Versions(client, tmp_path / "models", "sim"), lambda *event: told.append(event)
    )
    for _ in range(3):
        watch.look([(model.symbol, "cnn")])
    assert watch.arrivals.empty()
    ((code, text),) = told
    assert code == Code.VERSION_UNUSABLE
    assert "version 2: expected an exported program, it cannot be loaded" in text


def test_a_version_whose_files_were_away_is_installed_once_they_are_back(
    model, client, tmp_path, monkeypatch
):
    logged = client.get_model_version(model.name, "1").source.removeprefix("models:/")
    source = Path(local_file_uri_to_path(client.get_logged_model(logged).artifact_location))
    away = source.with_name("away")
    source.rename(away)
    client.set_registered_model_alias(model.name, "champion", "1")
    monkeypatch.setattr(alias_watcher, "RETRY_SECONDS", 0.0)
    told = []
    watch = AliasWatcher(
        client, Versions(client, tmp_path / "models", "sim"), lambda *event: told.append(event)
    )
    for _ in range(2):
        watch.look([(model.symbol, "cnn")])
    assert ([code for code, _ in told], watch.arrivals.empty()) == ([Code.VERSION_UNUSABLE], True)
    away.rename(source)
    watch.look([(model.symbol, "cnn")])
    assert watch.arrivals.get_nowait().version == 1


def test_a_copy_serves_when_the_store_is_away(model, client, tmp_path):
    Versions(client, tmp_path / "models", "sim").load(model.symbol, "cnn", 1)
    away = Versions(None, tmp_path / "models", "sim")
    assert CNN.predict(away.load(model.symbol, "cnn", 1), BARS) == model.learner.forecast(BARS)


# ---- each source has models of its own


def session_of(client, root, source, symbol):
    """Return the run of a CNN in a new session of a source."""
    config = SessionConfig(source=source, symbols=symbol)
    session = start_session(client, config, root)
    return start_learner(client, config, session, symbol, "cnn")


def test_a_version_is_registered_under_its_source_and_says_it(logged, client, root):
    for source, name in (("sim:ar1", "tickloop-sim.ar1-"), ("tape:/x/y.zip", "tickloop-tape-"),
                         ("binance", "tickloop-binance-")):  # fmt: skip
        made = copy.copy(logged)
        made.run = session_of(client, root, source, made.symbol)
        version = made.log()
        found = client.get_model_version(f"{name}{made.symbol.lower()}-cnn", str(version))
        assert found.tags["source"] == name.removeprefix("tickloop-").removesuffix("-")
    assert client.get_model_version(logged.name, "1").tags["source"] == "sim"


SOURCES = ("sim", "sim:ar1", "tape:/x/y.zip", "binance")


@pytest.mark.parametrize("made_on", SOURCES)
def test_a_champion_of_one_source_serves_no_session_of_another(model, client, tmp_path, made_on):
    """Even if somebody gives it the alias in the other one's registered model."""
    client.set_model_version_tag(model.name, "1", "source", source_name(made_on))
    for source in SOURCES:
        name = model_name(source, model.symbol, "cnn")
        if name != model.name:
            client.copy_model_version(f"models:/{model.name}/1", name)
        client.set_registered_model_alias(name, "champion", "1")
        told = []
        watch = AliasWatcher(
            client,
            Versions(client, tmp_path / source_name(source), source),
            lambda *event, told=told: told.append(event),
        )
        watch.look([(model.symbol, "cnn")])
        watch.look([(model.symbol, "cnn")])
        arrival = watch.arrivals.get_nowait()
        assert watch.arrivals.empty()
        assert arrival.challenge == 1, "it can be challenged like nobody"
        if source == made_on:
            assert (arrival.version, told) == (1, [])
        else:
            assert (arrival.version, arrival.model) == (0, None)
            ((code, text),) = told
            assert code == Code.VERSION_UNUSABLE
            assert f"made on {source_name(made_on)}, and this session's source is {source}" in text


def test_a_version_of_before_versions_told_their_source_is_known_by_its_run(
    model, client, root, tmp_path
):
    source = client.get_model_version(model.name, "1").source
    of_tape = session_of(client, root, "tape:/x/y.zip", model.symbol)
    client.create_model_version(model.name, source, of_tape)  # 2
    client.create_model_version(model.name, source, model.run)  # 3
    client.create_model_version(model.name, str(tmp_path))  # 4, of no run
    told = []
    for version, serves in ((2, 0), (3, 3), (4, 0)):
        client.set_registered_model_alias(model.name, "champion", str(version))
        watch = AliasWatcher(
            client, Versions(client, tmp_path / "models", "sim"), lambda *event: told.append(event)
        )
        watch.look([(model.symbol, "cnn")])
        assert watch.arrivals.get_nowait().version == serves
    assert ["made on tape" in told[0][1], "an unknown source" in told[1][1]] == [True, True]


# ---- candidates


def test_a_candidate_becomes_the_champion_that_the_learner_was(client, root, tmp_path):
    model = Model(client, root)
    session = tmp_path / model.session
    session.mkdir()
    model.config.save(session / CONFIG)
    _, n_bars = model.learner.export()
    wanted = CandidateWanted(
        "cnn", 4, "evidence", VERDICT, model.learner.state_dict(), raw_columns(BARS[-n_bars - 1 :])
    )
    file = write_candidate(session, model.symbol, model.run, wanted)
    said = model.learner.forecast(BARS)
    model.learner.learn(snapshot_of(BARS, cycle=2))  # it has learned on meanwhile
    assert model.learner.forecast(BARS) != said
    assert register(client, session, file) == register(client, session, file) == 1  # once
    assert model.alias("champion") == 1
    assert model.told(1) == [("register", "evidence"), ("promote", "evidence")]
    champion = Versions(client, tmp_path / "models", "sim").load(model.symbol, "cnn", 1)
    assert CNN.predict(champion, BARS) == said


def test_a_candidate_that_cannot_be_registered_is_put_aside_and_the_others_go_on(
    client, root, tmp_path
):
    model = Model(client, root)
    session = tmp_path / model.session
    session.mkdir()
    model.config.save(session / CONFIG)
    example = raw_columns(BARS[-model.learner.export()[1] - 1 :])
    for learner, state in {"cnn": model.learner.state_dict(), "cnn-2": {}}.items():
        wanted = CandidateWanted(learner, 4, "hand", None, state, example)
        write_candidate(session, model.symbol, model.run, wanted)
    good, bad = waiting_candidates(session, model.symbol)
    assert register_all(client, session, [model.symbol]), "none waits any more"
    assert (model.alias("champion"), good.exists(), bad.exists()) == (1, False, False)
    assert (is_put_aside(good), is_put_aside(bad)) == (False, True)


def test_a_candidate_waits_while_the_store_refuses_it(client, root, tmp_path):
    model = Model(client, root)
    session = tmp_path / model.session
    session.mkdir()
    model.config.save(session / CONFIG)
    example = raw_columns(BARS[-model.learner.export()[1] - 1 :])
    wanted = CandidateWanted("cnn", 4, "hand", None, model.learner.state_dict(), example)
    file = write_candidate(session, model.symbol, "a run that nobody has made", wanted)
    assert not register_all(client, session, [model.symbol])
    assert file.exists()
    assert not is_put_aside(file)


def test_candidates_of_one_learner_are_not_those_of_another_whose_name_begins_the_same(tmp_path):
    for learner in ("cnn", "cnn-2"):
        wanted = CandidateWanted(learner, 4, "hand", None, {}, np.zeros((2, 10)))
        write_candidate(tmp_path, "BTCUSDT", "run", wanted)
    assert [file.parent.name for file in waiting_candidates(tmp_path, "BTCUSDT")] == [
        "cnn",
        "cnn-2",
    ]


# ---- pruning


def test_pruning_keeps_what_an_alias_names_what_ever_was_champion_and_the_newest(model, client):
    model.more(11)
    promote(client, model.name, 2, BY_HAND)
    promote(client, model.name, 3, BY_HAND)
    promote(client, model.name, 4, BY_HAND)  # 2 has no alias any more, but was champion
    client.set_registered_model_alias(model.name, "mine", "5")
    next_challenge(client, model.name, 6)  # was champion by MLflow's own UI, in some session
    assert sorted(prune(client, model.name, keep=4)) == [7, 8]
    kept = [int(version.version) for version in versions_of(client, model.name)]
    assert kept == [12, 11, 10, 9, 6, 5, 4, 3, 2, 1]  # 1 is the challenger still
    assert prune(client, model.name, keep=4) == []


def test_a_model_goes_with_its_last_version_and_not_before(client, root, tmp_path):
    model = Model(client, root)
    model.log()
    model.log()  # version 2, a model of its own
    source = client.get_model_version(model.name, "1").source
    client.create_model_version(f"{model.name}", source, model.run)  # version 3, of the first
    client.delete_registered_model_alias(model.name, "challenger")
    assert prune(client, model.name, keep=1) == [2, 1]
    Versions(client, tmp_path / "models", "sim").load(model.symbol, "cnn", 3)
    logged = {m.model_id for m in client.search_logged_models(
        [client.get_run(model.run).info.experiment_id],
        filter_string=f"source_run_id = '{model.run}'")}  # fmt: skip
    assert logged == {source.removeprefix("models:/")}


# ---- by hand


def test_by_hand_a_source_is_given_or_else_that_of_the_last_session(model, client, root):
    session_of(client, root, "binance", model.symbol)  # the newest session
    given = {"model": "cnn", "symbol": model.symbol}
    assert by_hand(PromoteConfig(source="sim", **given), client).splitlines()[0] == model.name
    name = model_name("binance", model.symbol, "cnn")
    with pytest.raises(ConfigError, match=f"no version of {name} is registered yet"):
        by_hand(PromoteConfig(**given), client)


def test_by_hand_a_challenger_that_is_champion_already_is_not_promoted_again(model, client):
    asked = PromoteConfig(model="cnn", symbol=model.symbol, source="sim", action="promote")
    assert "version 1    challenger, champion" in by_hand(asked, client)
    for run in search(client, "attributes.status = 'RUNNING'"):
        client.set_terminated(run.info.run_id)
    with pytest.raises(RegistryError, match="no challenger and no running session"):
        by_hand(asked, client)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"version": 7}, "version: got 7; tickloop-.* has: 1"),
        ({"model": "cmn"}, "model: got 'cmn'; no version of tickloop-.*-cmn is registered yet"),
    ],
)
def test_by_hand_what_is_not_there_is_to_be_asked_for_otherwise(model, client, asked, told):
    for run in search(client, "attributes.status = 'RUNNING'"):
        client.set_terminated(run.info.run_id)
    given = {"model": "cnn", "symbol": model.symbol, "source": "sim", "action": "promote"}
    with pytest.raises(ConfigError, match=told):
        by_hand(PromoteConfig(**{**given, **asked}), client)
