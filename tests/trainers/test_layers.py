from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from trainers.learners import layers


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
