"""The whole store for trial, in one folder, and what programs have to know of it.

FOLDER/postgres/ s3/    the data
FOLDER/store.env        the addresses, passwords and keys, for a shell; readable by its owner only
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
from pathlib import Path
from typing import Self

from trainers.tracking.trial.postgres import Postgres
from trainers.tracking.trial.s3 import BUCKET, S3

ENVIRONMENT = "store.env"
BITS = 24  # bytes of a password

# What only their owner may know, by the variable in which programs look for it.
PASSWORD, KEY, SECRET = "PGPASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


class TrialStore:
    """A PostgreSQL server and an S3 server, as a store for MLflow.

    Args:
        folder: for their data; what an earlier store has left there goes on.
        postgres_port: PostgreSQL's port.
        s3_port: the S3 server's port.

    Attributes:
        file: the file with the addresses, for a shell.
        environment: the same by variable.

    Raises:
        ConfigError: if a server is not installed, or the folder cannot be used.
    """

    def __init__(self, folder: Path, postgres_port: int, s3_port: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.file = folder / ENVIRONMENT
        known = _read(self.file) if self.file.exists() else _new_secrets()
        self.postgres = Postgres(folder / "postgres", postgres_port, known[PASSWORD])
        self.s3 = S3(folder / "s3", s3_port, known[KEY], known[SECRET])
        self.environment = {
            "MLFLOW_TRACKING_URI": self.postgres.uri,
            PASSWORD: known[PASSWORD],
            "MLFLOW_DEFAULT_ARTIFACT_ROOT": f"s3://{BUCKET}",
            "MLFLOW_S3_ENDPOINT_URL": self.s3.endpoint,
            KEY: known[KEY],
            SECRET: known[SECRET],
        }
        _write(self.file, self.environment)

    def __enter__(self) -> Self:
        """Start both servers.

        Raises:
            ProgramError: if one does not start.
        """
        try:
            self.postgres.start()
            self.s3.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.s3.program.stop()
        self.postgres.program.stop()

    def check(self) -> None:
        """Check that both run.

        Raises:
            ProgramError: if one has ended.
        """
        self.postgres.program.check()
        self.s3.program.check()


def _new_secrets() -> dict[str, str]:
    return {name: secrets.token_hex(BITS) for name in (PASSWORD, KEY, SECRET)}


def _read(file: Path) -> dict[str, str]:
    lines = re.findall(r"^export (\w+)=(.*)$", file.read_text(), re.MULTILINE)
    return {name: shlex.split(value)[0] for name, value in lines}


def _write(file: Path, environment: dict[str, str]) -> None:
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
    number = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(number, "w") as opened:
        opened.writelines(lines)
