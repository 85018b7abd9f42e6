"""Versions of a session that was ended by hand: from its folder, by a process that comes after."""

from __future__ import annotations

import multiprocessing
import os
import signal

import pytest

from streaming.errors import ConfigError
from tests.end_to_end.main_job import PATIENCE
from tests.trainers.world import SYMBOL, World
from trainers.config import SessionConfig, session_folder
from trainers.learners.registry import baselines_of, learners_of
from trainers.promotion.at_end import (
    AtEndConfig,
    EndReport,
    session_of,
    share_out,
    told_of,
    trainer_of,
    unregistered,
)
from trainers.promotion.registry import version_of, versions_of
from trainers.promotion.versions import register_learners
from trainers.recording.decision_log import DecisionLog
from trainers.recording.errors import DecisionLogError
from trainers.recording.files import CHECKPOINT, CONFIG, DECISIONS, of_market
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


def test_what_is_registered_already_is_left_alone(ended, client):
    found = trainer_of(ended.folder, ended.config, SYMBOL)
    list(register_learners(client, ended.session, found, ended.live.run_ids))
    before = len(versions_of(client, "tickloop-btcusdt-cnn"))
    told = list(register_learners(client, ended.session, found, ended.live.run_ids))
    assert [version for version, _ in told] == [0, 0]
    assert told[0].text == f"cnn {SYMBOL} is registered already, as version {before}"
    assert len(versions_of(client, "tickloop-btcusdt-cnn")) == before


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


# ---- many markets


def at_once(markets):
    for market in markets:
        yield EndReport(market, f"registered cnn {market} version 1, by {os.getpid()}")
        yield EndReport(market, done=True)


def test_processes_share_the_markets_out_and_tell_how_far_they_are():
    said = []
    assert share_out(at_once, list("ABCDE"), 2, PATIENCE, said.append) == []
    texts = [text for text in said if text.startswith("registered")]
    assert sorted(text.split()[2] for text in texts) == list("ABCDE")
    assert len({text.split()[-1] for text in texts} - {str(os.getpid())}) == 2
    assert [text for text in said if text not in texts] == [
        f"models     {n} of 5 markets" for n in range(1, 6)
    ]


def test_when_the_time_is_up_those_that_are_left_are_known():
    def slow(markets):
        for market in markets:
            if market == "B":
                signal.pause()
            yield EndReport(market, done=True)

    said = []
    assert share_out(slow, ["A", "B", "C", "D"], 2, 8, said.append) == ["B", "D"]
    assert multiprocessing.active_children() == []


def test_a_process_that_was_killed_loses_its_own_markets_only():
    def killed(markets):
        if "A" in markets:
            os.kill(os.getpid(), signal.SIGKILL)
        yield from at_once(markets)

    assert share_out(killed, ["A", "B", "C"], 2, PATIENCE, lambda _: None) == ["A", "C"]


def test_a_market_that_fails_does_not_hold_the_others_up(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mlflow.db").touch()
    of_market(tmp_path, "AAAUSDT", CHECKPOINT).write_bytes(b"damaged")
    config = SessionConfig(symbols="AAAUSDT,BBBUSDT")
    first, second = told_of(tmp_path, config, config.symbol_list)
    assert first.text.startswith("AAAUSDT is not registered: ")
    assert (first.done, second) == (False, EndReport("BBBUSDT", done=True))


def test_a_session_that_is_unknown_or_runs_is_refused(tmp_path):
    for name in ("", "nosuch", "../x"):
        with pytest.raises(ConfigError, match="expected the run id of a session in"):
            session_of(AtEndConfig(session=name), tmp_path)
    folder = session_folder(tmp_path, "abc")
    folder.mkdir(parents=True)
    SessionConfig().save(folder / CONFIG)
    assert session_of(AtEndConfig(session="abc"), tmp_path) == folder
    log = DecisionLog(of_market(folder, SYMBOL, DECISIONS))
    try:
        with pytest.raises(DecisionLogError, match="another process writes it"):
            session_of(AtEndConfig(session="abc"), tmp_path)
    finally:
        log.close()
