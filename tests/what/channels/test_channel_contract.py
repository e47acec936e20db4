"""One contract for every channel score of the table, and its options: a new entry has to keep it, or it fails here."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping

import pytest
import torch
from gated_nets import N, each, example, made_by, read_by
from torch import Tensor, nn

from oracle import furthest
from secateurs.core import Batch, Group, Member, PruningError, Spec
from secateurs.what import CHANNEL_SCORES, CHANNELS_WITHOUT_EXAMPLES, channel_score
from secateurs.what.channels.table import options_of
from secateurs.zoo import Classification
from toys import CLASSES, BrokenError, Fixed, generator, unchanged

TASK = Classification(CLASSES)
VARIANTS = [
    Spec("filter_norm", {"order": 1}),
    Spec("snap", {"absolute": "outside", "reduce": "mean"}),
    Spec("crop_gate_eq6", {"hessian": "group"}),
    Spec("loss_preservation", {"absolute": "outside"}),
    Spec("grasp", {"temperature": 1.0, "bn": "running"}),
    Spec("grasp", {"absolute": "outside"}),
    Spec("gradient_flow", {"convs_only": True, "absolute": "inside"}),
    Spec("magnitude", {"members": "all", "reduce": "norm", "unit_variance": True}),
]
SPECS = [*map(Spec, CHANNEL_SCORES), *VARIANTS]
DRAWN = {"fisher"}  # labels are drawn one by one: other batches, other draws
CONSTANT = {"uniform"}

contract = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: " ".join([spec.name, *map(str, spec.options)]))


def scored(
    spec: Spec,
    model: nn.Module,
    data: Fixed,
    groups: list[Group],
    size: int = N,
    seed: int = 1,
    mask: Mapping[str, Tensor] | None = None,
) -> Mapping[str, Tensor]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "per-sample gradients by vmap")
        return channel_score(
            model, TASK, data.batches(size), iter(groups), name=spec, generator=generator(seed), mask=mask
        )


def running(spec: Spec) -> Spec:
    return Spec(spec.name, {**spec.options, "bn": "running"}) if "bn" in options_of(spec.name) else spec


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@contract
def test_pure(spec: Spec) -> None:
    model, data, groups = example("residual")
    model.norm1.eval()
    model.stem.bias.requires_grad_(False)
    model.fc.weight.grad = torch.ones_like(model.fc.weight)
    inputs, before = data.inputs.clone(), copy.deepcopy(groups)
    with unchanged(model):
        scored(spec, model, data, groups)
    assert torch.equal(data.inputs, inputs)
    assert groups == before


@contract
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_each_unit_gets_a_number(spec: Spec, dtype: torch.dtype) -> None:
    model, data, groups = example("residual", dtype)
    found = scored(spec, model, data, groups)
    assert list(found) == ["stem", "conv1"]
    for group in groups:
        values = found[group.name]
        assert values.shape == (group.units,)
        assert values.device.type == "cpu"
        assert not values.requires_grad
        assert bool(values.isfinite().all())
        assert spec.name in CONSTANT or len(values.unique()) > 1
        assert values.dtype in (torch.float64, torch.float32)
        assert dtype != torch.float64 or values.dtype == dtype or spec.name in {"random", "uniform"}
        assert all(values.data_ptr() != p.data_ptr() for p in model.parameters())
    exact = scored(spec, model.double(), Fixed(data.inputs.double(), data.targets), groups)
    if spec.name not in DRAWN:
        assert furthest(found, exact) < {torch.float64: 1e-12, torch.float32: 1e-3, torch.bfloat16: 0.5}[dtype]


@contract
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_device(spec: Spec) -> None:
    model, data, groups = example("residual")
    here = scored(spec, model, data, groups)
    there = scored(spec, model.cuda(), Fixed(data.inputs.cuda(), data.targets.cuda()), groups)
    assert furthest(there, here) < 1e-9


@contract
def test_several_batches_are_one_big_batch(spec: Spec) -> None:
    if spec.name in DRAWN:
        pytest.skip("other batches, other draws")
    model, data, groups = example("residual")
    one = scored(running(spec), model, data, groups)
    assert furthest(scored(running(spec), model, data, groups, size=3), one) < 1e-12


@pytest.mark.parametrize("name", [name for name in CHANNEL_SCORES if "micro_batch" in options_of(name)])
def test_micro_batches_are_the_whole(name: str) -> None:
    model, data, groups = example("residual")
    parts = running(Spec(name, {"micro_batch": 2}))
    assert furthest(scored(parts, model, data, groups), scored(running(Spec(name)), model, data, groups)) < 1e-12


@contract
def test_equal_generators_give_equal_scores_whatever_mode_gradients_and_the_global_state(spec: Spec) -> None:
    model, data, groups = example("residual")
    one = scored(spec, model, data, groups)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(99)
        assert same(one, scored(spec, model, data, groups))
    model.eval()
    with torch.no_grad():
        assert same(one, scored(spec, model, data, groups))


@contract
def test_groups_are_scored_alone_or_together(spec: Spec) -> None:
    """A group's score is its own, but for draws, which go in order, and gates that meet in one Hessian."""
    if spec.name in {"random", "crop_gate_eq6", "fisher"} and not spec.options:
        pytest.skip("not so for this one")
    model, data, groups = example("residual")
    if spec.options.get("members") == "all":
        pytest.skip("all members join g")
    together = scored(spec, model, data, groups)
    for group in groups:
        assert furthest(scored(spec, model, data, [group]), {group.name: together[group.name]}) < 1e-11


