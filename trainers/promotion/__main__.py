"""The registry by hand: promote the challenger, roll the champion back, or show the versions.

    python -m trainers.promotion --model cnn --action promote|rollback|status

It moves the aliases of the model of one source, symbol and learner; a running session notices
within seconds. The evidence is shown but does not bind a person: the audit record says who moved
the alias.
"""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path

from streaming.config import StreamConfig
from streaming.errors import ConfigError, TickloopError
from streaming.program.console import say
from streaming.program.entry_point import entry_point
from streaming.program.settings import Settings, setting
from trainers.names import (
    CHALLENGER_ALIAS,
    CHAMPION_ALIAS,
    CONTROL,
    CONTROL_RESULT,
    SIMULATED,
    SOURCE,
    Control,
    Tag,
    model_of_run,
)
from trainers.promotion.registry import (
    AliasMove,
    RegistryError,
    promote,
    roll_back,
    version_of,
    versions_of,
)
from trainers.tracking.model_reader import audit_of
from trainers.tracking.runs.launched import unquoted
from trainers.tracking.runs.search import last_session, running_session
from trainers.tracking.store import before_the_start, ensure_store
from trainers.tracking.stores.client import MlflowClient, Run

ACTIONS = ("promote", "rollback", "status")
PATIENCE_S = 180.0  # how long to wait for a session to register its learner


@dataclasses.dataclass(frozen=True, kw_only=True)
class PromoteConfig(Settings):
    """Promote or roll back a registered model, or show its versions."""

    model: str = setting("cnn", "the learner's name")
    action: str = setting("status", "what to do", choices=ACTIONS)
    symbol: str = setting(StreamConfig.symbols, "the market")
    source: str = setting(
        "", "the market's source: sim, sim:MARKET, tape or a venue; empty for that of the running"
        " session, or else of the last",
    )  # fmt: skip
    version: int = setting(0, "which version to promote; 0 is the challenger", low=0)


def run(config: PromoteConfig, client: MlflowClient) -> str:
    """Carry out the action; return the text to print.

    Raises:
        ConfigError: if there is no such model or version.
        RegistryError: if the registry or the running session cannot do it.
        TickloopError: if the running session does not answer.
    """
    name = _name(config, client)
    if config.action == "promote":
        if version := config.version or _challenger(client, name):
            _check_known(client, name, version)
            promote(client, name, version, AliasMove("promote", "hand"))
        else:
            _ask_session(client, config, name)
        return status(client, name)
    _check_registered(client, config, name)
    if config.action == "rollback":
        roll_back(client, name, AliasMove("rollback", "hand"))
    return status(client, name)


def status(client: MlflowClient, name: str) -> str:
    """Return a model's versions as a text, newest first, with their aliases and audit records."""
    lines = [name]
    for version in versions_of(client, name):
        aliases = ", ".join(sorted(version.aliases))
        lines.append(f"  version {version.version:<4} {aliases}")
        for told in audit_of(version):
            when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(told["ts"]))
            reason = (told["verdict"] or {}).get("reason", "no verdict")
            lines.append(f"    {when}  {told['action']} by {told['by']}: {reason}")
    session = running_session(client)
    if session is not None:
        lines += [f"  now: {reason}" for reason in _verdicts(client, session, name)]
    return "\n".join(lines)


def _name(config: PromoteConfig, client: MlflowClient) -> str:
    """Return the model's name: that of the running session, or else of the last."""
    session = running_session(client) or last_session(client)
    found = {} if session is None else client.get_run(session).data.params
    source = config.source or unquoted(found.get(SOURCE, SIMULATED))
    return model_of_run({**found, SOURCE: source}, config.symbol, config.model)


def _challenger(client: MlflowClient, name: str) -> int:
    """Return the newest challenger's version; 0 if there is none that is not champion already."""
    version = version_of(client, name, CHALLENGER_ALIAS)
    return 0 if version == version_of(client, name, CHAMPION_ALIAS) else version


def _check_registered(client: MlflowClient, config: PromoteConfig, name: str) -> None:
    if not versions_of(client, name):
        raise ConfigError(f"model: got {config.model!r}; no version of {name} is registered yet")


def _check_known(client: MlflowClient, name: str, version: int) -> None:
    there = [int(found.version) for found in versions_of(client, name)]
    if version not in there:
        known = ", ".join(map(str, there)) or "none"
        raise ConfigError(f"version: got {version}; {name} has: {known}")


def _ask_session(client: MlflowClient, config: PromoteConfig, name: str) -> None:
    """Request the running session to register its learner, as it is now, as champion."""
    session = running_session(client)
    if session is None:
        _check_registered(client, config, name)
        raise RegistryError(
            f"{name}: there is no challenger and no running session; a session registers one when"
            " it ends"
        )
    before = version_of(client, name, CHAMPION_ALIAS)
    client.set_tag(session, f"{CONTROL}{Control.PROMOTE}", config.model)
    deadline = time.monotonic() + PATIENCE_S
    while version_of(client, name, CHAMPION_ALIAS) == before:
        answer = client.get_run(session).data.tags.get(f"{CONTROL_RESULT}{Control.PROMOTE}", "{}")
        found = json.loads(answer)
        if found.get("result") == "refused" and found["value"] == config.model:
            raise RegistryError(found["text"])
        if time.monotonic() > deadline:
            raise TickloopError(f"{name}: session {session} did not answer in {PATIENCE_S:.0f} s")
        time.sleep(0.2)


def _verdicts(client: MlflowClient, session: str, name: str) -> list[str]:
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    runs = client.search_runs(
        experiments, f"tags.{Tag.SESSION} = '{session}' and tags.{Tag.VERDICT} != ''"
    )
    return [
        json.loads(run.data.tags[Tag.VERDICT])["reason"] for run in runs if _model_of(run) == name
    ]


def _model_of(run: Run) -> str:
    tags = run.data.tags
    return model_of_run(run.data.params, tags[Tag.SYMBOL], tags[Tag.LEARNER])


@entry_point("promote")
def main() -> None:
    """Run an action from the command line."""
    config = PromoteConfig.from_args()
    with before_the_start():
        text = run(config, MlflowClient(ensure_store(Path.cwd())))
    say(text)


if __name__ == "__main__":
    main()
