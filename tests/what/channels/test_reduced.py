"""Weight scores reduced to channels, against sums one number at a time over explicit gradients and Hessians."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from channel_oracle import brute
from gated_nets import NETS, each, example, made_by, read_by
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from oracle import LossOracle, furthest
from secateurs.core import Group, Member, PruningError, Scores, Spec, prunable
from secateurs.what import channel_score, score
from secateurs.zoo import Classification
from toys import CLASSES, Fixed, generator, unchanged

TASK = Classification(CLASSES)
CLOSE = 1e-11
SUMS = [(reduce, absolute) for reduce in ("sum", "mean") for absolute in ("inside", "filter", "outside")]
WAYS = [*SUMS, ("max", "inside"), ("norm", "inside")]

nets = pytest.mark.parametrize("net", NETS)
ways = pytest.mark.parametrize(("reduce", "absolute"), WAYS)


@cache
def signed(name: str, net: str) -> dict[str, Tensor]:
    """What the score is before its absolute value, from the Hessian written out."""
    oracle, product = oracle_of(net)
    theta, g = oracle.theta, oracle.gradient()
    values = {
        "magnitude": theta,
        "loss_preservation": theta * g,
        "snip": theta * g,
        "magnitude_loss": theta.abs() * theta * g,
        "gradient_flow": theta * product,
        "grasp": theta * product,
        "movement": -theta * g,
    }
    return oracle.named(values[name])


@cache
def oracle_of(net: str) -> tuple[LossOracle, Tensor]:
    """The loss of the net, and its Hessian, row by row, times its gradient."""
    model, data, _ = example(net)
    oracle = LossOracle(model, data.inputs, data.targets, list(prunable(model)))
    return oracle, oracle.hessian() @ oracle.gradient()


def options(name: str) -> dict[str, object]:
    return {"temperature": 1.0, "bn": "running"} if name == "grasp" else {}


SCORED = ["magnitude", "loss_preservation", "snip", "magnitude_loss", "gradient_flow", "grasp", "movement"]


@nets
@pytest.mark.parametrize("name", SCORED)
def test_every_reduction(net: str, name: str) -> None:
    model, data, groups = example(net)
    values = signed(name, net)
    for reduce, absolute in WAYS:
        found = channel_score(
            model, TASK, data.batches(4), groups, name=name, reduce=reduce, absolute=absolute, **options(name)
        )
        assert furthest(found, brute(model, groups, values, reduce, absolute)) < CLOSE, (reduce, absolute)


@pytest.mark.parametrize("name", ["grasp", "movement"])
@pytest.mark.parametrize("reduce", ["sum", "mean", "max", "norm"])
def test_scores_that_may_be_negative_stay_so(name: str, reduce: str) -> None:
    model, data, groups = example("residual")
    found = channel_score(model, TASK, data.batches(7), groups, name=name, reduce=reduce, **options(name))
    assert furthest(found, brute(model, groups, signed(name, "residual"), reduce, "none")) < CLOSE
    if reduce in ("sum", "mean"):
        assert any(bool((values < 0).any()) for values in found.values())


@pytest.mark.parametrize(
    ("name", "default"),
    [("loss_preservation", "inside"), ("magnitude_loss", "inside"), ("gradient_flow", "outside"), ("grasp", "none")],
)
def test_what_holds_where_nothing_is_said(name: str, default: str) -> None:
    model, data, groups = example("residual")
    given_nothing = channel_score(model, TASK, data.batches(7), groups, name=name, **options(name))
    said = channel_score(model, TASK, data.batches(7), groups, name=name, absolute=default, **options(name))
    assert furthest(given_nothing, said) == 0


def test_inside_and_outside_rank_differently() -> None:
    """|sum theta g| (P3 eq. 3) and sum |theta g| (what its authors ran) are two scores."""
    layer = nn.Linear(2, 2, bias=False)
    layer.weight.data.copy_(torch.tensor([[3.0, -3.0], [1.0, 0.0]]))
    groups = [Group("fc", 2, tuple(made_by("0", each(2), bias=False)))]
    model = nn.Sequential(layer)
    inside = channel_score(model, groups=groups, name="magnitude", absolute="inside")["fc"]
    outside = channel_score(model, groups=groups, name="magnitude", absolute="outside")["fc"]
    assert inside.tolist() == [6, 1]
    assert outside.tolist() == [0, 1]


@nets
@ways
def test_all_members_count_each_entry_once(net: str, reduce: str, absolute: str) -> None:
    """Biases, norms and readers join in; where one layer makes and reads a group, its diagonal counts once."""
    model, _data, groups = example(net)
    values = {name: p.detach() for name, p in model.named_parameters()}
    roles = ("output", "input", "norm")
    expected = brute(model, groups, values, reduce, absolute, roles=roles, counts=lambda name, p: True)
    found = channel_score(model, groups=groups, name="magnitude", members="all", reduce=reduce, absolute=absolute)
    assert furthest(found, expected) < CLOSE


@given(st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 4), st.sampled_from(WAYS))
def test_random_couplings(seed: int, layers: int, units: int, way: tuple[str, str]) -> None:
    """Layers of any number, units of several positions or none, positions in any order."""
    source = generator(seed)
    model = nn.Sequential(*[nn.Linear(2, 6) for _ in range(layers)]).double()
    values = {}
    members = []
    for k in range(layers):
        weight = torch.randn(6, 2, generator=source, dtype=torch.float64)
        model[k].weight.data.copy_(weight)
        values[f"{k}.weight"] = weight
        order = torch.randperm(6, generator=source).tolist()
        share = 6 // units
        index = [tuple(order[u * share : (u + 1) * share]) for u in range(units)]
        if k and units > 1:
            index[int(torch.randint(units, (), generator=source))] = ()
        members.append(Member(f"{k}.weight", 0, tuple(index), "output"))
    group = Group("g", units, tuple(members))
    reduce, absolute = way
    found = channel_score(model, groups=[group], name="magnitude", reduce=reduce, absolute=absolute)
    assert furthest(found, brute(model, [group], values, reduce, absolute)) < 1e-12


def test_only_convolutions() -> None:
    model, data, _ = example("mlp")
    both = nn.Sequential(nn.Conv1d(1, 3, 4), nn.Flatten(), nn.Linear(3, 3), nn.Linear(3, CLASSES)).double()
    coupled = Group("0", 3, (*made_by("0", each(3)), *made_by("2", each(3)), read_by("3", each(3))))
    found = channel_score(both, groups=[coupled], name="magnitude", convs_only=True)
    assert furthest(found, {"0": both[0].weight.detach().abs().sum((1, 2))}) < CLOSE
    with (
        unchanged(model),
        pytest.raises(
            PruningError, match=r"grasp: group '0' has no weight that counts with convs_only: leave the group out"
        ),
    ):
        channel_score(model, TASK, data.batches(7), example("mlp")[2], name="grasp", convs_only=True)


def test_depthwise_convolutions_may_only_follow() -> None:
    """P3's MobileNet is scored by its pointwise convolutions."""
    model, _, groups = example("separable")
    pointwise = model[4].weight.detach().abs().sum((1, 2, 3))
    depthwise = model[7].weight.detach().abs().sum((1, 2, 3))
    found = channel_score(model, groups=groups, name="magnitude", depthwise=False)
    assert torch.equal(found["4"], pointwise)
    assert torch.allclose(channel_score(model, groups=groups, name="magnitude")["4"], pointwise + depthwise)
    followers = Group("7", 5, tuple(made_by("7", each(5))))
    with pytest.raises(PruningError, match=r"filter_norm: group '7' has no weight that counts with depthwise=False"):
        channel_score(model, groups=[followers], name="filter_norm", depthwise=False)


