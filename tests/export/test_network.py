"""Networks as files: what comes back is what was saved, and what is not such a file is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from channel_nets import STRUCTURES, some, structure
from secateurs.core import ExportError, Group, Keep, Member, Spec
from secateurs.export import load_network, save_network
from secateurs.export.architecture import Architecture, cut_of, keep_of
from secateurs.export.states import digest
from secateurs.how import Mask, apply, channel_groups, keep_top, keep_top_channels, remove_channels
from secateurs.what import magnitude
from secateurs.zoo import MODELS, build_model
from zoo_specs import small as small_spec

DEEPER = ("resnet32", "resnet44", "resnet56", "resnet110", "resnext101_", "preresnet32", "preresnet44", "preresnet56")
DEEPER += ("preresnet80", "preresnet110", "preresnet152", "densenet40")  # the deeper ones are the same code
SPECS = [small_spec(name) for name in MODELS if not name.startswith(DEEPER)]
SHAPE, CLASSES = (3, 32, 32), 5
ZOO = {"input_shape": SHAPE, "num_classes": CLASSES}


def cut(model: nn.Module, seed: int, density: float = 0.5) -> tuple[nn.Module, Keep]:
    groups = channel_groups(model, torch.zeros(1, *SHAPE))
    draw = torch.Generator().manual_seed(seed)
    keep = keep_top_channels(groups, {g.name: torch.rand(g.units, generator=draw) for g in groups}, density)
    return remove_channels(model, keep), keep


def same(one: nn.Module, other: nn.Module) -> None:
    """Names, types, bits."""
    states = [model.state_dict() for model in (one, other)]
    assert list(states[0]) == list(states[1])
    for name, tensor in states[0].items():
        assert tensor.dtype == states[1][name].dtype
        assert torch.equal(tensor, states[1][name]), name


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_cut_networks_of_the_zoo_come_back(spec: Spec, tmp_path: Path) -> None:
    small, keep = cut(build_model(spec, SHAPE, CLASSES, seed=1), seed=2)
    size = save_network(small, tmp_path / "net", spec=spec, keep=keep, **ZOO)
    assert size == (tmp_path / "net").stat().st_size
    again = load_network(tmp_path / "net")
    same(small, again)
    assert not again.training
    x = torch.randn(2, *SHAPE)
    torch.testing.assert_close(again(x), small.eval()(x))  # the bits of a product depend on where weights lie
    assert all(p.requires_grad for p in again.parameters())


def test_several_cuts_in_low_precision(tmp_path: Path) -> None:
    spec = Spec("resnet20", {"width": 8})
    once, first = cut(build_model(spec, SHAPE, CLASSES, seed=1), seed=2)
    twice, second = cut(once, seed=3)
    twice.bfloat16()
    save_network(twice, tmp_path / "net", spec=spec, keep=[first, second], **ZOO)
    same(twice, load_network(tmp_path / "net"))
    with pytest.raises(ExportError, match=r"another network than the model is: 'conv\.weight'"):
        save_network(twice, tmp_path / "net", spec=spec, keep=first, **ZOO)
    same(twice, load_network(tmp_path / "net"))  # the file is as it was


@pytest.mark.parametrize("name", sorted(STRUCTURES))
def test_networks_of_ones_own(name: str, tmp_path: Path) -> None:
    model, x = structure(name)
    keep = some(channel_groups(model, x), seed=1)
    assert keep_of(cut_of(keep), model) == keep
    small = remove_channels(model, keep)
    save_network(small, tmp_path / "net", keep=keep)
    again = load_network(tmp_path / "net", build=lambda: structure(name)[0])
    same(small, again)
    assert torch.equal(again(x), small.eval()(x))
    with pytest.raises(ExportError, match="not of the zoo: give build="):
        load_network(tmp_path / "net")
    if keep.removed:
        with pytest.raises(ExportError, match="make another network than the model is"):
            save_network(model, tmp_path / "dense", keep=keep)
    assert list(tmp_path.iterdir()) == [tmp_path / "net"]


@given(st.data())
@settings(max_examples=30)
def test_any_index_comes_back(data: st.DataObject) -> None:
    units = data.draw(st.integers(1, 4))
    each = st.lists(st.integers(0, 20), max_size=3).map(tuple)
    index = data.draw(st.lists(each, min_size=units, max_size=units).map(tuple))
    group = Groups.one(index)
    keep = Keep([group], {"a": torch.tensor(data.draw(st.lists(st.booleans(), min_size=units, max_size=units)))})
    assert keep_of(cut_of(keep), Groups(21)) == keep


class Groups(nn.Module):
    """A parameter with one group along it."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.zeros(size, 2))

    @staticmethod
    def one(index: tuple[tuple[int, ...], ...]) -> Group:
        return Group("a", len(index), (Member("a", 0, index, "output"),))


