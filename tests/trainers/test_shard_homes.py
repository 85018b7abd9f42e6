"""Folders of a fleet's shards: those that nobody holds any more are deleted, others never."""

from __future__ import annotations

import subprocess
import sys

from trainers.session.fleet.node.homes import Home, keep

HOLDS = """
import sys
from pathlib import Path
from trainers.session.fleet.node.homes import Home
print(Home(Path(sys.argv[1])).path, flush=True)
sys.stdin.read()
"""


def test_a_folder_is_left_alone_as_long_as_its_holder_lives_and_no_longer(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        path = other.stdout.readline().strip()
        (tmp_path / path / "record").write_text("of a shard")
        ours = Home(tmp_path)
        assert {str(each) for each in tmp_path.glob("shard-*")} == {path, str(ours.path)}
        other.kill()
        other.wait()
    newer = Home(tmp_path)
    assert set(tmp_path.glob("shard-*")) == {ours.path, newer.path}


def test_a_folder_is_gone_once_it_is_closed(tmp_path):
    home = Home(tmp_path)
    (home.path / "record").write_text("all of it is in the store")
    home.close()
    home.close()
    assert list(tmp_path.glob("shard-*")) == []


def test_a_record_that_is_not_in_the_store_is_kept_whoever_comes_later(tmp_path):
    home = Home(tmp_path)
    (home.path / "record").write_text("only here")
    kept = keep(home.path)
    home.close()
    Home(tmp_path)
    assert (kept / "record").read_text() == "only here"
