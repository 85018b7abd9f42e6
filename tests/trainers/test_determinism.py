"""The same bits: one thread each for every library that computes, and products that keep theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import torch

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


def placed(numbers, place):
    """Return the numbers in memory that begins ``place`` numbers after a cache line's beginning."""
    line = 64 // numbers.element_size()
    room = torch.zeros(numbers.numel() + 2 * line)
    begin = -room.data_ptr() // numbers.element_size() % line + place
    return room[begin : begin + numbers.numel()].view(numbers.shape).copy_(numbers)


def test_a_product_is_the_same_bits_wherever_its_numbers_lie_in_memory():
    layer = torch.nn.Linear(30, 4)
    for rows in (1, 2, 64):
        numbers = torch.randn(rows, 30)
        with torch.inference_mode():
            found = [layer(placed(numbers, place)) for place in range(16)]
        assert all(torch.equal(each, found[0]) for each in found), rows
