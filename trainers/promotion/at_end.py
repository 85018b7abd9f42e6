"""Registers what the learners of a session had learned when it was ended by hand.

    python -m trainers.promotion.at_end SESSION_FOLDER

A session that is told to end does so within 5 s, and exports take longer on a busy machine: hence
a process of its own, at the lowest priority, that outlives the session. It starts from the
checkpoints of the last cycles, so that a trainer that had to be killed loses no version either.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mlflow.tracking import MlflowClient

from streaming.cache import bar_ring
from streaming.console import say
from streaming.entry_point import entry_point
from streaming.errors import TickloopError
from trainers.config import SessionConfig
from trainers.engine.market_trainer import MarketTrainer
from trainers.engine.runners.roster import make_roster
from trainers.learners.determinism import deterministic
from trainers.promotion.versions import register_learners
from trainers.recording.checkpoint import load_checkpoint
from trainers.recording.decision_log import was_left
from trainers.recording.files import CHECKPOINT, CONFIG, DECISIONS, of_market
from trainers.recording.ledger import read_ledger
from trainers.recording.record import read_runs
from trainers.tracking.store import STORE_ERRORS, begin_process, tracking_uri


def trainer_of(session: Path, config: SessionConfig, market: str) -> MarketTrainer | None:
    """Return a market's engine as it was after its last cycle; None before the first.

    Args:
        session: the session's folder.
        config: the session's settings.
        market: the market's symbol.

    Raises:
        CheckpointError: if the checkpoint cannot be read.
    """
    saved = load_checkpoint(of_market(session, market, CHECKPOINT))
    if saved is None:
        return None
    trainer = MarketTrainer(config, market, make_roster(config, market))
    taken = saved["state"]["next_bar"]
    bars = bar_ring(session, market).read(taken - config.history_bars, taken).rows
    _, outcomes, forecasts = read_ledger(session, market)
    # Champions are not asked for anything here, so their models are left out.
    trainer.restore(saved["state"], bars, (outcomes, forecasts), lambda *_: None)
    return trainer


def unregistered(session: Path, config: SessionConfig) -> list[str]:
    """Return the markets whose trainers have not registered what they had learned."""
    every = config.symbol_list
    return [market for market in every if not was_left(of_market(session, market, DECISIONS))]


@entry_point("models", outside=STORE_ERRORS, codes={TickloopError: 1})
def main() -> None:
    """Run after a session."""
    begin_process("models")
    deterministic()
    session = Path(sys.argv[1])
    config = SessionConfig.load(session / CONFIG)
    client = MlflowClient(tracking_uri(Path.cwd()))
    for market in unregistered(session, config):
        if (trainer := trainer_of(session, config, market)) is not None:
            runs = read_runs(session, market)
            for _, text in register_learners(client, session.name, trainer, runs):
                say(text)


if __name__ == "__main__":
    main()
