"""Checks a session's settings and ports before any process starts."""

from __future__ import annotations

import dataclasses
import socket
import tempfile
from pathlib import Path

from streaming.errors import ConfigError, TickloopError
from streaming.exchange.sources import check_source
from streaming.feed.rest.symbol_check import check_venue
from streaming.program.environment import LOOPBACK
from trainers.config import SessionConfig
from trainers.learners.registry import check_learners
from trainers.session.access import Passwords, check_access
from trainers.tracking.stores.client import MAX_PARAM_VAL_LENGTH

# MLflow cuts a longer param off, and a run's params have to be the session's settings.
MOST_CHARS = MAX_PARAM_VAL_LENGTH


class PortError(TickloopError):
    """A port that the session needs is taken or cannot be used."""

    exit_code = 2


def check_port(setting: str, host: str, port: int) -> None:
    """Check that a server can listen on a port.

    Args:
        setting: name of the setting, for the error.
        host: the address to listen on.
        port: the port; 0 for none, which is always fine.

    Raises:
        PortError: if it cannot.
    """
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as e:
            raise PortError(
                f"{setting}: port {port} on {host} cannot be used ({e.strerror}); "
                f"allowed: a free port, or 0 for none"
            ) from e


def check_folder(folder: Path) -> None:
    """Check that files can be made in a folder; make it if it is missing.

    Raises:
        ConfigError: if they cannot.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as e:
        raise ConfigError(
            f"{folder}: expected a folder that this user may write ({e.strerror})"
        ) from e


def check(config: SessionConfig, passwords: Passwords) -> SessionConfig:
    """Check the settings and ports of a session, without starting anything.

    Returns:
        The settings, with symbols as a tape spells them and the features that the source allows.

    Raises:
        TickloopError: if a setting is wrong, or a port is taken or is to be used twice; the text
            is one line.
    """
    for name, value in config.flat.items():
        if (length := len(str(value))) > MOST_CHARS:
            raise ConfigError(
                f"{name}: got {length:,} characters; allowed: {MOST_CHARS:,}, as MLflow keeps no"
                " longer param"
            )
    if config.page_port:
        check_access(config.page_host, passwords)
    check_learners(config.learner_list, config.learner)
    if config.page_port and config.page_port == config.mlflow_ui_port:
        raise PortError(
            f"mlflow_ui_port: got {config.mlflow_ui_port}, which is page_port too; allowed: another"
            " port, or 0 for none"
        )
    check_port("page_port", config.page_host, config.page_port)
    check_port("mlflow_ui_port", LOOPBACK, config.mlflow_ui_port)
    if not config.plays_locally:
        check_venue(config)
        return config.with_features(quotes=config.quotes)
    source = check_source(config)  # last, as it may take seconds and say something
    if source.symbols != config.symbol_list:
        config = dataclasses.replace(config, symbols=",".join(source.symbols))
    return config.with_features(quotes=source.quotes)
