"""What is counted: multiply-adds by hand and against torch's counter, bytes against torch's own sparse tensors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateurs.core import Batch, MeasureError
from secateurs.measure.costs import (
    Left,
    buffer_bytes,
    bytes_of,
    counted_by_torch,
    counts,
    csr_bytes,
    layer_multiply_adds,
    multiply_adds,
    nodes_left,
    weights_left,
    work_of,
)
from toys import NoPrediction, generator, net, unchanged

TASK = NoPrediction()


def batch_of(*shape: int) -> Batch:
    return Batch(torch.rand(shape, generator=generator(1)), torch.zeros(shape[0]))


class Tied(nn.Module):
    """One weight in two layers, and one of them called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.other = nn.Linear(4, 4), nn.Linear(4, 4, bias=False)
        self.other.weight = self.one.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.other(self.one(self.one(x)))


BY_HAND = {
    # out channels x out positions x (in channels / groups) x kernel
    "conv": (nn.Conv2d(3, 4, 3, stride=2, padding=1), (2, 3, 6, 6), {"weight": 4 * 9 * 3 * 9}),
    "grouped": (nn.Conv2d(4, 6, 3, groups=2), (2, 4, 5, 5), {"weight": 6 * 9 * 2 * 9}),
    "depthwise": (nn.Conv2d(4, 8, (3, 1), groups=4), (2, 4, 5, 5), {"weight": 8 * 15 * 1 * 3}),
    "dilated conv1d": (nn.Conv1d(2, 3, 3, dilation=2), (2, 2, 9), {"weight": 3 * 5 * 2 * 3}),
    "conv3d": (nn.Conv3d(1, 2, 2), (2, 1, 3, 3, 3), {"weight": 2 * 8 * 1 * 8}),
    "sequence": (nn.Linear(5, 7), (2, 3, 5), {"weight": 3 * 5 * 7}),
    "tied, called twice": (Tied(), (2, 4), {"one.weight": 3 * 16}),
    "norms": (nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.ReLU()), (2, 4), {"0.weight": 16}),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_multiply_adds_by_hand(name: str) -> None:
    model, shape, expected = BY_HAND[name]
    with unchanged(model):
        times = multiply_adds(model, TASK, batch_of(*shape))
        assert layer_multiply_adds(model, times) == expected
        assert counted_by_torch(model, TASK, batch_of(*shape)) == sum(expected.values())


@settings(max_examples=25)
@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(1, 3),
    st.integers(1, 2),
    st.integers(0, 2),
    st.integers(1, 2),
    st.integers(3, 6),
)
def test_torch_counts_the_same_for_any_convolution(
    inputs: int, outputs: int, groups: int, kernel: int, stride: int, padding: int, dilation: int, size: int
) -> None:
    if dilation * (kernel - 1) + 1 > size + 2 * padding:
        return
    conv = nn.Conv2d(
        groups * inputs, groups * outputs, kernel, stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    batch = batch_of(2, groups * inputs, size, size)
    times = multiply_adds(conv, TASK, batch)
    assert sum(layer_multiply_adds(conv, times).values()) == counted_by_torch(conv, TASK, batch)


class Attending(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x, x, x, need_weights=False)[0].flatten(1)


def test_torch_counts_attention_as_well() -> None:
    batch = batch_of(3, 5, 8)
    projections, products = 4 * 5 * 8 * 8, 2 * 5 * 5 * 8
    assert counted_by_torch(Attending(), TASK, batch) == projections + products
    assert multiply_adds(Attending(), TASK, batch) == {"attention.out_proj.weight": 0}


def test_the_layers_of_an_encoder_are_called() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, dim_feedforward=16, batch_first=True)
    times = multiply_adds(layer, TASK, batch_of(3, 5, 8))
    assert times["linear1.weight"] == times["linear2.weight"] == 5


class Looking(nn.Linear):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if float(x.sum()) > 0 else x


