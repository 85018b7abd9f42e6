"""Registers learners, as they were at a cycle's end, as model versions and makes them champions.

    python -m trainers.promotion.candidate SESSION_FOLDER [--markets SYMBOL,...]

An export takes a second, in which a trainer would miss a bar: hence a process of its own, which the
launcher forks while files wait. The trainer writes them; this process removes each once its version
is champion. A kill in between loses nothing: the launcher forks another. What the store does not
take now waits, too; a candidate that cannot be registered at all is put aside, as ``.failed``.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from streaming.errors import ConfigError, reason_of
from streaming.program.console import Parser
from streaming.program.entry_point import entry_point
from trainers.config import SessionConfig
from trainers.engine.commands import CandidateWanted
from trainers.learners.determinism import deterministic
from trainers.learners.registry import learners_of
from trainers.names import model_name
from trainers.promotion.registry import AliasMove, promote, version_of_candidate
from trainers.promotion.versions import log_version
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint
from trainers.recording.files import CONFIG, candidates_folder, waiting_candidates
from trainers.tracking.store import STORE_ERRORS, begin_process, tracking_uri
from trainers.tracking.stores.client import MlflowClient

log = logging.getLogger(__name__)

FAILED = ".failed"


def write_candidate(session: Path, market: str, run_id: str, wanted: CandidateWanted) -> Path:
    """Write the file from which a learner, as it is now, becomes champion; return its path.

    Args:
        session: the session's folder.
        market: the market's symbol.
        run_id: the learner's MLflow run.
        wanted: the engine's command, with the learner's state.
    """
    folder = candidates_folder(session, market) / wanted.learner
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob(f"*{FAILED}"):
        old.unlink()
    path = folder / f"{wanted.cycle}.pt"
    request = {
        "symbol": market,
        "learner": wanted.learner,
        "run": run_id,
        "cycle": wanted.cycle,
        "by": wanted.by,
        "verdict": wanted.verdict.as_dict() if wanted.verdict else None,
        "state": wanted.state,
        "bars": wanted.example,
    }
    save_checkpoint(path, request)
    return path


def is_put_aside(file: Path) -> bool:
    """Return whether a candidate, given the file that it was written to, cannot be registered."""
    return file.with_suffix(FAILED).exists()


def register(client: MlflowClient, session: Path, file: Path) -> int:
    """Register the candidate in a file and make it champion; return its version's number.

    A candidate that an interrupted process has registered already is not registered again.

    Raises:
        TickloopError: if the file, or the settings in the session's folder, cannot be used.
    """
    config = SessionConfig.load(session / CONFIG)
    request = load_checkpoint(file)
    if request is None:
        raise ConfigError(f"{file}: expected the candidate that a trainer wrote, there is none")
    name = model_name(config.source, request["symbol"], request["learner"], config.target)
    candidate = f"{session.name} {request['cycle']}"
    told = (request["by"], session.name, request["cycle"], request["verdict"])
    version = version_of_candidate(client, name, candidate)
    if not version:
        learner: Any = learners_of(config, request["symbol"])[request["learner"]]
        learner.load_state_dict(request["state"])
        module, _ = learner.export()
        raw = request["bars"]
        version = log_version(
            client,
            request["run"],
            symbol=request["symbol"],
            learner=request["learner"],
            module=module,
            example=np.stack([raw[:-1], raw[1:]]),
            move=AliasMove("register", *told),
            candidate=candidate,
        )
    promote(client, name, version, AliasMove("promote", *told))
    return version


def register_all(client: MlflowClient, session: Path, markets: Iterable[str]) -> bool:
    """Register the candidates that wait; return whether none waits any more.

    Args:
        client: of the store.
        session: the session's folder.
        markets: the markets whose candidates are looked at.
    """
    done = True
    for file in [file for market in markets for file in waiting_candidates(session, market)]:
        try:
            register(client, session, file)
            file.unlink()
        except (*STORE_ERRORS, OSError) as e:
            log.warning("%s waits: %s", file, reason_of(e))
            done = False
        except Exception:  # a learner's own code, too: the others are not to wait for it
            log.exception("%s cannot be registered and is put aside", file)
            with contextlib.suppress(FileNotFoundError):  # one that outlived its launcher did it
                file.rename(file.with_suffix(FAILED))
    return done


@entry_point("candidate", outside=STORE_ERRORS)
def main() -> int:
    """Run as a process of a session."""
    begin_process("candidate")
    deterministic()
    parser = Parser(prog="candidate")
    parser.add_argument("session", type=Path, help="the session's folder")
    parser.add_argument("--markets", default="", help="the markets to look at, if not all")
    given = parser.parse_args()
    config = SessionConfig.load(given.session / CONFIG)
    markets = given.markets.split(",") if given.markets else config.symbol_list
    client = MlflowClient(tracking_uri(Path.cwd()))
    return 0 if register_all(client, given.session, markets) else 1


if __name__ == "__main__":
    main()