def test_masks_travel_with_the_weights(tmp_path: Path) -> None:
    spec = Spec("resnet20", {"width": 4})
    net = build_model(spec, SHAPE, CLASSES, seed=0)
    mask = keep_top(magnitude(net), 0.2)
    with pytest.raises(ExportError, match=r"weights of 'conv.weight' that it drops are not 0: apply\(model, mask\)"):
        save_network(net, tmp_path / "net", spec=spec, mask=mask, **ZOO)
    apply(net, mask)
    save_network(net, tmp_path / "net", spec=spec, mask=mask, **ZOO)
    same(net, load_network(tmp_path / "net"))
    assert Mask.load(tmp_path / "net") == mask
    other = Mask({"conv.weight": torch.ones(2, 2)})
    with pytest.raises(ExportError, match=r"'conv.weight' is \[2, 2\], in the model \[4, 3, 3, 3\]"):
        save_network(net, tmp_path / "net", spec=spec, mask=other, **ZOO)


class Tied(nn.Module):
    def __init__(self, tie: bool = True) -> None:
        super().__init__()
        self.read = nn.Embedding(7, 4)
        self.write = nn.Linear(4, 7, bias=False)
        if tie:
            self.write.weight = self.read.weight
        self.register_buffer("part", torch.arange(12.0).reshape(3, 4).T[1:3])  # a view, not contiguous

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.write(self.read(x))
        return out


def test_tied_and_non_contiguous_tensors(tmp_path: Path) -> None:
    net = Tied()
    net.read.weight.data = net.read.weight.data.T.contiguous().T
    save_network(net, tmp_path / "net")
    assert set(load_file(tmp_path / "net")) == {"part", "read.weight"}
    again = load_network(tmp_path / "net", build=Tied)
    same(net, again)
    assert again.write.weight is again.read.weight
    with pytest.raises(ExportError, match=r"tied parameters are .*write.weight.* in the file, none in the model"):
        load_network(tmp_path / "net", build=lambda: Tied(tie=False))
    save_network(Tied(tie=False), tmp_path / "apart")
    with pytest.raises(ExportError, match="tied parameters are none in the file"):
        load_network(tmp_path / "apart", build=Tied)


def test_channels_last_and_wrapped(tmp_path: Path) -> None:
    spec = Spec("resnet20", {"width": 4})
    net = build_model(spec, SHAPE, CLASSES, seed=0).to(memory_format=torch.channels_last)
    save_network(nn.DataParallel(net), tmp_path / "net", spec=spec, **ZOO)
    same(net, load_network(tmp_path / "net"))


def test_what_cannot_be_saved(tmp_path: Path) -> None:
    net = nn.Linear(2, 2)
    for spec, more, said in (
        (Spec("resnet20"), {}, "give all three"),
        (Spec("resnet20", {"width": {1, 2}}), ZOO, "cannot be written as JSON"),
        (Spec("resnet20", {"width": float("nan")}), ZOO, "cannot be written as JSON"),
        (Spec("resnet20"), ZOO, "make another network than the model is"),
    ):
        with pytest.raises(ExportError, match=said):
            save_network(net, tmp_path / "net", spec=spec, **more)  # type: ignore[arg-type]
    with pytest.raises(ExportError, match="nowhere/net: cannot be written: No such file"):
        save_network(net, tmp_path / "nowhere" / "net")
    net.register_buffer("sparse", torch.eye(2).to_sparse())
    with pytest.raises(ExportError, match="'sparse' in the state is Tensor, no dense tensor"):
        save_network(net, tmp_path / "net")
    assert not list(tmp_path.iterdir())


