from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from trainers.learners import layers
from trainers.learners.stacked import said_by_each, weights_of


@given(n=st.integers(0, 200), seed=st.integers(0, 99))
def test_a_number_has_the_same_bits_whatever_is_beside_it(n, seed):
    x = 3 * torch.randn(n, generator=torch.Generator().manual_seed(seed))
    for function, numbers in ((F.gelu, x), (torch.sigmoid, x.double())):
        together = layers.elementwise(function, numbers)
        # A whole register of copies of each: nothing is beside it but itself.
        apart = [function(number.expand(64).contiguous())[0] for number in numbers]
        assert together.tolist() == [float(each) for each in apart]


def test_an_elementwise_function_keeps_the_shape():
    assert layers.elementwise(F.gelu, torch.ones(2, 3, 4)).shape == (2, 3, 4)


@given(seed=st.integers(0, 99))
def test_layers_say_the_same_bits_with_the_weights_of_others_beside_theirs(seed):
    torch.manual_seed(seed)
    makers = {
        (8, 29): lambda: layers.Conv1d(8, 4, 5, stride=2),
        (40,): lambda: layers.LayerNorm(40),
        (30,): lambda: layers.Linear(30, 7),
    }
    for shape, maker in makers.items():
        each = [maker().eval() for _ in range(30)]
        for layer in each:
            layer.load_state_dict({k: torch.randn_like(v) for k, v in layer.state_dict().items()})
        x = torch.randn(len(each), *shape)
        alone = torch.cat([layer(x[i : i + 1]) for i, layer in enumerate(each)])
        assert torch.equal(said_by_each(map(weights_of, each), x, maker().eval()), alone)
