"""A mask is a value: immutable, comparable, storable."""

import copy
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from secateurs.core import PruningError, generator_for
from secateurs.how import Mask

SHAPES = st.lists(st.lists(st.integers(0, 5), min_size=0, max_size=4), min_size=1, max_size=4)


def random_mask(shapes: list[list[int]], seed: int, density: float = 0.5) -> Mask:
    generator = generator_for("mask", seed)
    flags = {f"layer.{i}": torch.rand(shape, generator=generator) < density for i, shape in enumerate(shapes)}
    return Mask({**flags, "last": torch.tensor([True, False, True])})


@pytest.fixture
def mask() -> Mask:
    return random_mask([[4, 3], [2, 3, 3, 3]], seed=0)


def test_counts_by_hand() -> None:
    mask = Mask({"a": torch.tensor([[True, False], [False, False]]), "b": torch.tensor([0.0, 1.0, 1.0, 1.0, 0.0, 1.0])})
    assert (mask.kept, mask.total, mask.density) == (5, 10, 0.5)
    assert mask.layer_densities() == {"a": 0.25, "b": 4 / 6}
    assert mask.empty_layers() == ()
    assert list(mask) == ["a", "b"]
    assert "c" not in mask


def test_full_keeps_everything_of_a_model() -> None:
    parameters = dict(torch.nn.Linear(3, 2).named_parameters())
    full = Mask.full(parameters)
    assert full.density == 1.0
    assert {name: flags.shape for name, flags in full.items()} == {name: p.shape for name, p in parameters.items()}


def test_nothing_from_outside_changes_a_mask(mask: Mask) -> None:
    digest, source = mask.digest, torch.tensor([True, True])
    mask["last"].zero_()
    for flags in mask.values():
        flags.zero_()
    assert mask == random_mask([[4, 3], [2, 3, 3, 3]], seed=0)
    assert mask.digest == digest
    other = Mask({"a": source})
    source.zero_()
    assert other.kept == 2


def test_equality_is_names_shapes_and_bits_in_any_order() -> None:
    a, b = torch.tensor([True, False]), torch.tensor([[True, True]])
    mask = Mask({"a": a, "b": b})
    assert mask == Mask({"b": b, "a": a.float()})
    assert hash(mask) == hash(Mask({"b": b, "a": a}))
    for other in ({"a": a}, {"a": ~a, "b": b}, {"a": a, "c": b}, {"a": a, "b": b.flatten()}):
        assert mask != Mask(other)
    assert mask != {"a": a, "b": b}
    assert copy.deepcopy(mask) == mask


def test_non_contiguous_flags_are_read_in_their_logical_order() -> None:
    flags = torch.tensor([[True, False, False], [True, True, False]])
    assert Mask({"a": flags.t()}) == Mask({"a": flags.t().contiguous()})


@pytest.mark.parametrize("values", [[0.5, 1.0], [2.0, 0.0], [float("nan"), 1.0]])
def test_other_values_than_zero_and_one_are_refused_by_name(values: list[float]) -> None:
    with pytest.raises(PruningError, match=r"'conv\.weight'.*zeros and ones"):
        Mask({"conv.weight": torch.tensor(values)})


@pytest.mark.parametrize("tensors", [{}, {"a": torch.zeros(0, 3)}])
def test_a_mask_of_nothing_is_refused(tensors: dict[str, Tensor]) -> None:
    with pytest.raises(PruningError, match="at least one entry"):
        Mask(tensors)


@given(SHAPES, st.integers(0, 99), st.integers(0, 99))
def test_distance_and_intersection_against_counting(shapes: list[list[int]], one: int, two: int) -> None:
    a, b = random_mask(shapes, one), random_mask(shapes, two)
    pairs = [(x, y) for name in a for x, y in zip(a[name].flatten().tolist(), b[name].flatten().tolist(), strict=True)]
    assert a.distance(b) == b.distance(a) == sum(x != y for x, y in pairs) / len(pairs)
    assert (a & b).kept == sum(x and y for x, y in pairs)
    assert a.distance(a) == 0
    assert a & a == a


