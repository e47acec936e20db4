"""2:4: exactly two of each four, the best ones."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from secateurs.core import ExportError, PruningError
from secateurs.export import is_two_of_four, semi_structured, two_of_four
from secateurs.how import apply
from secateurs.what import magnitude


def slowly(score: Tensor) -> Tensor:
    """As defined: place by place."""
    kept = torch.zeros(score.shape, dtype=torch.bool)
    for out in range(score.shape[0]):
        for rest in torch.cartesian_prod(*map(torch.arange, score.shape[2:])) if score.ndim > 2 else [()]:
            places = tuple(torch.as_tensor(rest).reshape(-1).tolist())
            for four in range(0, score.shape[1], 4):
                order = sorted(range(four, four + 4), key=lambda i: (-float(score[(out, i, *places)]), i))
                for i in order[:2]:
                    kept[(out, i, *places)] = True
    return kept


@given(st.integers(1, 3), st.integers(1, 3), st.sampled_from([(), (2,), (2, 3)]), st.integers(0, 2**31))
def test_against_the_definition(rows: int, fours: int, rest: tuple[int, ...], seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    score = torch.randint(-3, 4, (rows, 4 * fours, *rest), generator=draw).double()  # ties abound
    mask = two_of_four({"a": score})
    assert torch.equal(mask["a"], slowly(score))
    assert mask.density == 0.5
    assert is_two_of_four(mask["a"])
    assert is_two_of_four(score.masked_fill(~mask["a"], 0))


def test_a_network() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 3), nn.Flatten(), nn.Linear(32, 4))
    scores = magnitude(net)
    with pytest.raises(PruningError, match=r"0.weight have not: exclude=\['0.weight'\] leaves them dense"):
        two_of_four(scores)
    mask = two_of_four(scores, exclude=["0.weight"])
    assert list(mask) == ["1.weight", "3.weight"]
    assert not is_two_of_four(net[3].weight)
    apply(net, mask)
    assert is_two_of_four(net[1].weight)
    assert is_two_of_four(net[3].weight)
    with pytest.raises(PruningError, match="no score '4'"):
        two_of_four(scores, exclude=["4"])
    with pytest.raises(PruningError, match="not all finite"):
        two_of_four({"a": torch.tensor([[1, 2, 3, float("nan")]])})


def test_not_two_of_four() -> None:
    assert not is_two_of_four(torch.ones(2, 4))
    assert not is_two_of_four(torch.zeros(2, 6))
    assert not is_two_of_four(torch.zeros(4))
    shifted = torch.tensor([[0, 1, 1, 0, 0, 1, 1, 1]])
    assert not is_two_of_four(shifted)


def test_elsewhere_than_on_cuda() -> None:
    net = nn.Sequential(nn.Linear(64, 64)).half()
    mask = two_of_four(magnitude(net))
    apply(net, mask)
    weight = net[0].weight
    with pytest.raises(ExportError, match="'0' is on cpu: torch multiplies 2:4 weights on CUDA only"):
        semi_structured(net, mask)
    assert net[0].weight is weight
    with pytest.raises(ExportError, match="no Linear layer"):
        semi_structured(nn.Sequential(nn.Conv2d(4, 4, 1)), mask)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch has semi-structured weights on CUDA only")
def test_on_cuda() -> None:
    net = nn.Sequential(nn.Linear(128, 256), nn.ReLU(), nn.Linear(256, 64)).half().cuda().eval()
    mask, x = two_of_four(magnitude(net)), torch.randn(64, 128, device="cuda", dtype=torch.half)
    with pytest.raises(ExportError, match="more than two weights in four"):
        semi_structured(net, mask)
    apply(net, mask)
    with torch.no_grad():
        expected = net(x)
        semi_structured(net, mask)
        torch.testing.assert_close(net(x), expected, rtol=1e-2, atol=1e-3)
