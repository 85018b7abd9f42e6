"""The file that says where the CNN of a session starts, and how a session names it.

    -e pretrain writes it -> --learner.cnn.start FILE -> FILE@DIGEST in the session's params

With the digest a replay refuses a file that is another by now.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from datamodules.digest import DIGEST_BYTES
from streaming.errors import ConfigError, reason_of
from streaming.program.whole_file import write_whole
from trainers.config.session import SessionConfig

FORMAT = 1
NAMED = re.compile(rf"(.+)@([0-9a-f]{{{2 * DIGEST_BYTES}}})", re.DOTALL)
SETTING = "cnn_start"
SAME = ("features", "label", "horizon", "bar_seconds")  # of the file as of the session

Config = TypeVar("Config", bound=SessionConfig)


class Start(NamedTuple):
    """What other markets say of the weights of a linear expert, before its own bars do.

    Attributes:
        features: name of the feature set.
        label: the price whose move is forecast.
        horizon: how many bars ahead.
        bar_seconds: length of a bar, s.
        mean: D + 1 numbers, the weights to expect, those of D standardised inputs and the bias.
        spread: D + 1 numbers above 0, by how much a market's weights differ from them.
        markets: what it was learned from, as texts and numbers by name.
    """

    features: str
    label: str
    horizon: int
    bar_seconds: int
    mean: tuple[float, ...]
    spread: tuple[float, ...]
    markets: tuple[Mapping[str, Any], ...]


def save_start(start: Start, path: Path) -> str:
    """Write a file that ``read_start`` reads; return its digest.

    Raises:
        OSError: if the disk does not take it.
    """
    data = json.dumps({"format": FORMAT, **start._asdict()}, indent=1).encode() + b"\n"
    write_whole(path, data)
    return _digest(data)


def read_start(named: str, **session: Any) -> Start:
    """Read the file of a session's setting.

    Args:
        named: ``FILE`` or ``FILE@DIGEST``.
        session: some of the session's ``SAME`` settings.

    Raises:
        ConfigError: if there is no such file, it is another than that of the digest, or it was
            made for other settings.
    """
    path, digest = _apart(named)
    data = _data(path)
    if digest and _digest(data) != digest:
        raise ConfigError(
            f"{SETTING}: expected {path} with the digest {digest}, as the session began; it has"
            f" {_digest(data)} now: restore it"
        )
    start = _parsed(path, data)
    for name, wanted in session.items():
        if (found := getattr(start, name)) != wanted:
            raise ConfigError(
                f"{SETTING}: {path} was made for {name} {found}, and the session has {wanted};"
                f" give {name} {found}, or make another by -e pretrain -P {name}={wanted}"
            )
    return start


def with_start(config: Config) -> Config:
    """Return the settings with the whole path and the digest of the file that they name, if any.

    Raises:
        ConfigError: as ``read_start``.
    """
    named = config.flat[SETTING]
    if not named:
        return config
    features = config.feature_set
    read_start(named, **{name: getattr(config, name) for name in SAME} | {"features": features})
    path, _ = _apart(named)
    return config.changed(**{SETTING: f"{os.path.abspath(path)}@{_digest(_data(path))}"})


def _apart(named: str) -> tuple[Path, str]:
    found = NAMED.fullmatch(named)
    return (Path(found[1]), found[2]) if found else (Path(named), "")


def _data(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as e:
        raise ConfigError(
            f"{SETTING}: got {str(path)!r}, which cannot be read ({e.strerror}); allowed: a file"
            " that -e pretrain has saved"
        ) from e


def _parsed(path: Path, data: bytes) -> Start:
    try:
        values = json.loads(data)
        if values.pop("format") != FORMAT:
            raise ValueError("another format")
        start = Start(**values)
        mean, spread = (tuple(map(float, numbers)) for numbers in (start.mean, start.spread))
        markets = tuple(start.markets)
        if len(mean) != len(spread) or not all(map(math.isfinite, (*mean, *spread))):
            raise ValueError("its numbers are none")
        if min(spread) <= 0:
            raise ValueError("a spread is not above 0")
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as e:
        raise ConfigError(
            f"{SETTING}: got {str(path)!r}, which is no such file ({reason_of(e)}); allowed: a file"
            " that -e pretrain has saved"
        ) from e
    return start._replace(mean=mean, spread=spread, markets=markets)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()
