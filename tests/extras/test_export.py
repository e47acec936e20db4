"""Masked and cut networks as ONNX models: valid, smaller where channels went, and right in ONNX Runtime."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn
from unittest.mock import patch

import pytest
import torch
from torch import Tensor, nn

from secateurs.core import ExportError, Spec
from secateurs.export import to_onnx
from secateurs.export.program import traced
from secateurs.how import apply, channel_groups, keep_top, keep_top_channels, remove_channels
from secateurs.what import magnitude
from secateurs.zoo import build_model

CASES = [
    (Spec("lenet_300_100"), "masked"),
    (Spec("vgg11", {"width": 4}), "cut"),
    (Spec("resnet20", {"width": 8}), "cut"),
    (Spec("resnet18", {"width": 4}), "masked"),
]
SHAPE = (3, 32, 32)


@pytest.fixture(autouse=True, scope="module")
def _installed(absent: Callable[[str], NoReturn]) -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if importlib.util.find_spec(name) is None:
            absent(f"needs {name!r}: pip install 'secateurs[export]'")


def in_runtime(path: Path, **inputs: Tensor) -> list[Tensor]:
    """What ONNX Runtime makes of the file."""
    session = importlib.import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_inputs()]
    assert set(names) == set(inputs)
    return [torch.from_numpy(each) for each in session.run(None, {name: inputs[name].numpy() for name in names})]


def pruned(spec: Spec, how: str) -> nn.Module:
    net = build_model(spec, SHAPE, 10, seed=0)
    if how == "cut":
        groups = channel_groups(net, torch.zeros(1, *SHAPE))
        draw = torch.Generator().manual_seed(0)
        scores = {group.name: torch.rand(group.units, generator=draw) for group in groups}
        return remove_channels(net, keep_top_channels(groups, scores, 0.3))
    apply(net, keep_top(magnitude(net), 0.1))
    return net


@pytest.mark.parametrize(("spec", "how"), CASES, ids=[f"{spec.name}-{how}" for spec, how in CASES])
def test_networks_of_the_zoo(spec: Spec, how: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    net, path = pruned(spec, how), tmp_path / "net.onnx"
    before = copy.deepcopy(net.state_dict())
    found = to_onnx(net, torch.randn(2, *SHAPE), path)
    assert found.bytes == path.stat().st_size
    assert 0 < found.difference < 1e-4
    assert net.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")
    name = importlib.import_module("onnx").load(path).graph.input[0].name
    x = torch.randn(7, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(in_runtime(path, **{name: x})[0], net.eval()(x), rtol=1e-4, atol=1e-4)
    parameters = 4 * sum(p.numel() for p in net.parameters())
    assert parameters * 0.9 < found.bytes < parameters + 150_000


class TwoInputs(nn.Module):
    """Called by names, in any order; gives several tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Embedding(9, 4), nn.Linear(4, 2)

    def forward(self, ids: Tensor, scale: Tensor) -> dict[str, Tensor]:
        out = self.fc(self.embed(ids).mean(1))
        return {"scaled": out * scale[:, None], "plain": out}


def test_inputs_by_name(tmp_path: Path) -> None:
    net, path = TwoInputs(), tmp_path / "net.onnx"
    example = {"scale": torch.rand(1), "ids": torch.randint(9, (1, 5))}
    to_onnx(net, example, path)
    given = {"scale": torch.rand(6), "ids": torch.randint(9, (6, 5))}
    with torch.no_grad():
        expected = net(**given)
    for found, wanted in zip(in_runtime(path, **given), expected.values(), strict=True):
        torch.testing.assert_close(found, wanted)


def test_a_cut_transformer(extra: Callable[..., Any], tmp_path: Path) -> None:
    net = extra("transformers", "in_transformers").bert().eval()
    example = {"input_ids": torch.randint(1, 12, (2, 6))}
    groups = channel_groups(net, example)
    small = remove_channels(net, keep_top_channels(groups, {g.name: torch.rand(g.units) for g in groups}, 0.8))
    assert to_onnx(small, example, tmp_path / "net.onnx").difference < 1e-4


@pytest.mark.usefixtures("elsewhere")
def test_the_docs_page(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    network, onnx = (
        re.search(rf"^```{re.escape(kind)}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        for kind in ("python", "{code-block} python")
    )
    assert network is not None
    assert onnx is not None
    Path("page.py").write_text(network[1] + onnx[1], encoding="utf-8")
    runpy.run_path("page.py")
    assert capsys.readouterr().out == "True\n" * 3


class Decides(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Complex(nn.Module):
    """ONNX has no such operation."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvals(x).abs()


def test_what_is_refused(tmp_path: Path) -> None:
    net, other, x, path = nn.Linear(3, 2), nn.Linear(3, 2), torch.ones(4, 3), tmp_path / "net.onnx"
    with pytest.raises(ExportError, match=r"torch\.export cannot trace the network"):
        to_onnx(Decides(), x, path)
    with pytest.raises(ExportError, match=r"torch\.onnx cannot convert the network"):
        to_onnx(Complex(), torch.ones(4, 3, 3), path)
    with (
        patch("secateurs.export.onnx_model.traced", lambda _, inputs: traced(other, inputs)),
        pytest.raises(ExportError, match="the ONNX model, called with 4 examples: differs from the original by"),
    ):
        to_onnx(net, x, path)
    with pytest.raises(ExportError, match="cannot be written"):
        to_onnx(net, x, tmp_path / "nowhere" / "net.onnx")
    assert not list(tmp_path.iterdir())
