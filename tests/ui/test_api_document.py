"""docs/api.md: its examples are run, its tables are the code's."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import subprocess
import sys
import tempfile

import httpx
import pytest

from tests.ui.conftest import OPERATOR, PASSWORDS, VIEWER
from tests.ui.page_world import PATIENCE, ROOT, Page, World
from trainers.names import CONTROL, Control
from trainers.session.access import SHORTEST, VARIABLES
from ui.alerts.rules import OPERATORS, Rule
from ui.gradio_app.functions import ApiFunctions

TEXT = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```(python|sh)\n(.*?)```", TEXT, re.DOTALL)


@functools.cache
def run(page: Page, language: str, text: str) -> str:
    """Run an example in a folder of its own, with the page's address for the usual one."""
    code = text.replace("127.0.0.1:7860", page.address.removeprefix("http://"))
    command = [sys.executable, "-c", code] if language == "python" else ["bash", "-ec", code]
    env = {**os.environ, **PASSWORDS}
    with tempfile.TemporaryDirectory() as cwd:
        done = subprocess.run(
            command, env=env, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE
        )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples_of_both_kinds() -> None:
    assert [language for language, _ in EXAMPLES] == ["python", "sh", "sh", "python", "sh"]


@pytest.mark.parametrize("language, text", EXAMPLES, ids=lambda each: each[:20].split("\n")[0])
def test_an_example_runs_as_it_stands(busy: World, locked: Page, language: str, text: str) -> None:
    output = run(locked, language, text)
    assert output.strip()
    assert "detail" not in output
    if TRAIN in text:
        tag = CONTROL + Control.TRAIN_NOW
        assert busy.client.get_run(busy.run_id).data.tags[tag] == "1"
        busy.client.delete_tag(busy.run_id, tag)
    if "head -n 100" in text:
        assert output.count("\n") == 100
        assert '"metric":"train/epochs"' in output


TRAIN = "send_training_data_to_models"


def test_examples_print_what_the_page_knows(locked: Page) -> None:
    assert "0.542" in run(locked, *EXAMPLES[0])
    assert re.fullmatch(r"\w+ \d+ 0\.\d+\n", run(locked, *EXAMPLES[3]))


def test_the_functions_are_those_there_are_and_describe_themselves(locked: Page) -> None:
    names = re.findall(r"^\| `/(\w+)`", TEXT, re.MULTILINE)
    api = ApiFunctions.__new__(ApiFunctions)
    assert names == [function.__name__ for function in api.functions()]
    info = httpx.get(locked.address + "/gradio_api/info", auth=VIEWER).json()["named_endpoints"]
    assert list(info) == [f"/{name}" for name in names]
    for name, about in info.items():
        assert len(about["description"]) > 20, name
        assert all(each["parameter_has_default"] for each in about["parameters"])
    assert "newest ticks" in info["/get_tick_cache_for_training"]["description"]


def test_roles_variables_and_limits_are_the_code_s() -> None:
    table = dict(re.findall(r"^\| (\w+) \| .* \| `(TICKLOOP_\w+)` \|$", TEXT, re.MULTILINE))
    assert table == VARIABLES
    assert f"({SHORTEST} characters or more)" in TEXT


def test_fields_and_comparisons_of_rules_are_the_code_s() -> None:
    about = TEXT[TEXT.index("Rules have") : TEXT.index("rules=http")]
    fields = {field.name for field in dataclasses.fields(Rule)}
    assert set(re.findall(r"`([^`/]+?)`", about)) >= {*OPERATORS, *fields}


@pytest.mark.parametrize(
    "code, ask",
    [
        (401, lambda c: c.get("/config")),
        (403, lambda c: c.post(f"/gradio_api/run/{TRAIN}", json={"data": []}, auth=VIEWER)),
        (403, lambda c: c.post("/live/alerts/test", headers={"Origin": "http://x"}, auth=OPERATOR)),
        (422, lambda c: c.post("/live/alerts/rules", json={"how": "?"}, auth=OPERATOR)),
        (422, lambda c: c.post("/gradio_api/run/get_one_second_bars", json={"data": ["DOGE"]},
                               auth=VIEWER)),
        (404, lambda c: c.get(f"/live/compare?run={'0' * 32}&run={'1' * 32}", auth=VIEWER)),
        (409, lambda c: c.post("/live/alerts/test", auth=OPERATOR)),
        (400, lambda c: c.post("/gradio_api/run/training_status", content="{", auth=OPERATOR)),
    ],
)  # fmt: skip
def test_refusals_have_the_code_that_is_written(locked: Page, code: int, ask) -> None:
    assert f"| {code} |" in TEXT
    with httpx.Client(base_url=locked.address, timeout=60) as client:
        assert ask(client).status_code == code
