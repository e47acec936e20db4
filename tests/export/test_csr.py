"""Compressed sparse rows: the same bits back, and the same products."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from secateurs.core import ExportError
from secateurs.export import SparseLinear, load_csr, read_csr, save_csr, save_network, sparse_linear, to_csr
from secateurs.export.states import digest
from secateurs.how import Mask, apply, keep_top
from secateurs.measure.costs.storage import csr_bytes
from secateurs.what import magnitude

DTYPES = (torch.float32, torch.float64, torch.float16, torch.bfloat16)


def masked(density: float = 0.1, dtype: torch.dtype = torch.float32) -> tuple[nn.Module, Mask]:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        net = nn.Sequential(
            nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 40), nn.Linear(40, 3)
        ).to(dtype)
    mask = keep_top(magnitude(net), density)
    apply(net, mask)
    return net.eval(), mask


@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), min_size=2, max_size=4), st.integers(0, 2**31))
def test_kept_entries_keep_their_bits(dtype: torch.dtype, shape: list[int], seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    weight = torch.randn(shape, generator=draw).to(dtype)
    special = torch.tensor([0.0, -0.0, float("inf"), float("nan"), torch.finfo(dtype).tiny / 2]).to(dtype)
    weight = torch.where(
        torch.rand(shape, generator=draw) < 0.3, special[torch.randint(5, shape, generator=draw)], weight
    )
    kept = torch.rand(shape, generator=draw) < 0.5
    found = to_csr(weight, kept)
    assert torch.equal(found.kept(), kept)
    whole = torch.where(kept, weight, torch.zeros((), dtype=dtype))
    assert found.to_dense().flatten().view(torch.uint8).tolist() == whole.flatten().view(torch.uint8).tolist()
    assert found.bytes == csr_bytes(shape[0], int(kept.sum()), weight.element_size())
    assert len(found.rows) == shape[0] + 1
    for row in range(shape[0]):  # as the format is defined
        begin, end = int(found.rows[row]), int(found.rows[row + 1])
        assert found.columns[begin:end].tolist() == kept[row].flatten().nonzero().flatten().tolist()


def test_as_torch_has_them() -> None:
    net, mask = masked()
    weight = net.get_parameter("4.weight").detach()
    ours = to_csr(weight, mask["4.weight"]).to_torch()  # first: torch warns once
    theirs = weight.to_sparse_csr()
    assert torch.equal(ours.to_dense(), weight)
    assert torch.equal(ours.crow_indices(), theirs.crow_indices())
    assert torch.equal(ours.col_indices(), theirs.col_indices())


@pytest.mark.parametrize("dtype", DTYPES)
def test_files(dtype: torch.dtype, tmp_path: Path) -> None:
    net, mask = masked(0.05, dtype)
    size = save_csr(net, mask, tmp_path / "net")
    assert size == (tmp_path / "net").stat().st_size
    state, again = load_csr(tmp_path / "net")
    assert again == mask
    assert set(state) == set(net.state_dict())
    for name, tensor in net.state_dict().items():
        assert state[name].dtype == tensor.dtype
        assert torch.equal(state[name], tensor), name
    net.load_state_dict(state)
    tensors = load_file(tmp_path / "net")  # by anybody
    assert tensors["4.weight/values"].dtype == dtype
    assert {tensors[f"4.weight/{part}"].dtype for part in ("columns", "rows")} == {torch.int32}
    stored = sum(matrix.bytes for matrix in read_csr(tmp_path / "net").values())
    rest = sum(t.nbytes for name, t in net.state_dict().items() if name not in mask)
    assert stored + rest < size < stored + rest + 3000  # the header


def test_smaller_than_dense(tmp_path: Path) -> None:
    net = nn.Linear(300, 300)
    mask = keep_top({"weight": net.weight.abs()}, 0.1)
    apply(net, mask)
    sparse, dense = save_csr(net, mask, tmp_path / "csr"), save_network(net, tmp_path / "dense")
    assert sparse / dense == pytest.approx(0.2, abs=0.02)


def test_what_is_refused(tmp_path: Path) -> None:
    net, mask = masked()
    path = tmp_path / "net"
    with pytest.raises(ExportError, match="that it drops are not 0"):
        save_csr(nn.Linear(2, 2), Mask({"weight": torch.eye(2)}), path)
    with pytest.raises(ExportError, match="it is of another network"):
        save_csr(nn.Linear(2, 2), mask, path)
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    with pytest.raises(ExportError, match=r"'1.weight' share their tensors"):
        save_csr(tied, Mask({"0.weight": torch.ones(2, 2)}), path)
    with pytest.raises(ExportError, match=r"both need \[rows, \.\.\.\]"):
        to_csr(torch.ones(3), torch.ones(3, dtype=torch.bool))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ExportError, match="cannot be read"):
        load_csr(path)
    save_network(net, path)
    with pytest.raises(ExportError, match="holds no compressed sparse rows"):
        load_csr(path)
    save_csr(net, mask, path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-3] + b"\xff\xff\xff")
    with pytest.raises(ExportError, match="damaged or changed"):
        load_csr(path)
    for said in ("{", '{"shapes": {"x": [1]}, "digest": ""}', "[]", '{"shapes": {"x": 3}, "digest": ""}'):
        save_file({"x/values": torch.ones(1)}, path, {"secateurs_csr": said})
        with pytest.raises(ExportError, match="its description cannot be read"):
            load_csr(path)


def test_indices_out_of_place_are_refused(tmp_path: Path) -> None:
    good = {"values": torch.ones(2), "columns": torch.tensor([0, 2]), "rows": torch.tensor([0, 1, 2])}
    bad = [
        {"columns": torch.tensor([0, 3])},
        {"columns": torch.tensor([0, -1])},
        {"rows": torch.tensor([0, 2, 1])},
        {"rows": torch.tensor([0, 2])},
        {"values": torch.ones(3)},
    ]
    for change in ({}, *bad):
        tensors = {f"x/{name}": tensor.to(torch.int32) for name, tensor in (good | change).items()}
        shapes = {"x": [2, 3]}
        said = json.dumps({"shapes": shapes, "digest": digest(json.dumps(shapes), tensors)})
        save_file(tensors, tmp_path / "net", {"secateurs_csr": said})
        if change:
            with pytest.raises(ExportError, match="damaged or changed"):
                load_csr(tmp_path / "net")
        else:
            assert load_csr(tmp_path / "net")[0]["x"].tolist() == [[1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(5,), (3, 4, 5), (0, 5)])
def test_sparse_linear_is_linear(bias: bool, shape: tuple[int, ...]) -> None:
    dense = nn.Linear(5, 7, bias=bias).double()
    apply(dense, keep_top({"weight": dense.weight.abs()}, 0.3))
    sparse, x = SparseLinear(dense), torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(sparse(x), dense(x).detach(), rtol=1e-14, atol=1e-14)
    again = SparseLinear(nn.Linear(5, 7, bias=bias).double(), dense.weight != 0)
    again.load_state_dict(sparse.state_dict())
    assert torch.equal(again(x), sparse(x))


def test_networks_with_sparse_layers() -> None:
    net, mask = masked(0.2)
    before = copy.deepcopy(net.state_dict())
    found = copy.deepcopy(sparse_linear(net, mask, density=mask.layer_densities()["4.weight"]))
    kinds = [type(module) for module in found.children()]
    assert SparseLinear in kinds
    x = torch.randn(4, 2, 4, 4)
    torch.testing.assert_close(found(x), net(x).detach(), rtol=1e-5, atol=1e-6)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    with pytest.raises(ExportError, match=r"no Linear layer of the model has a density of 0\.1 or less"):
        sparse_linear(net, Mask.full(mask))
    with pytest.raises(ExportError, match="are not 0"):
        sparse_linear(nn.Sequential(nn.Linear(2, 2)), Mask({"0.weight": torch.eye(2)}))
