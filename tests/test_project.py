"""The project's files say what the code says: MLproject, the pins, the flags."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import platform
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from datamodules.features import COLUMNS
from trainers.config import SessionConfig, session
from trainers.config.backtest import BacktestConfig
from trainers.config.learners import BUILT_IN_SETTINGS, flat_name
from trainers.session.mlproject import project

ROOT = Path(__file__).parents[1]
FLAGS = SessionConfig.flags()
FIELDS = {
    flat_name(section, field.name) if section else field.name: field
    for section, record in {"": SessionConfig, **BUILT_IN_SETTINGS}.items()
    for field in dataclasses.fields(record)
    if field.metadata
}

# Numbers that count things, or have no unit.
UNITLESS = {
    "speed", "tick_cache", "seed", "cycles", "min_ticks", "confidence", "cnn_learning_rate",
    "cnn_updates", "cnn_batch_size", "cnn_weight_decay", "dqn_learning_rate", "dqn_updates",
    "dqn_batch_size", "dqn_gamma", "dqn_tau", "dqn_memory", "dqn_epsilon_decay",
    "dqn_epsilon_min", "page_port", "mlflow_ui_port", "shards",
}  # fmt: skip


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pins(lines):
    """Return name -> version of ``name==version`` lines."""
    named = [line.strip().removeprefix("- ") for line in lines]
    return dict(line.split("==") for line in named if "==" in line and line[0] != "#")


def test_mlproject_is_what_the_config_record_makes():
    assert yaml.safe_load(read("MLproject")) == project()
    made = yaml.safe_dump(project(), sort_keys=False, width=100)
    assert read("MLproject") == made, "run: python -m trainers.session.mlproject > MLproject"


def test_main_takes_every_setting_with_its_default():
    main = project()["entry_points"]["main"]
    assert {name: spec["default"] for name, spec in main["parameters"].items()} == {
        name: flag["default"] for name, flag in FLAGS.items()
    }
    words = main["command"].split()
    for name in FLAGS:
        assert words[words.index(f"--{name}") + 1] == f"{{{name}}}"


@pytest.mark.parametrize("entry", ["main", "record"])
def test_the_defaults_as_mlflow_passes_them_give_the_default_session(entry):
    made = project()["entry_points"][entry]
    command = made["command"]
    for name, spec in made["parameters"].items():
        command = command.replace(f"{{{name}}}", shlex.quote(str(spec["default"])))
    flags = shlex.split(command)[3:]
    config = SessionConfig.from_args(flags)
    if entry == "main":
        assert config == SessionConfig()
    else:
        off = {"learners": "none", "page_port": 0, "mlflow_ui_port": 0}
        assert config == SessionConfig(**off)
        assert config.learner_list == []


def test_every_parameter_of_an_entry_point_is_used_in_its_command():
    for entry in project()["entry_points"].values():
        assert set(re.findall(r"\{(\w+)\}", entry["command"])) == set(entry["parameters"])


@pytest.mark.parametrize("name", FIELDS)
def test_every_setting_has_a_help_line_and_numbers_have_a_unit_and_bounds(name):
    field = FIELDS[name]
    meta = field.metadata
    assert meta["help"].strip()
    if type(field.default) in (int, float):
        assert meta["unit"] or name in UNITLESS
        assert meta["low"] <= field.default <= meta["high"]
        assert meta["high"] < float("inf"), "bounds"


def test_help_shows_every_setting_with_its_unit_and_default():
    done = subprocess.run(
        [sys.executable, "-c", "from trainers.config import SessionConfig as C; C.from_args()",
         "--help"],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    entries = re.split(r" --(?=\w+ [A-Z])", re.sub(r"\s+", " ", done.stdout))
    found = {entry.partition(" ")[0]: entry for entry in entries}
    assert FIELDS.keys() == FLAGS.keys()
    for name, field in FIELDS.items():
        assert f"(default: {field.default!r})" in found[name]
        assert not field.metadata["unit"] or f"[{field.metadata['unit']}]" in found[name]


def test_help_is_grouped_by_what_settings_are_about(capsys):
    with pytest.raises(SystemExit):
        SessionConfig.from_args(["--help"])
    text = capsys.readouterr().out
    assert len(text.partition("\n")[0]) < 80  # not forty names
    order = [
        "--shards", "where ticks come from", "--speed", "training: its", "--cycles",
        "settings of single learners", "--cnn_updates", "examples:", "--resume last",
    ]  # fmt: skip
    places = [text.index(word) for word in order]
    assert places == sorted(places)
    heading = BacktestConfig.group_of
    assert heading("from") == heading("since") == "options"
    assert heading("cnn_updates") == "settings of single learners"


def test_a_learners_setting_has_two_spellings_and_one_meaning():
    short = SessionConfig.from_args(["--cnn_updates", "7"])
    long = SessionConfig.from_args(["--learner.cnn.updates=7"])
    assert short == long != SessionConfig()
    assert short.learner["cnn"]["updates"] == 7
    own = SessionConfig.from_args(["--learner.Mine.window", "30"])
    assert own.flat["learner.Mine.window"] == "30"


@pytest.mark.parametrize(
    "flags, said",
    [
        (["--cnn_updates", "0"], "cnn_updates: got 0; allowed: 1 to 100000"),
        (["--learner.dqn.gama", "1"], "dqn_gama: unknown; allowed: dqn_learning_rate, "),
    ],
)
def test_a_wrong_setting_of_a_learner_is_one_line(flags, said, capsys):
    with pytest.raises(SystemExit) as ended:
        SessionConfig.from_args(flags)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_conda_yaml_repeats_the_pins_and_the_python():
    conda = yaml.safe_load(read("conda.yaml"))["dependencies"]
    (listed,) = (entry["pip"] for entry in conda if isinstance(entry, dict))
    assert pins(listed) == pins(read("requirements.txt").splitlines())
    assert len(pins(listed)) == len(listed)  # each one exact
    assert f"python={platform.python_version()}" in conda
    assert platform.python_version().startswith("3.11.")


LISTS = sorted(path.name for path in ROOT.glob("requirements*.txt"))


@pytest.mark.parametrize("name", LISTS)
def test_what_is_installed_is_what_is_pinned(name):
    wanted = pins(read(name).splitlines())
    assert wanted
    found = {package: importlib.metadata.version(package).partition("+")[0] for package in wanted}
    assert found == wanted


def test_every_requirement_is_an_exact_pin():
    for name in LISTS:
        for line in read(name).splitlines():
            assert re.fullmatch(r"#.*|-r requirements(-\w+)?\.txt|[\w-]+==[\w.]+|", line), line


def test_torch_is_the_one_the_design_names():
    assert pins(read("requirements.txt").splitlines())["torch"] == "2.13.0"


def test_everything_imported_is_pinned():
    packages = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["packages"]["find"]
    owned = {name.removesuffix("*") for name in packages["include"]}
    pinned = {name.replace("-", "_") for name in pins(read("requirements.txt").splitlines())}
    pinned |= {"sklearn", "yaml", "sqlalchemy", "lightning_fabric", "matplotlib"}
    pinned |= pins(read("requirements-tune.txt").splitlines()).keys()
    pinned |= {"fastapi", "uvicorn", "starlette", "pydantic", "orjson"}  # gradio's
    missing = {}
    for folder in owned:
        for path in (ROOT / folder).rglob("*.py"):
            for line in re.findall(r"^(?:from|import) (\w+)", path.read_text(), re.MULTILINE):
                if line not in sys.stdlib_module_names | owned | pinned:
                    missing[line] = path
    assert not missing


def test_make_has_the_four_verbs_and_ci_uses_them():
    targets = set(re.findall(r"^(\w+):", read("Makefile"), re.MULTILINE))
    assert {"main", "test", "check", "bench"} <= targets
    assert "make check" in read(".ci/run")
    assert "make test" in read(".ci/run")


def test_the_choices_of_features_are_those_there_are():
    """The settings name them again: who reads them must not import pandas for it."""
    assert (session.AUTO, *COLUMNS) == session.FEATURE_SETS
