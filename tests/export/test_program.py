"""Exported programs, and the comparison with the original."""

from __future__ import annotations

import copy
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import Batch, ExportError, Spec, generator_for
from secateurs.export import to_exported_program, to_onnx
from secateurs.export.agreement import checked, inputs_of, random_inputs
from secateurs.export.program import traced
from secateurs.how import apply, channel_groups, keep_top, keep_top_channels, remove_channels
from secateurs.what import magnitude
from secateurs.zoo import build_model


def cut_and_masked() -> nn.Module:
    net = build_model(Spec("digits_resnet", {"width": 8}), (1, 8, 8), 10, seed=0)
    groups = channel_groups(net, torch.zeros(1, 1, 8, 8))
    small = remove_channels(net, keep_top_channels(groups, {g.name: torch.rand(g.units) for g in groups}, 0.5))
    apply(small, keep_top(magnitude(small), 0.3))
    return small


def test_programs_of_cut_and_masked_networks(tmp_path: Path) -> None:
    net, x, path = cut_and_masked(), torch.randn(1, 1, 8, 8), tmp_path / "net.pt2"
    before = copy.deepcopy(net.state_dict())
    random = torch.get_rng_state()
    found = to_exported_program(net, x, path)  # one example: 1 must not become a constant
    assert found.path == path
    assert found.bytes == path.stat().st_size
    assert found.difference < 1e-5
    assert found.calls == 3
    assert net.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())


def test_what_differs_is_not_written(tmp_path: Path) -> None:
    net, other, path = nn.Linear(3, 2), nn.Linear(3, 2), tmp_path / "net.pt2"
    with (
        patch("secateurs.export.program.traced", lambda _, inputs: traced(other, inputs)),
        pytest.raises(ExportError, match="the exported program, called with 4 examples: differs from the original by"),
    ):
        to_exported_program(net, torch.ones(4, 3), path)
    assert not list(tmp_path.iterdir())


class Decides(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


def test_what_cannot_be_traced(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"torch\.export cannot trace the network: GuardOnDataDependent") as caught:
        to_exported_program(Decides(), torch.ones(2, 3), tmp_path / "net.pt2")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_onnx_without_its_extra(tmp_path: Path) -> None:
    with (
        patch.dict("sys.modules", {"onnx": None}),
        pytest.raises(ExportError, match="of the extra 'export': pip install"),
    ):
        to_onnx(nn.Linear(2, 2), torch.ones(1, 2), tmp_path / "net.onnx")


def test_examples() -> None:
    x, y = torch.ones(2, 3), torch.zeros(2)
    assert inputs_of(x).rows == 2
    assert inputs_of(Batch(x, y)).tensors == [x]
    assert inputs_of((x, y)).args == (x, y)
    assert inputs_of({"y": y, "one": torch.tensor(1.0)}).rows == 2
    for wrong in ((x, torch.ones(3)), torch.tensor(1.0), torch.ones(0, 2), (), {}):
        with pytest.raises(ExportError, match="the first dimension of all tensors must be the batch"):
            inputs_of(wrong)
    with pytest.raises(ExportError, match="expected tensors only"):
        inputs_of([1, 2])  # type: ignore[list-item]


def test_random_inputs_are_of_the_same_kind() -> None:
    like = inputs_of(
        {
            "floats": 5 + torch.randn(50, 8),
            "ids": torch.randint(3, 9, (50,)),
            "flags": torch.rand(50) < 0.5,
            "one": torch.tensor(2),
        }
    )
    drawn = random_inputs(like, 400, generator_for("t")).kwargs
    assert [drawn[name].dtype for name in drawn] == [tensor.dtype for tensor in like.tensors]
    assert drawn["floats"].shape == (400, 8)
    assert float(drawn["floats"].mean()) == pytest.approx(5, abs=0.2)
    assert set(drawn["ids"].tolist()) == set(range(3, 9))
    assert set(drawn["flags"].tolist()) == {True, False}
    assert drawn["one"] == 2
    assert bool(random_inputs(inputs_of(torch.ones(2, 2)), 3, generator_for("t")).args[0].isfinite().all())


def test_disagreement_is_found() -> None:
    net, x = nn.Linear(3, 2).eval(), inputs_of(torch.ones(2, 3))

    def compared(change: nn.Module, tolerance: float = 1e-3) -> float:
        return checked(net, lambda given: [change(*given.args).detach()], x, tolerance, 0, "it")[0]

    assert compared(net) == 0
    other = copy.deepcopy(net)
    other.bias.data += 5e-4
    assert compared(other) == pytest.approx(5e-4, rel=1e-2)
    with pytest.raises(ExportError, match=r"it, called with 2 examples: differs from the original by 0\.0005"):
        compared(other, tolerance=1e-4)
    other.bias.data += float("nan")
    with pytest.raises(ExportError, match="differs from the original by nan"):
        compared(other)
    with pytest.raises(ExportError, match=r"gives outputs of shapes \[\[2, 1\]\], not \[\[2, 2\]\]"):
        compared(nn.Linear(3, 1))
    with pytest.raises(ExportError, match="it, called with 2 examples: fails: "):
        compared(nn.Linear(4, 1))
    only_two = nn.Sequential(nn.Flatten(0), nn.Linear(6, 4), nn.Unflatten(0, (2, 2)))
    with pytest.raises(ExportError, match="the network itself fails, called with 1 examples"):
        checked(only_two, lambda given: [only_two(*given.args)], x, 1e-4, 0, "it")


def test_infinities_agree() -> None:
    net, x = nn.Linear(3, 2).eval(), inputs_of(torch.ones(2, 3))
    net.bias.data = torch.tensor([float("inf"), float("nan")])
    assert checked(net, lambda given: [net(*given.args).detach()], x, 1e-4, 0, "it")[0] == 0
