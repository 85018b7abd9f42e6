"""Guards of the one-way flow and of who owns what: streaming <- datamodules <- trainers <- ui."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter, defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ORDER = ("streaming", "datamodules", "trainers", "ui", "tickloop")
SOURCES = {
    path.relative_to(ROOT).as_posix(): path
    for folder in ORDER
    for path in sorted((ROOT / folder).rglob("*.py"))
}
EACH = pytest.mark.parametrize("here", SOURCES)

# A third-party package and where alone it may be imported.
OWNERS = {
    "websockets": (
        "streaming/feed/connection/", "streaming/exchange/",
    ),
    # All that most rooms use of it is in ``client``; the others use what is private or heavy.
    "mlflow": ("trainers/tracking/stores/client.py", "trainers/tracking/stores/artifacts.py",
               "trainers/tracking/stores/database.py", "trainers/tracking/stores/paging.py",
               "trainers/tracking/stores/sampling.py", "trainers/promotion/versions.py",
               "trainers/promotion/alias_watcher.py",
               "trainers/learners/adapters/mlflow_model.py"),
    "gradio": ("ui/",),
    "fastapi": ("ui/",),
    "uvicorn": ("ui/",),
    "pytorch_lightning": ("datamodules/", "trainers/learners/"),
    "torch": ("datamodules/", "trainers/learners/", "trainers/promotion/",
              "trainers/recording/checkpoint.py"),
    "sklearn": ("datamodules/", "trainers/learners/"),
    "gymnasium": ("datamodules/",),
    "pyarrow": ("streaming/tape/", "tickloop/export/"),
    "tensorboard": ("tickloop/export/",),
    "itsdangerous": ("ui/auth/",),
    "apprise": ("ui/alerts/",),
    "optuna": ("trainers/research/tuning/",),
    "matplotlib": ("trainers/research/tuning/",),
    "ray": ("trainers/session/fleet/",),
    "grpc": ("trainers/session/fleet/node/spare.py",),
    "boto3": ("trainers/tracking/travel/objects.py",),
}  # fmt: skip

# Touch no file, clock, socket or process: they take times and generators as arguments.
PURE = (
    "streaming/bars.py", "streaming/carry.py", "streaming/feed/market/sequence.py",
    "streaming/rings/counters.py",
    "datamodules/",
    "trainers/names.py", "trainers/states.py", "trainers/scoring/", "trainers/learners/",
    "trainers/engine/",
)  # fmt: skip
IMPURE = {
    "asyncio", "datetime", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "shutil",
    "signal", "socket", "subprocess", "tempfile", "threading", "time",
}  # fmt: skip
EXCUSED = {
    ("trainers/learners/lightning.py", "logging"),  # Lightning's own log is silenced there
    ("trainers/learners/determinism.py", "os"),  # MKL is told by the environment alone
    # Times and paths that they are given are only written or taken apart.
    ("trainers/tracking/runs/descriptions.py", "time"),
    ("trainers/tracking/summary.py", "time"),
    ("ui/live/source_badge.py", "datetime"),
    ("ui/runs/runs_table.py", "pathlib"),
    ("ui/views/formatting.py", "datetime"),
}

# The rooms of trainers/, from the ground floor up: each imports from those before it only.
ROOMS = (
    "names", "states", "config", "scoring", "learners", "engine", "recording", "tracking",
    "promotion", "replay", "session", "research",
)  # fmt: skip
MOST_FILES = 8  # a room that outgrows it gets sub-rooms


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


def tree_of(here: str) -> ast.Module:
    return ast.parse(SOURCES[here].read_text(encoding="utf-8"))


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


def says_that_it_is_pure(here):
    return re.search(r"\bPure\b", ast.get_docstring(tree_of(here)) or "") is not None


@EACH
def test_what_is_pure_touches_no_file_clock_socket_or_process(here):
    if here.startswith(PURE) or says_that_it_is_pure(here):
        found = packages_of(SOURCES[here]) & IMPURE
        assert not {name for name in found if (here, name) not in EXCUSED}
        calls = [node.func for node in ast.walk(tree_of(here)) if isinstance(node, ast.Call)]
        assert "open" not in {call.id for call in calls if isinstance(call, ast.Name)}


def test_what_tests_share_is_in_no_test_file():
    """Scripts that a test gives to another process count too."""
    shared = re.compile(r"^ *(?:from|import) tests\b.*\btest_\w+", re.MULTILINE)
    places = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    found = {path.name: shared.findall(path.read_text(encoding="utf-8")) for path in places}
    assert {name: lines for name, lines in found.items() if lines} == {}


def room_of(module):
    """The room of a module of trainers/, None of any other."""
    parts = module.split(".")
    return parts[1] if parts[0] == "trainers" and len(parts) > 1 else None


@EACH
def test_rooms_of_trainers_import_from_those_below_them_only(here):
    room = room_of(here.removesuffix(".py").replace("/", "."))
    if room is None or room == "__init__":
        return
    allowed = ROOMS[: ROOMS.index(room) + 1]
    assert {room_of(name) for name in imports_of(SOURCES[here])} <= {*allowed, None}


def test_every_room_of_trainers_is_in_the_order_and_none_that_has_gone():
    found = {room_of(here.removesuffix(".py").replace("/", ".")) for here in SOURCES}
    assert found - {None, "__init__"} == set(ROOMS)


@pytest.mark.parametrize("here", [here for here in SOURCES if here.endswith("__init__.py")])
def test_each_room_says_what_it_has_and_names_no_file_that_has_gone(here):
    said = ast.get_docstring(tree_of(here))
    assert said
    room = SOURCES[here].parent
    for name in re.findall(r"[Bb]egin with ``(\w+)``", said):
        assert (room / f"{name}.py").exists() or (room / name).is_dir(), name


STREAMING = ("feed", "program", "rings", "tape")
ROOMED = ("trainers/", "ui/", *(f"streaming/{name}/" for name in STREAMING))


def test_no_room_outgrows_its_files():
    files = [here for here in SOURCES if here.startswith(ROOMED)]
    rooms = Counter(here.rpartition("/")[0] for here in files if not here.endswith("__init__.py"))
    assert {room: n for room, n in rooms.items() if n > MOST_FILES} == {}


WIRE = ("streaming/venues/", "streaming/exchange/protocol/")  # its messages have the venues' names


def test_a_class_name_has_one_meaning():
    places = defaultdict(set)
    for here in SOURCES:
        for node in tree_of(here).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                message = any(ast.unparse(base).startswith("msgspec.Struct") for base in node.bases)
                if not (message and here.startswith(WIRE)):
                    places[node.name].add(here)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_module_imports_itself_by_way_of_others():
    names = {here.removesuffix(".py").replace("/", ".") for here in SOURCES}
    arrows = {
        here.removesuffix(".py").replace("/", "."): {
            one for found in imports_of(path) for one in (found, found.rpartition(".")[0])
            if one in names
        }
        for here, path in SOURCES.items()
    }  # fmt: skip
    assert list(TopologicalSorter(arrows).static_order())


def test_rooms_beside_each_other_form_no_circle():
    """A room and its own sub-rooms are one: the first has what they share, and their shell."""
    rooms = {
        here.removesuffix(".py").replace("/", "."): here.rpartition("/")[0] for here in SOURCES
    }
    arrows = defaultdict(set)
    for here, path in SOURCES.items():
        mine = here.rpartition("/")[0]
        for name in imports_of(path):
            other = rooms.get(name) or rooms.get(name.rpartition(".")[0])
            if (
                other
                and not f"{other}/".startswith(f"{mine}/")
                and not mine.startswith(f"{other}/")
            ):
                arrows[mine].add(other)
    assert list(TopologicalSorter(arrows).static_order())


def test_the_engine_knows_of_the_record_tracking_and_sessions_nothing():
    heavy = {"mlflow", "torch", "pytorch_lightning", "sklearn", "psutil", "msgspec", "pyarrow"}
    for here, path in SOURCES.items():
        if here.startswith("trainers/engine/"):
            assert not packages_of(path) & heavy, here


@EACH
def test_nothing_prints_but_by_way_of_the_console(here):
    """``streaming.program.console`` writes for all, entry points too."""
    calls = [node.func for node in ast.walk(tree_of(here)) if isinstance(node, ast.Call)]
    assert "print" not in {call.id for call in calls if isinstance(call, ast.Name)}


def test_each_error_of_types_that_is_ignored_has_its_code_and_its_reason():
    for here, path in SOURCES.items():
        for line in path.read_text(encoding="utf-8").splitlines():
            if "# type: ignore" in line:
                assert re.search(r"# type: ignore\[[a-z-]+\]  # \w", line), f"{here}: {line}"


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
    "trainers.research.tune, trainers.research.backtest": "optuna matplotlib gradio",
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