def test_a_model_that_looks_at_values_is_refused_without_them() -> None:
    model = Looking(4, 2)
    with pytest.raises(MeasureError, match=r"does not run without values.*use multiply_adds"):
        counted_by_torch(model, TASK, batch_of(2, 4))
    assert multiply_adds(model, TASK, batch_of(2, 4)) == {"weight": 1}


def test_a_mask_and_a_smaller_network_count_alike() -> None:
    wide = nn.Sequential(nn.Conv2d(1, 6, 3), nn.Flatten(), nn.Linear(6 * 16, 3))
    narrow = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 16, 3))
    batch = batch_of(4, 1, 6, 6)
    channels = torch.tensor([1, 0, 0, 1, 0, 0])
    mask = {
        "0.weight": channels[:, None, None, None].expand(6, 1, 3, 3),
        "2.weight": channels.repeat_interleave(16).expand(3, 96),
    }
    left = layer_multiply_adds(wide, multiply_adds(wide, TASK, batch), mask)
    assert left == layer_multiply_adds(narrow, multiply_adds(narrow, TASK, batch))
    assert work_of(wide, [*mask], multiply_adds(wide, TASK, batch)).under(counts(mask)) == sum(left.values())
    assert weights_left(wide, mask) == weights_left(narrow, reference=wide)
    # Without bias and reader a channel is gone; the last layer's neurons are all there.
    assert nodes_left(wide, mask) == nodes_left(narrow, reference=wide) == Left(2 + 3, 6 + 3)


def sizes_of(sparse: Tensor) -> int:
    return sum(part.numel() * part.element_size() for part in (sparse.values(), sparse.col_indices())) + (
        sparse.crow_indices().numel() * sparse.crow_indices().element_size()
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
def test_bytes_are_those_of_torch_s_sparse_tensors(dtype: torch.dtype) -> None:
    conv = nn.Conv2d(3, 5, 2, dtype=dtype)
    flags = torch.rand(5, 3, 2, 2, generator=generator()) < 0.4
    dense = torch.where(flags, 1.0, 0.0).to(dtype).flatten(1)
    with torch.sparse.check_sparse_tensor_invariants():
        long = dense.to_sparse_csr()
        indices = long.crow_indices().int(), long.col_indices().int()
        short = torch.sparse_csr_tensor(*indices, long.values(), dense.shape)
        half = torch.sparse_csr_tensor(*indices, long.values().to(torch.float16), dense.shape)
    kept, size = int(flags.sum()), dense.element_size()
    assert csr_bytes(5, kept, size, index_bytes=8) == sizes_of(long)
    assert csr_bytes(5, kept, size) == sizes_of(short)
    bias = 5 * size
    assert bytes_of(conv, ["weight"]).under({"weight": kept}) == sizes_of(short) + bias
    assert bytes_of(conv, ["weight"], value_bytes=2).under({"weight": kept}) == sizes_of(half) + 5 * 2


def test_shared_weights_are_stored_once_and_buffers_apart() -> None:
    assert bytes_of(Tied(), ["one.weight"]).dense == (16 + 4) * 4
    assert bytes_of(Tied(), ["one.weight"]).under({"one.weight": 3}) == 4 * 4 + csr_bytes(4, 3, 4)
    norm = nn.BatchNorm2d(3)
    norm.register_buffer("passing", torch.zeros(100), persistent=False)
    assert bytes_of(norm, []).dense == buffer_bytes(norm) - 8 == 24


def test_layers_without_a_mask_keep_everything() -> None:
    model = net()
    flags = torch.zeros(3, 1, 3, 3)
    flags[0, 0, 0, 0] = 1
    assert weights_left(model, {"0.weight": flags}) == Left(1 + 81, 27 + 81)
    assert nodes_left(model, {"0.weight": flags}) == Left(1 + 3, 3 + 3)
    assert weights_left(model).sparsity == nodes_left(model).sparsity == 0
