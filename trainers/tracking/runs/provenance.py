"""What a session was made with: the commit and its changes, the packages and their versions.

Training needs none of it: what cannot be found is left out.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path

from trainers.tracking.stores.client import MLFLOW_GIT_COMMIT

STACK = (
    "mlflow", "torch", "pytorch-lightning", "numpy", "pandas", "scikit-learn", "websockets",
    "gradio",
)  # fmt: skip
GIT_SECONDS = 10


def provenance(root: Path) -> dict[str, str]:
    """Return the versions of Python, the stack and the project at ``root``, as tags."""
    found = _packages()
    tags = {"version.python": platform.python_version()}
    tags |= {f"version.{name}": found[name] for name in STACK if name in found}
    commit = commit_of(root)
    if commit is not None:
        tags[MLFLOW_GIT_COMMIT] = commit
        tags["git.dirty"] = str(bool(_git(root, "status", "--porcelain"))).lower()
    return tags


def installed() -> str:
    """Return all installed packages with their versions, one per line."""
    found = _packages()
    return "".join(f"{name}=={found[name]}\n" for name in sorted(found, key=str.lower))


def commit_of(root: Path) -> str | None:
    """Return the hash of the commit that is checked out; None outside a git repository."""
    return _git(root, "rev-parse", "HEAD")


def uncommitted(root: Path) -> str | None:
    """Return the changes since the commit; None outside a git repository.

    Bytes that are no UTF-8, as of a file in Latin-1, become replacement characters.
    """
    return _git(root, "diff", "HEAD")


def _packages() -> dict[str, str]:
    """Return the versions by name; what an interrupted `pip install` leaves may have neither."""
    found = {}
    for package in importlib.metadata.distributions():
        with contextlib.suppress(OSError, ValueError, KeyError):
            name, version = package.metadata["Name"], package.metadata["Version"]
            if name and version:
                found[str(name)] = str(version)
    return found


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, timeout=GIT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
