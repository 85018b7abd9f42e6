"""Registers a learner, as it was at a cycle's end, as a model version and makes it champion.

    python -m trainers.promotion.candidate SESSION_FOLDER FILE

An export takes a second, in which a trainer would miss a bar: hence a process of its own. The
trainer writes FILE; this process removes it once the version is champion. A kill in between loses
nothing: the next trainer starts the process again.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from streaming.errors import ConfigError
from streaming.program.console import Parser
from streaming.program.entry_point import entry_point
from streaming.symbols import file_name
from trainers.config import SessionConfig
from trainers.engine.commands import CandidateWanted
from trainers.learners.determinism import deterministic
from trainers.learners.registry import learners_of
from trainers.names import model_name
from trainers.promotion.registry import AliasMove, promote, version_of_candidate
from trainers.promotion.versions import log_version
from trainers.recording.checkpoint import load_checkpoint, save_checkpoint
from trainers.recording.files import CONFIG
from trainers.tracking.store import STORE_ERRORS, begin_process, tracking_uri
from trainers.tracking.stores.client import MlflowClient

log = logging.getLogger(__name__)

CANDIDATES = "candidates"


def write_candidate(session: Path, market: str, run_id: str, wanted: CandidateWanted) -> Path:
    """Write the file from which a learner, as it is now, becomes champion; return its path.

    Args:
        session: the session's folder.
        market: the market's symbol.
        run_id: the learner's MLflow run.
        wanted: the engine's command, with the learner's state.
    """
    folder = folder_of(session, market, wanted.learner)
    folder.mkdir(parents=True, exist_ok=True)
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


def folder_of(session: Path, market: str, learner: str) -> Path:
    """Return the folder for the candidates of one learner of one market."""
    return session / CANDIDATES / file_name(market) / learner


def candidates(session: Path, market: str, learner: str) -> list[Path]:
    """Return the files of the candidates that are not champion yet."""
    return sorted(folder_of(session, market, learner).glob("*.pt"))


def start(session: Path, file: Path) -> subprocess.Popen[bytes]:
    """Start the process that registers the candidate in ``file``."""
    words = [sys.executable, "-m", "trainers.promotion.candidate", str(session), str(file)]
    return subprocess.Popen(words)


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


@entry_point("candidate", outside=STORE_ERRORS)
def main() -> None:
    """Run as a process of a session."""
    begin_process("candidate")
    deterministic()
    parser = Parser(prog="candidate")
    parser.add_argument("session", type=Path, help="the session's folder")
    parser.add_argument("file", type=Path, help="the candidate's file in it")
    given = parser.parse_args()
    register(MlflowClient(tracking_uri(Path.cwd())), given.session, given.file)
    given.file.unlink()


if __name__ == "__main__":
    main()
