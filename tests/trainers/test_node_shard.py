"""A shard of a fleet that ends leaves nothing on its machine that the store lacks."""

from __future__ import annotations

import contextlib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.trainers.world import SYMBOL
from trainers.config import SessionConfig
from trainers.recording.decision_log import DecisionLog
from trainers.recording.files import (
    CHECKPOINT,
    CONFIG,
    DECISIONS,
    MARKET_OUTBOX,
    OUTBOX,
    RECORD,
    of_market,
)
from trainers.recording.travel.parts import part_name
from trainers.session.fleet.node.shard import NodeShard
from trainers.tracking.outbox import Batch, Outbox, left_in
from trainers.tracking.runs.lifecycle import start_session
from trainers.tracking.travel.epochs import Epochs, ReplacedError
from trainers.tracking.travel.objects import objects_at
from trainers.tracking.travel.travelled import prefix_of, travelled


@pytest.fixture
def shard(client, tmp_path):
    """A shard whose trainer had no time to deliver its newest metrics."""
    run = start_session(client, SessionConfig(), tmp_path)
    config = tmp_path / CONFIG
    SessionConfig().save(config)
    objects_at(client.get_run(run).info.artifact_uri).put(f"{RECORD}/{CONFIG}", config.read_bytes())
    shard = NodeShard(client, run, [SYMBOL], tmp_path / "home", "us")
    with contextlib.closing(DecisionLog(of_market(shard.folder, SYMBOL, DECISIONS))) as log:
        log.write("verdict", of="last")
    of_market(shard.folder, SYMBOL, CHECKPOINT).write_bytes(b"the state after the last cycle")
    for path, name in (
        (of_market(shard.folder, SYMBOL, MARKET_OUTBOX), "live/accuracy"),
        (shard.folder / OUTBOX, "stream/ticks"),
    ):
        with contextlib.closing(Outbox(path)) as outbox:
            outbox.put(Batch(run, 7, 1000, {name: 0.5}, {}, {}))
    return shard


def test_metrics_that_the_trainer_had_no_time_for_are_in_mlflow(client, shard):
    assert shard.bring_the_rest() == 0
    run = shard.folder.name
    assert client.get_run(run).data.metrics == {"live/accuracy": 0.5, "stream/ticks": 0.5}
    assert client.get_metric_history(run, "live/accuracy")[0].step == 7


def test_the_record_and_the_last_checkpoint_are_in_the_store(client, shard):
    shard.bring_the_rest()
    objects = objects_at(client.get_run(shard.folder.name).info.artifact_uri)
    log = travelled(objects, SYMBOL).read(objects, f"{SYMBOL}{DECISIONS}")
    assert b'"last"' in log
    checkpoint = of_market(shard.folder, SYMBOL, CHECKPOINT)
    assert objects.get(f"{prefix_of(SYMBOL, 1)}/{checkpoint.name}") == checkpoint.read_bytes()


def test_who_was_replaced_delivers_nothing(client, shard):
    run = shard.folder.name
    Epochs(client.tracking_uri, run).take(SYMBOL, "another")
    with pytest.raises(ReplacedError):
        shard.bring_the_rest()
    assert client.get_run(run).data.metrics == {}


def test_metrics_of_a_record_that_cannot_travel_stay_with_it(client, shard):
    run = shard.folder.name
    record = Path(urlsplit(client.get_run(run).info.artifact_uri).path) / prefix_of(SYMBOL, 1)
    (record / part_name(f"{SYMBOL}{DECISIONS}", 0)).mkdir()  # where the log would be put
    with pytest.raises(OSError, match="part-"):
        shard.bring_the_rest()
    assert client.get_run(run).data.metrics == {}
    assert len(left_in(of_market(shard.folder, SYMBOL, MARKET_OUTBOX))) == 1
