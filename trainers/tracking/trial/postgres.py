"""PostgreSQL for trial: a cluster of its own in a folder, with a password, on this machine only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from streaming.errors import ConfigError, ProgramError
from streaming.program.environment import LOOPBACK
from trainers.tracking.trial.program import Program, bound_to_us

USER = DATABASE = "tickloop"
DEBIAN = Path("/usr/lib/postgresql")  # has a folder a version, and is not on the path
PACKAGE = "apt-get install postgresql"
SYSTEM_USER = "postgres"  # PostgreSQL refuses to run as root; Debian's package brings this user


class Postgres:
    """A PostgreSQL server.

    Args:
        folder: for its data; made if missing.
        port: to listen on.
        password: the password of its only user.

    Raises:
        ConfigError: if PostgreSQL is not installed, or the folder cannot be used.
    """

    def __init__(self, folder: Path, port: int, password: str) -> None:
        self._folder, self._data, self.port = folder, folder / "data", port
        self._password, self._tools = password, _tools()
        self._user = SYSTEM_USER if os.geteuid() == 0 else ""
        folder.mkdir(parents=True, exist_ok=True)
        if self._user:
            self._give_away()
        settings = {
            "listen_addresses": LOOPBACK,
            "port": str(port),
            "unix_socket_directories": "",  # /var/run is not ours
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        argv = [str(self._tools / "postgres"), "-D", str(self._data), *words]
        self.program = Program(
            "PostgreSQL", bound_to_us(argv, self._user), folder.with_suffix(".log"), {}
        )

    @property
    def uri(self) -> str:
        """The address for MLflow, without the password."""
        return f"postgresql+psycopg://{USER}@{LOOPBACK}:{self.port}/{DATABASE}"

    def start(self) -> None:
        """Start it, and make its cluster and database if they are missing.

        Raises:
            ProgramError: if it does not start.
        """
        if not (self._data / "PG_VERSION").exists():
            self._make_cluster()
        self.program.start(self._answers)
        made = self._run("createdb", *self._where, "-U", USER, DATABASE)
        if made.returncode and "already exists" not in made.stderr:
            raise ProgramError(f"PostgreSQL does not make its database ({_last(made.stderr)})")

    @property
    def _where(self) -> tuple[str, ...]:
        return "-h", LOOPBACK, "-p", str(self.port)

    def _answers(self) -> bool:
        return self._run("pg_isready", *self._where).returncode == 0

    def _make_cluster(self) -> None:
        file = self._folder / "password"  # a command line could be read by everybody
        try:
            file.touch(0o600)
            file.write_text(f"{self._password}\n")
            if self._user:
                shutil.chown(file, self._user)
            made = self._run(
                "initdb", "-D", str(self._data), "-U", USER, f"--pwfile={file}",
                "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C",
            )  # fmt: skip
        finally:
            file.unlink()
        if made.returncode:
            raise ProgramError(f"PostgreSQL does not make its cluster ({_last(made.stderr)})")

    def _give_away(self) -> None:
        """Give the folder to the user as whom PostgreSQL runs, and see that it can be entered."""
        shutil.chown(self._folder, self._user)
        seen = subprocess.run([*bound_to_us(["test", "-w", str(self._folder)], self._user)])
        if seen.returncode:
            raise ConfigError(
                f"folder: {self._folder} cannot be entered by the user {self._user}, as whom"
                " PostgreSQL runs where root starts it; give another, such as"
                " /var/tmp/tickloop-cloud, or start it as another user"
            )

    def _run(self, tool: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            bound_to_us([str(self._tools / tool), *words], self._user),
            env={**os.environ, "PGPASSWORD": self._password},
            cwd="/",
            capture_output=True,
            text=True,
        )


def _tools() -> Path:
    """Return the folder with PostgreSQL's programs, of the newest version."""
    there = [path for path in DEBIAN.glob("*/bin") if (path / "initdb").exists()]
    if there:
        return max(there, key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)])
    if found := shutil.which("initdb"):
        return Path(found).parent
    raise ConfigError(f"PostgreSQL's server is not installed; on Debian: {PACKAGE}")


def _last(text: str) -> str:
    return text.strip().rpartition("\n")[2]