def forged(path: Path, said: dict[str, object], tensors: dict[str, Tensor]) -> None:
    """A file whose digest is right."""
    text = Architecture.model_validate_json(json.dumps(said | {"digest": ""})).model_dump_json()
    save_file(tensors, path, {"secateurs": json.dumps(json.loads(text) | {"digest": digest(text, tensors)})})


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    path, spec = tmp_path / "net", Spec("resnet20", {"width": 4})
    with pytest.raises(ExportError, match="net: cannot be read"):
        load_network(path)
    small, keep = cut(build_model(spec, SHAPE, CLASSES, seed=1), seed=2)
    save_network(small, path, spec=spec, keep=keep, **ZOO)
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:50], b"", b"PK\x03\x04 a pickle in a zip"):
        path.write_bytes(damaged)
        with pytest.raises(ExportError, match="net: cannot be read"):
            load_network(path)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(ExportError, match="damaged or changed"):
        load_network(path)
    save_file({"a": torch.ones(1)}, path)
    with pytest.raises(ExportError, match="was not written by save_network"):
        load_network(path)
    save_file({"a": torch.ones(1)}, path, {"secateurs": '{"format": 2}'})
    with pytest.raises(ExportError, match=r"not one that this version reads: format: Input should be 1"):
        load_network(path)


def test_forged_descriptions(tmp_path: Path) -> None:
    path, spec = tmp_path / "net", Spec("resnet20", {"width": 4})
    small, keep = cut(build_model(spec, SHAPE, CLASSES, seed=1), seed=2)
    save_network(small, path, spec=spec, keep=keep, **ZOO)
    with safe_open(path, framework="pt") as file:
        said = json.loads(file.metadata()["secateurs"])
    tensors = load_file(path)
    zoo, group = said["zoo"], said["cuts"][0]["groups"][0]

    def refused(change: dict[str, object], match: str) -> None:
        forged(path, said | change, tensors)
        with pytest.raises(ExportError, match=match):
            load_network(path)

    refused({"zoo": zoo | {"name": "os.system"}}, "no network is named 'os.system'")
    refused({"zoo": zoo | {"options": {"bias": True}}}, "cannot be built: .*unexpected keyword argument 'bias'")
    refused({"zoo": zoo | {"options": {"width": -1}}}, "cannot be built")
    refused({"zoo": zoo | {"options": {"width": 8}}}, "cannot be built: keep: .* is .* in the groups")
    refused({"zoo": zoo | {"num_classes": 7}}, "is not what was saved: 'fc|cannot be built")
    refused({"tied": {"x": "conv.weight"}}, "is not what was saved: 'x'")
    refused({"tied": {"x": "y"}}, "'x' should be tied to 'y'")
    for change, match in (
        ({"kept": [10**6]}, "keeps units that it has not"),
        ({"kept": []}, "would vanish"),
        ({"units": 10**12}, "units beyond the|do not fit"),
        ({"members": [group["members"][0] | {"index": 99}]}, "which the model has not"),
        ({"members": [group["members"][0] | {"name": "x"}]}, "which the model has not"),
        ({"paddings": [{"name": "conv2", "before": [], "after": []}]}, "padded by 'conv2', which the model has not"),
    ):
        refused({"cuts": [said["cuts"][0] | {"groups": [group | change]}]}, match)
    save_network(nn.Linear(1, 1), path)
    with pytest.raises(ExportError, match="expected to get a torch module, got int"):
        load_network(path, build=lambda: 3)  # type: ignore[arg-type,return-value]