def test_names_say_what_gradient_and_score_are_about() -> None:
    model, data, groups = example("mlp")
    names = ["2.weight", "4.weight"]
    oracle = LossOracle(model, data.inputs, data.targets, names)
    expected = oracle.named(oracle.theta * (oracle.hessian() @ oracle.gradient()))
    found = channel_score(model, TASK, data.batches(7), groups[1:], name="gradient_flow", names=names)
    assert furthest(found, brute(model, groups[1:], expected, "sum", "outside")) < CLOSE
    with pytest.raises(PruningError, match=r"group '0' has no weight that counts with names=: leave the group out"):
        channel_score(model, TASK, data.batches(7), groups, name="gradient_flow", names=names)


@pytest.mark.parametrize("name", ["fisher", "fisher_empirical", "taylor", "obd", "synflow"])
def test_the_other_weight_scores_are_summed(name: str) -> None:
    model, data, groups = example("residual")

    def source() -> torch.Generator:
        return generator(2)

    scores: Scores = score(Spec(name), model, TASK, data.batches(7), generator=source())
    found = channel_score(model, TASK, data.batches(7), groups, name=name, generator=source())
    assert furthest(found, brute(model, groups, scores, "sum", "none")) < CLOSE


def test_filter_norms() -> None:
    model, _, groups = example("residual")
    stem, second, inner = (getattr(model, name).weight.detach().flatten(1) for name in ("stem", "conv2", "conv1"))
    for order in (1, 2):
        found = channel_score(model, groups=groups, name="filter_norm", order=order)
        assert torch.allclose(found["stem"], stem.norm(order, 1) + second.norm(order, 1))
        assert torch.allclose(found["conv1"], inner.norm(order, 1))
    largest = channel_score(model, groups=groups, name="filter_norm", reduce="max")
    assert torch.allclose(largest["stem"], torch.maximum(stem.norm(2, 1), second.norm(2, 1)))
    joint = channel_score(model, groups=groups, name="magnitude", reduce="norm")
    assert torch.allclose(joint["stem"], torch.cat([stem, second], 1).norm(2, 1))


