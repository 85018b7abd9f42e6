"""One thread each, for every library that computes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# A process that makes itself deterministic before it imports anything else.
EARLY = """
import json
from trainers.learners.determinism import deterministic
deterministic()
import trainers.learners.cnn.learner, trainers.learners.baselines.logistic
from threadpoolctl import threadpool_info
print(json.dumps([[each["internal_api"], each["num_threads"]] for each in threadpool_info()]))
"""


def test_no_library_that_comes_later_has_threads_of_its_own():
    done = subprocess.run(
        [sys.executable, "-c", EARLY], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert [name for name, _ in found].count("openblas") == 2  # numpy's, scipy's
    assert {threads for _, threads in found} == {1}
