"""Per-sample gradients of single layers against one backward pass per example, in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from oracle import by_example
from secateurs.what import layers

LAYERS = {
    "linear": (lambda: nn.Linear(5, 3), (4, 5)),
    "linear without bias": (lambda: nn.Linear(5, 3, bias=False), (4, 5)),
    "linear over a sequence": (lambda: nn.Linear(5, 3), (4, 7, 5)),
    "wide linear over two positions": (lambda: nn.Linear(40, 30), (4, 2, 40)),
    "conv1d": (lambda: nn.Conv1d(3, 4, 3, stride=2, padding=1), (4, 3, 9)),
    "conv1d grouped, dilated": (lambda: nn.Conv1d(4, 6, 2, groups=2, dilation=2), (4, 4, 9)),
    "conv2d": (lambda: nn.Conv2d(3, 4, 3, padding=1), (4, 3, 6, 5)),
    "conv2d strided": (lambda: nn.Conv2d(3, 4, (3, 2), stride=(2, 1), bias=False), (4, 3, 6, 5)),
    "conv2d, few positions": (lambda: nn.Conv2d(16, 16, 3, padding=1), (4, 16, 2, 2)),
    "conv2d depthwise": (lambda: nn.Conv2d(6, 6, 3, groups=6, padding=1), (4, 6, 5, 5)),
    "conv2d grouped, dilated": (lambda: nn.Conv2d(4, 6, 3, groups=2, dilation=2, padding=2), (4, 4, 6, 6)),
    "conv3d": (lambda: nn.Conv3d(2, 4, 2, stride=2, groups=2), (4, 2, 4, 4, 4)),
    "batch norm 1d": (lambda: nn.BatchNorm1d(5), (4, 5)),
    "batch norm 2d": (lambda: nn.BatchNorm2d(3), (4, 3, 4, 4)),
    "batch norm 3d": (lambda: nn.BatchNorm3d(3), (4, 3, 2, 2, 2)),
    "group norm": (lambda: nn.GroupNorm(2, 6), (4, 6, 3, 3)),
    "layer norm": (lambda: nn.LayerNorm(5), (4, 7, 5)),
    "layer norm over two dimensions": (lambda: nn.LayerNorm([7, 5]), (4, 7, 5)),
}


def layer_and_input(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    make, shape = LAYERS[name]
    layer = make().double().eval()
    for buffer in layer.buffers():
        if buffer.is_floating_point():
            buffer.copy_(torch.rand_like(buffer) + 0.5)
    return layer, torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_and_norms_are_those_of_one_backward_pass_per_example(name: str) -> None:
    layer, a = layer_and_input(name)
    g = torch.randn_like(layer(a))
    expected = by_example(layer, a, g)
    assert layers.supported(layer)
    found = layers.gradients(layer, a, g)
    assert found.keys() == expected.keys()
    for parameter, each in expected.items():
        torch.testing.assert_close(found[parameter], each, rtol=1e-10, atol=1e-10)
    for names in ({"weight"}, set(expected)):
        norms = sum(expected[each].flatten(1).square().sum(1) for each in names)
        torch.testing.assert_close(layers.squared_norms(layer, frozenset(names), a, g), norms, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("padding_idx", [None, 2])
def test_embedding_sums_over_repeated_tokens(padding_idx: int | None) -> None:
    layer = nn.Embedding(5, 3, padding_idx=padding_idx).double()
    a = torch.tensor([[1, 1, 4], [2, 0, 2]])
    g = torch.randn(2, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(layers.gradients(layer, a, g)["weight"], by_example(layer, a, g)["weight"])


@pytest.mark.parametrize(
    "layer",
    [
        nn.LSTM(2, 2),
        nn.Conv2d(1, 1, 3, padding="same"),
        nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"),
        nn.BatchNorm2d(2, track_running_stats=False),
        nn.PReLU(),
    ],
)
def test_what_has_no_rule_is_not_supported(layer: nn.Module) -> None:
    assert not layers.supported(layer)
