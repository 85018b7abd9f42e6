"""Versions of a session that was ended by hand: from its folder, by a process that comes after."""

from __future__ import annotations

import pytest

from tests.trainers.world import SYMBOL, World
from trainers.config import SessionConfig
from trainers.learners.registry import baselines_of, learners_of
from trainers.promotion.at_end import trainer_of, unregistered
from trainers.promotion.registry import version_of, versions_of
from trainers.promotion.versions import register_learners
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import DECISIONS, of_market
from trainers.tracking.model_reader import audit_of

LEARNERS = {"learners": "cnn,dqn", "dqn_updates": 5, "cnn_updates": 5}


@pytest.fixture(scope="module")
def ended(root, client, tmp_path_factory):
    """A market whose learners were scored, and that has gone on since its last cycle."""
    config = SessionConfig.of(**LEARNERS)
    made = World(
        tmp_path_factory.mktemp("ended"),
        *learners_of(config, SYMBOL).values(),
        baselines=baselines_of(config, SYMBOL).values(),
        root=root,
        client=client,
        **LEARNERS,
    )
    made.market(115)
    made.advance()
    made.run(15)
    yield made
    made.close()


def test_the_engine_of_the_last_cycle_is_found_again_in_the_folder(ended):
    found, live = trainer_of(ended.folder, ended.config, SYMBOL), ended.trainer
    assert found.cycle == live.cycle > 1
    bars = live.bars
    for ours, theirs in zip(found.roster.learners, live.roster.learners, strict=True):
        assert ours.learner.forecast(bars) == theirs.learner.forecast(bars)
        assert found.tested(ours.name)
        assert ours.metrics() == theirs.metrics()


def test_each_learner_gets_a_version_that_tells_its_session_and_cycle(ended, client):
    found = trainer_of(ended.folder, ended.config, SYMBOL)
    told = list(register_learners(client, ended.session, found, ended.live.run_ids))
    assert [text for _, text in told] == [
        f"registered {name} {SYMBOL} version {version}"
        for name, (version, _) in zip(("cnn", "dqn"), told, strict=True)
    ]
    for name in ("cnn", "dqn"):
        model = f"tickloop-btcusdt-{name}"
        newest = versions_of(client, model)[0]
        assert version_of(client, model, "challenger") == int(newest.version)
        assert newest.run_id == ended.live.run_ids[name]
        (audit,) = audit_of(newest)
        assert (audit["action"], audit["by"]) == ("register", "end")
        assert (audit["session"], audit["cycle"]) == (ended.session, found.cycle)


def test_a_market_without_a_whole_cycle_has_nothing_to_register(tmp_path):
    assert trainer_of(tmp_path, SessionConfig(), SYMBOL) is None


def test_markets_that_their_trainers_have_left_are_registered_already(tmp_path):
    config = SessionConfig(symbols="AAAUSDT,BBBUSDT,CCCUSDT,DDDUSDT")
    logged = {"AAAUSDT": ["began"], "BBBUSDT": ["began", "left", "segment"],
              "CCCUSDT": ["began", "left", "began"]}  # fmt: skip
    for market, entries in logged.items():
        log = DecisionLog(of_market(tmp_path, market, DECISIONS))
        for entry in entries:
            log.write(entry)
        log.close()
    assert unregistered(tmp_path, config) == ["AAAUSDT", "CCCUSDT", "DDDUSDT"]