def test_masks_of_different_models_are_told_apart_by_layer(mask: Mask) -> None:
    with pytest.raises(PruningError, match=r"'layer\.0' is in only one"):
        mask.distance(Mask({"last": mask["last"]}))
    with pytest.raises(PruningError, match="'extra' is in only one"):
        mask.distance(Mask({**mask, "extra": torch.ones(1)}))
    with pytest.raises(PruningError, match=r"shape of 'last': \(3,\), \(1, 3\)"):
        mask & Mask({**mask, "last": mask["last"][None]})


def test_shuffling_keeps_the_layers_and_follows_from_the_generator(mask: Mask) -> None:
    shuffled = mask.shuffled(generator_for("shuffle", 1))
    assert shuffled.layer_densities() == mask.layer_densities()
    assert shuffled != mask
    assert shuffled == mask.shuffled(generator_for("shuffle", 1))
    assert shuffled != mask.shuffled(generator_for("shuffle", 2))
    assert list(shuffled) == list(mask)
    reordered = Mask({name: mask[name] for name in reversed(list(mask))})
    assert reordered.shuffled(generator_for("shuffle", 1)) == shuffled


def test_layer_collapse_is_reported() -> None:
    mask = Mask({"a": torch.zeros(2, 2), "b": torch.ones(3), "c": torch.zeros(1), "none": torch.zeros(0)})
    assert mask.empty_layers() == ("a", "c")


@given(SHAPES, st.integers(0, 99), st.sampled_from([0.05, 0.5]))
def test_shares_of_units_against_counting(shapes: list[list[int]], seed: int, density: float) -> None:
    mask = random_mask(shapes, seed, density)
    units = mask.unit_densities()
    assert list(units) == list(mask)
    for name, flags in mask.items():
        rows = flags if flags.ndim else flags[None]
        counted = [sum(row.flatten().tolist()) / row.numel() if row.numel() else 1.0 for row in rows]
        assert units[name].dtype == torch.float64
        assert units[name].tolist() == counted


def test_emptied_units_by_hand() -> None:
    conv = torch.zeros(3, 2, 1, 2)
    conv[0], conv[2, 1, 0, 0] = 1, 1
    units = Mask({"conv": conv, "norm": torch.tensor([1, 0])}).unit_densities()
    assert {name: shares.tolist() for name, shares in units.items()} == {"conv": [1.0, 0.0, 0.25], "norm": [1.0, 0.0]}


@given(SHAPES, st.integers(0, 99))
def test_packing_is_lossless_and_keeps_the_order(shapes: list[list[int]], seed: int) -> None:
    mask = random_mask(shapes, seed)
    packed = mask.to_tensors()
    again = Mask.from_tensors({"0.weight": torch.zeros(2), **packed})
    assert again == mask
    assert list(again) == list(mask)
    bits = sum(tensor.numel() for name, tensor in packed.items() if name.endswith("/bits"))
    assert bits <= mask.total / 8 + len(mask)


def test_files(mask: Mask, tmp_path: Path) -> None:
    path = tmp_path / "mask.safetensors"
    mask.save(path)
    loaded = Mask.load(path)
    assert loaded == mask
    assert list(loaded) == list(mask)
    content = path.read_bytes()
    for size in (0, 4, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(PruningError, match=r"mask\.safetensors"):
            Mask.load(path)
    with pytest.raises(PruningError, match="cannot read"):
        Mask.load(tmp_path / "absent")
    with pytest.raises(PruningError, match="cannot write"):
        mask.save(tmp_path / "absent" / "mask")


def test_files_that_hold_something_else(mask: Mask, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    with pytest.raises(PruningError, match="no mask among the tensors"):
        Mask.load(path)
    mask.save(path)
    packed = load_file(path)
    header = bytes(packed["mask/header"].tolist())
    faults = {
        "digest does not match": {"mask/last/bits": packed["mask/last/bits"] ^ 128},
        "KeyError": {"mask/last/bits": None},
        "for 3 bits": {"mask/last/bits": torch.zeros(2, dtype=torch.uint8)},
        "JSONDecodeError": {"mask/header": packed["mask/header"][:-1]},
        "format 2": {"mask/header": torch.tensor(list(header.replace(b'"format": 1', b'"format": 2')))},
    }
    for message, change in faults.items():
        damaged = {name: tensor for name, tensor in {**packed, **change}.items() if tensor is not None}
        with pytest.raises(PruningError, match=message):
            Mask.from_tensors(damaged)