def test_bn_scale_is_gamma() -> None:
    model, _, groups = example("residual")
    gammas = model.stem_norm.weight.detach().abs(), model.norm2.weight.detach().abs()
    found = channel_score(model, groups=groups, name="bn_scale")
    assert torch.allclose(found["stem"], gammas[0] + gammas[1])
    assert torch.equal(found["conv1"], model.norm1.weight.detach().abs())
    assert torch.allclose(
        channel_score(model, groups=groups, name="bn_scale", reduce="mean")["stem"], (gammas[0] + gammas[1]) / 2
    )


def test_a_mean_is_over_the_layers_that_have_the_unit() -> None:
    model, _, groups = example("partly coupled")
    found = channel_score(model, groups=groups, name="filter_norm", order=1, reduce="mean")["narrow"]
    narrow, wide, square = (getattr(model, name).weight.detach().abs().sum(1) for name in ("narrow", "wide", "square"))
    assert torch.allclose(found[:2], (narrow + wide[:2] + square[:2]) / 3)
    assert torch.allclose(found[2:], (wide[2:] + square[2:]) / 2)


def test_weights_that_are_not_prunable_count_where_there_are_no_others() -> None:
    """A recurrent layer's; of an embedding that is coupled with a Linear layer, the Linear layer's alone count."""

    class Language(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.same, self.cell = nn.Embedding(6, 4), nn.Linear(4, 4), nn.LSTM(4, 3, batch_first=True)
            self.head = nn.Linear(3, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            y = self.embed(x)
            return self.head(self.cell(y + self.same(y))[0][:, -1])

    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        model = Language().double()
    hidden = tuple(tuple(range(u, 12, 3)) for u in range(3))
    cell = [Member(f"cell.{name}_l0", 0, hidden, "output") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    trunk = Group("embed", 4, (Member("embed.weight", 1, each(4), "output"), *made_by("same", each(4))))
    groups = [trunk, Group("cell", 3, tuple(cell))]
    found = channel_score(model, groups=groups, name="magnitude")
    assert torch.equal(found["embed"], model.same.weight.detach().abs().sum(1))
    gates = [getattr(model.cell, f"weight_{which}_l0").detach().abs().sum(1) for which in ("ih", "hh")]
    assert torch.allclose(found["cell"], (gates[0] + gates[1]).view(4, 3).sum(0))
    both = channel_score(model, groups=[trunk], name="magnitude", names=["same.weight", "embed.weight"])
    assert torch.allclose(both["embed"], found["embed"] + model.embed.weight.detach().abs().sum(0))
    data = Fixed(torch.randint(0, 6, (7, 5), generator=generator()), torch.arange(7) % CLASSES)
    for name in ("snip", "snap", "crop_gate", "gradient_flow"):
        with unchanged(model):
            scores = channel_score(model, TASK, data.batches(7), groups, name=name)
        assert [tuple(values.shape) for values in scores.values()] == [(4,), (3,)]