@contract
def test_masked_weights_may_hold_anything(spec: Spec) -> None:
    model, data, groups = example("residual")
    mask = {name: torch.rand(p.shape, generator=generator(8)) > 0.3 for name, p in model.named_parameters()}
    one = scored(spec, model, data, groups, mask=mask)
    with torch.no_grad():
        for name, p in model.named_parameters():
            p[~mask[name]] = 7
    assert same(one, scored(spec, model, data, groups, mask=mask))


@contract
def test_removed_channels_score_nothing(spec: Spec) -> None:
    """A unit of which all that makes it is masked."""
    if spec.name in {"random", "uniform"} or spec.options.get("members") == "all":
        pytest.skip("it does not look at the weights that make a unit, or at others, too")
    model, data, groups = example("residual")
    mask = {name: torch.ones(p.shape, dtype=torch.bool) for name, p in model.named_parameters()}
    for name in ("conv1.weight", "norm1.weight", "norm1.bias"):
        mask[name][2] = False
    found = scored(spec, model, data, groups, mask=mask)["conv1"]
    assert found[2] == 0
    assert found.abs().sum() > 0


@contract
def test_what_is_missing_is_said(spec: Spec) -> None:
    model, data, groups = example("residual")
    source = generator()
    if spec.name in CHANNELS_WITHOUT_EXAMPLES:
        assert channel_score(model, groups=groups, name=spec, generator=source)
    else:
        with unchanged(model), pytest.raises(PruningError, match=rf"{spec.name}: .*(no data|shape|pass the task)"):
            channel_score(model, TASK, groups=groups, name=spec, generator=source)
    with unchanged(model), pytest.raises(PruningError, match=rf"{spec.name}: no groups of channels to score"):
        channel_score(model, TASK, data.batches(N), name=spec, generator=source)


@contract
def test_groups_that_do_not_fit_are_refused(spec: Spec) -> None:
    model, data, groups = example("residual")
    faults = [
        (Member("stemm.weight", 0, each(3), "output"), r"'stemm.weight' is no parameter of the model.*'stem.weight'"),
        (Member("stem.weight", 4, each(3), "output"), r"3 units along dimension 4, .*shape \(3, 1, 3, 3\)"),
        (Member("stem.weight", 0, each(2), "output"), r"2 units along dimension 0, but the group has 3 units"),
        (Member("stem.weight", 0, ((0,), (1,), (3,)), "output"), r"positions up to 3 of dimension 0, which has 3"),
    ]
    for member, message in faults:
        with unchanged(model), pytest.raises(PruningError, match=rf"{spec.name}: group 'odd': .*{message}"):
            scored(spec, model, data, [*groups, Group("odd", 3, (member,))])
    with unchanged(model), pytest.raises(PruningError, match=rf"{spec.name}: two groups are named 'stem'"):
        scored(spec, model, data, [groups[0], *groups])


@contract
def test_a_diverged_network_is_refused(spec: Spec) -> None:
    model, data, groups = example("residual")
    with torch.no_grad():
        for p in model.parameters():
            p.fill_(torch.nan)
    if spec.name in {"random", "uniform"}:
        assert scored(spec, model, data, groups)
        return
    with unchanged(model), pytest.raises(PruningError, match=r"not finite|the loss is nan"):
        scored(spec, model, data, groups)


def breaking(batches: Iterator[Batch]) -> Iterator[Batch]:
    yield next(batches)
    raise BrokenError


@contract
def test_failing_data_leave_no_trace(spec: Spec) -> None:
    if spec.name in CHANNELS_WITHOUT_EXAMPLES | {"synflow"}:
        pytest.skip("looks at no data")
    model, data, groups = example("residual")
    with unchanged(model), pytest.raises(BrokenError):
        channel_score(model, TASK, breaking(data.batches(3)), groups, name=spec, generator=generator())


def test_a_function_of_ones_own() -> None:
    model, _, groups = example("residual")

    def first_is_best(
        model: nn.Module, task: object = None, batches: object = (), groups: object = (), **rest: object
    ) -> Mapping[str, Tensor]:
        return {group.name: -torch.arange(group.units, dtype=torch.float32) for group in groups}  # type: ignore[attr-defined]

    assert channel_score(model, groups=groups, name=first_is_best)["conv1"].tolist() == [0, -1, -2, -3]
    with pytest.raises(PruningError, match="channel score of 'stem' is not finite"):
        channel_score(model, groups=groups, name=lambda *a, **k: {"stem": torch.tensor([torch.inf])})


def test_shared_parameters_go_by_any_name() -> None:
    """A member may name a shared parameter as another layer has it."""
    model = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False), nn.Linear(4, CLASSES))
    model[2].weight = model[0].weight
    data = Fixed(torch.randn(N, 4, generator=generator()), torch.arange(N) % CLASSES)
    one = [Group("0", 4, (*made_by("0", each(4), bias=False), read_by("3", each(4))))]
    other = [Group("0", 4, (*made_by("2", each(4), bias=False), read_by("3", each(4))))]
    for name in ("snip", "gradient_flow", "snap", "crop_gate"):
        found = [channel_score(model, TASK, data.batches(N), groups, name=name) for groups in (one, other)]
        assert furthest(found[0], found[1]) < 1e-6


def test_draws_go_in_order() -> None:
    model, _, groups = example("residual")
    found = channel_score(model, groups=groups, name="random", generator=generator(5))
    source = generator(5)
    assert torch.equal(found["stem"], torch.rand(3, generator=source))
    assert torch.equal(found["conv1"], torch.rand(4, generator=source))
    with pytest.raises(PruningError, match="random: pass generator="):
        channel_score(model, groups=groups, name="random")
