"""Guards of the one-way flow and of who owns what: streaming <- datamodules <- trainers <- ui."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ("streaming", "datamodules", "trainers", "ui")
SOURCES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in ORDER
    for path in sorted((ROOT / folder).rglob("*.py"))
}
EACH = pytest.mark.parametrize("here", SOURCES)

# A third-party package and where alone it may be imported.
OWNERS = {
    "websockets": ("streaming/feed.py", "streaming/exchange/"),
    # Beside its owner, the entry points that make a client for it.
    "mlflow": ("trainers/tracking/", "trainers/session/__main__.py", "trainers/session/resume.py",
               "trainers/session/trainer/__main__.py", "trainers/promotion/",
               "trainers/replay/"),
    "gradio": ("ui/",),
    "fastapi": ("ui/",),
    "uvicorn": ("ui/",),
    "pytorch_lightning": ("datamodules/", "trainers/learners/"),
    "torch": ("datamodules/", "trainers/learners/", "trainers/promotion/",
              "trainers/recording/checkpoint.py",
              "trainers/engine/assembly.py"),
    "sklearn": ("datamodules/", "trainers/learners/"),
    "gymnasium": ("datamodules/",),
    "pyarrow": ("streaming/tape/",),
    "itsdangerous": ("ui/auth/",),
    "apprise": ("ui/alerts/",),
}  # fmt: skip

# Read the wall clock or sleep; the rest takes times as arguments.
PURE = (
    "streaming/bars.py", "streaming/sequence.py", "streaming/ingest.py", "datamodules/",
    "trainers/scoring/", "trainers/learners/",
)  # fmt: skip


def imports_of(path: Path) -> set[str]:
    """Return every imported module, with the names imported from it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide the direction"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def packages_of(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports_of(path)}


@EACH
def test_imports_point_upstream_only(here):
    downstream = ORDER[ORDER.index(here.split("/")[0]) + 1 :]
    assert not packages_of(SOURCES[here]) & {*downstream, "tests", "benchmarks"}


@EACH
def test_each_heavy_library_has_its_owners(here):
    found = packages_of(SOURCES[here])
    strangers = {name for name, owners in OWNERS.items() if not here.startswith(owners)}
    assert not found & strangers


@pytest.mark.parametrize("package", OWNERS)
def test_no_owner_is_listed_that_has_gone(package):
    users = [here for here, path in SOURCES.items() if package in packages_of(path)]
    for owner in OWNERS[package]:
        assert any(here.startswith(owner) for here in users), owner


@EACH
def test_pure_rooms_read_no_clock_socket_process_or_environment(here):
    if here.startswith(PURE):
        impure = {"time", "datetime", "socket", "subprocess", "threading", "os", "asyncio"}
        assert not packages_of(SOURCES[here]) & impure


@EACH
def test_print_stays_in_entry_points(here):
    if here.startswith(("datamodules/", "trainers/learners/", "trainers/scoring/")):
        tree = ast.parse(SOURCES[here].read_text(encoding="utf-8"))
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        assert "print" not in {call.id for call in calls if isinstance(call, ast.Name)}


def test_generators_are_never_the_global_ones():
    for here, path in SOURCES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            text = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            drawn = re.match(r"np\.random\.(\w+)", text)
            assert not drawn or drawn[1] in ("default_rng", "SeedSequence"), f"{here}: {text}"
            assert not text.startswith("random.") or text == "random.Random", f"{here}: {text}"


# What a process loads, and what it has no use for.
LIGHT = {
    "streaming.feed": "torch mlflow gradio pytorch_lightning pandas sklearn",
    "streaming.exchange.server": "torch mlflow gradio pytorch_lightning sklearn",
    "ui.app": "torch pytorch_lightning gradio websockets.asyncio.server",
    "trainers.session.__main__, trainers.tracking.reader, trainers.tracking.tracker": (
        "torch pytorch_lightning gradio"
    ),
}


@pytest.fixture(scope="module")
def loaded():
    """Those that were loaded nevertheless; all processes at once, as imports take seconds."""
    processes = {}
    for modules, heavy in LIGHT.items():
        code = f"import sys, {modules}; print(*(set({heavy.split()!r}) & set(sys.modules)))"
        processes[modules] = subprocess.Popen(
            [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
    return {
        modules: (process.communicate(timeout=120)[0].split(), process.returncode)
        for modules, process in processes.items()
    }


@pytest.mark.parametrize("modules", LIGHT)
def test_a_process_loads_no_library_that_it_does_not_need(modules, loaded):
    assert loaded[modules] == ([], 0)
