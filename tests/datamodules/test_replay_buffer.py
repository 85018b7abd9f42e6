from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datamodules.replay_buffer import Experiences, ReplayBuffer

WIDTH = 4


def numbered(*times):
    """Transitions of these times, whose states and returns tell the time."""
    ts = np.array(times, np.int64)
    state = np.broadcast_to(ts[:, None], (len(ts), WIDTH)).astype(np.float32)
    return Experiences(state, -state, ts.astype(np.float32), ts)


def held(memory):
    """Times in the buffer, by drawing until each slot was drawn."""
    if len(memory) == 0:
        return set()
    state, after, ret = memory.take(memory.draw(np.random.default_rng(0), (40 * len(memory),)))
    assert (state == ret[:, None]).all()  # what belongs together stays together
    assert (after == -ret[:, None]).all()
    return {int(value) for value in ret}


# A stream of overlapping snapshots: each begins somewhere and has some length.
SNAPSHOTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 15)), max_size=8)


@settings(deadline=None)
@given(SNAPSHOTS, st.integers(1, 20))
def test_the_buffer_holds_the_newest_distinct_transitions_as_a_list_would(snapshots, capacity):
    memory, model = ReplayBuffer(capacity, WIDTH), []
    for start, n in snapshots:
        times = range(start, start + n)
        new = [ts for ts in times if not model or ts > model[-1]]
        assert memory.add(numbered(*times)) == len(new)
        model += new
        assert len(memory) == min(len(model), capacity)
        assert held(memory) == set(model[-capacity:])


def test_the_same_snapshot_twice_adds_nothing():
    memory = ReplayBuffer(10, WIDTH)
    assert memory.add(numbered(1, 2, 3)) == 3
    assert memory.add(numbered(1, 2, 3)) == 0
    assert len(memory) == 3


def test_samples_have_the_shape_asked_for_and_follow_the_generator():
    memory = ReplayBuffer(10, WIDTH)
    memory.add(numbered(*range(1, 8)))
    state, after, ret = memory.take(memory.draw(np.random.default_rng(5), (4, 3)))
    assert state.shape == after.shape == (4, 3, WIDTH)
    assert ret.shape == (4, 3)
    again, *_ = memory.take(memory.draw(np.random.default_rng(5), (4, 3)))
    assert again.tobytes() == state.tobytes()


def test_a_sample_is_a_copy():
    memory = ReplayBuffer(2, WIDTH)
    memory.add(numbered(1, 2))
    for part in memory.take(memory.draw(np.random.default_rng(0), (5,))):
        part[:] = -1
    assert held(memory) == {1, 2}


def test_drawing_from_nothing_is_refused():
    with pytest.raises(ValueError, match="replay buffer is empty"):
        ReplayBuffer(3, WIDTH).draw(np.random.default_rng(0), (1,))


@settings(deadline=None)
@given(SNAPSHOTS, SNAPSHOTS, st.integers(1, 20))
def test_a_restored_buffer_goes_on_as_the_one_it_was_taken_from(before, after, capacity):
    memory, restored = ReplayBuffer(capacity, WIDTH), ReplayBuffer(capacity, WIDTH)
    for start, n in before:
        memory.add(numbered(*range(start, start + n)))
    state = memory.state_dict()
    kept = copy.deepcopy(state)
    restored.load_state_dict(state)
    for start, n in after:
        assert restored.add(numbered(*range(start, start + n))) == memory.add(
            numbered(*range(start, start + n))
        )
        if len(memory):
            drawn = [b.take(b.draw(np.random.default_rng(1), (9,)))[2] for b in (memory, restored)]
            assert drawn[0].tobytes() == drawn[1].tobytes()
    np.testing.assert_equal(state, kept)  # taken is taken: going on does not change it
