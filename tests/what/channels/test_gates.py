"""Gate scores against gates that are really there, differentiated by autograd in float64."""

from __future__ import annotations

import pytest
import torch
from channel_oracle import Gated
from gated_nets import NETS, example
from torch import nn

from oracle import LossOracle, furthest, relative
from secateurs.core import Group, Member, PruningError, Spec, prunable
from secateurs.how import channel_groups
from secateurs.what import channel_score
from secateurs.zoo import Classification
from secateurs.zoo.models import build_model
from toys import CLASSES, Fixed, generator, unchanged

TASK = Classification(CLASSES)
CLOSE = 1e-11

nets = pytest.mark.parametrize("name", NETS)
shared = pytest.mark.parametrize(("absolute", "together"), [("inside", False), ("outside", True)])


@nets
@shared
def test_snap_is_the_gradient_of_a_gate(name: str, absolute: str, together: bool) -> None:
    model, data, groups = example(name)
    gated = Gated(model, data, groups, shared=together)
    found = channel_score(model, TASK, data.batches(4), groups, name="snap", absolute=absolute)
    assert furthest(found, gated.scores(gated.gradient())) < CLOSE


@nets
@shared
def test_crop_gate_is_the_gradient_of_gradient_flow(name: str, absolute: str, together: bool) -> None:
    model, data, groups = example(name)
    gated = Gated(model, data, groups, shared=together)
    found = channel_score(model, TASK, data.batches(4), groups, name="crop_gate", absolute=absolute)
    assert furthest(found, gated.scores(gated.flow())) < CLOSE


@nets
def test_crop_gate_over_other_parameters(name: str) -> None:
    """g over biases as well, and over some of the weights only."""
    model, data, groups = example(name)
    biases = [each for each, p in model.named_parameters() if each.endswith("bias") and "norm" not in each]
    weights = list(prunable(model))
    for names in ([*weights, *biases], weights[1:], biases[:1]):
        gated = Gated(model, data, groups)
        found = channel_score(model, TASK, data.batches(7), groups, name="crop_gate", names=names)
        assert furthest(found, gated.scores(gated.flow(names))) < CLOSE


@nets
@shared
def test_eq6_is_hessian_times_gradient_of_all_gates(name: str, absolute: str, together: bool) -> None:
    model, data, groups = example(name)
    gated = Gated(model, data, groups, shared=together)
    found = channel_score(model, TASK, data.batches(4), groups, name="crop_gate_eq6", absolute=absolute)
    assert furthest(found, gated.scores(gated.hessian_gradient())) < CLOSE


@shared
def test_eq6_of_one_group_at_a_time(absolute: str, together: bool) -> None:
    model, data, groups = example("residual")
    whole = channel_score(model, TASK, data.batches(7), groups, name="crop_gate_eq6", absolute=absolute)
    found = channel_score(
        model, TASK, data.batches(7), groups, name="crop_gate_eq6", absolute=absolute, hessian="group"
    )
    for group in groups:
        gated = Gated(model, data, [group], shared=together)
        expected = gated.scores(gated.hessian_gradient(group.name))[group.name]
        assert relative(found[group.name], expected) < CLOSE
        assert relative(whole[group.name], expected) > 1e-3


@pytest.mark.parametrize("name", ["residual", "separable"])
@shared
def test_gate_decorators_gate_after_the_norm(name: str, absolute: str, together: bool) -> None:
    model, data, groups = example(name)
    normed = groups if name == "residual" else groups[1:]
    gated = Gated(model, data, normed, role="norm", shared=together)
    found = channel_score(model, TASK, data.batches(4), groups, name="gate_decorators", absolute=absolute)
    expected = gated.scores(gated.gradient())
    if name == "separable":  # its first group has no norm
        bare = Gated(model, data, groups[:1], shared=together)
        expected = {**bare.scores(bare.gradient()), **expected}
    assert furthest(found, expected) < CLOSE


def test_phi_in_the_place_of_gamma_is_the_same() -> None:
    """|phi dL/dphi| for phi = gamma, norm = x_hat + beta / gamma, as Gate Decorators' authors have it."""
    model, data, groups = example("residual")
    norm = model.norm1
    gamma, beta = norm.weight.detach().clone(), norm.bias.detach().clone()
    phi = gamma.clone().requires_grad_()
    moved = Gated(model, data, [])
    with torch.no_grad():
        moved.net.norm1.weight.fill_(1)
        moved.net.norm1.bias.copy_(beta / gamma)
    moved.net.norm1.register_forward_hook(lambda module, args, output: output * phi.view(1, -1, 1, 1))
    (slope,) = torch.autograd.grad(moved.loss(), phi)
    found = channel_score(model, TASK, data.batches(7), groups, name="gate_decorators")
    assert relative(found["conv1"], (phi * slope).abs().detach()) < CLOSE


@nets
def test_the_identity_of_crop_gate(name: str) -> None:
    """|sum theta (Hg) + sum g^2 + b d/db <stopgrad(g), g>| with H written out; + g_b^2 where g is over biases."""
    model, data, groups = example(name)
    weights = list(prunable(model))
    biases = [f"{each.removesuffix('.weight')}.bias" for each in weights]
    biases = [each for each in biases if each in dict(model.named_parameters())]
    names = [*weights, *biases]
    oracle = LossOracle(model, data.inputs, data.targets, names)
    hessian, gradient = oracle.hessian(), oracle.gradient()
    theta = oracle.named(oracle.theta)
    for over in (weights, names):
        chosen = torch.cat([torch.full((theta[each].numel(),), float(each in over)).double() for each in names])
        g = gradient * chosen
        per_entry = oracle.named(oracle.theta * (hessian @ g) + g.square())
        found = channel_score(model, TASK, data.batches(7), groups, name="crop_gate", names=over)
        for group in groups:
            expected = torch.zeros(group.units, dtype=torch.float64)
            for layer in dict.fromkeys(m.name.rpartition(".")[0] for m in group.members if m.role == "output"):
                own = [m for m in group.members if m.role == "output" and m.name.rpartition(".")[0] == layer]
                for unit in range(group.units):
                    each = [per_entry[m.name][list(m.index[unit])].sum() for m in own]
                    expected[unit] += torch.stack(each).sum().abs()
            assert relative(found[group.name], expected) < CLOSE


def test_a_gate_before_a_norm_with_batch_statistics_has_no_gradient() -> None:
    """Why gates are scored in evaluation mode, whatever mode the model is in."""
    model, data, groups = example("residual")
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-12
    undone = Gated(model, data, groups, training=True)
    assert max(float(each.abs().max()) for each in undone.gradient()) < 1e-9
    modes = []
    for mode in (True, False):
        model.train(mode)
        modes.append(channel_score(model, TASK, data.batches(7), groups, name="snap"))
    assert furthest(modes[0], modes[1]) == 0
    assert all(float(each.max()) > 1e-3 for each in modes[0].values())


@pytest.mark.parametrize("name", ["snap", "crop_gate", "crop_gate_eq6", "gate_decorators"])
def test_masked_weights_act_as_zero(name: str) -> None:
    model, data, groups = example("separable")
    mask = {
        "0.weight": torch.rand(4, 1, 3, 3, generator=generator(4)) > 0.5,
        "4.bias": torch.tensor([True, False, True, True, False]),
    }
    with unchanged(model):
        found = channel_score(model, TASK, data.batches(4), groups, name=name, mask=mask)
    with torch.no_grad():
        for key, kept in mask.items():
            model.get_parameter(key)[~kept] = 0
    gated = Gated(model, data, groups)
    if name == "crop_gate":  # masked weights take no part in g
        parameters = dict(gated.net.named_parameters())
        g = torch.autograd.grad(gated.loss(), [parameters[each] for each in prunable(gated.net)], create_graph=True)
        product = sum(
            (one.detach() * one * mask.get(each, torch.ones(()))).sum()
            for each, one in zip(prunable(gated.net), g, strict=True)
        )
        expected = gated.scores(torch.autograd.grad(product, gated.leaves))
    elif name == "crop_gate_eq6":
        expected = gated.scores(gated.hessian_gradient())
    else:
        expected = channel_score(model, TASK, data.batches(4), groups, name=name)
    assert furthest(found, expected) < CLOSE


def test_first_order_tells_what_a_small_gate_does() -> None:
    """SNAP is |dL| for a gate closed a little, on a smooth net."""
    model, data, groups = example("mlp")
    model[3] = nn.Tanh()
    groups = groups[1:]
    found = channel_score(model, TASK, data.batches(7), groups, name="snap")
    gated = Gated(model, data, groups)
    (gate,) = gated.leaves
    for unit in range(3):
        losses = []
        for change in (-1e-5, 1e-5):
            with torch.no_grad():
                gate[unit] = 1 + change
            losses.append(gated.loss().item())
            with torch.no_grad():
                gate[unit] = 1
        assert abs((losses[1] - losses[0]) / 2e-5) == pytest.approx(float(found["2"][unit]), rel=1e-5)


@pytest.mark.parametrize("name", ["snap", "crop_gate", "crop_gate_eq6", "gate_decorators"])
def test_a_group_that_no_layer_makes(name: str) -> None:
    model, data, groups = example("mlp")
    reads = Group("x", 4, (Member("0.weight", 1, ((0,), (1,), (2,), (3,)), "input"),))
    with unchanged(model), pytest.raises(PruningError, match=f"{name}: no layer with parameters makes group 'x'"):
        channel_score(model, TASK, data.batches(7), [*groups, reads], name=name)


def test_gate_decorators_need_a_scale() -> None:
    model, data, groups = example("residual")
    model.norm1 = nn.BatchNorm2d(4, affine=False).double()
    kept = tuple(m for m in groups[1].members if m.role != "norm")
    groups[1] = Group("conv1", 4, kept)
    with unchanged(model), pytest.raises(PruningError, match=r"'norm1' of group 'conv1' is a norm without scale"):
        channel_score(model, TASK, data.batches(7), groups, name="gate_decorators")
    with pytest.raises(PruningError, match=r"bn_scale: group 'conv1' has no batch norm with a scale: leave the group"):
        channel_score(model, groups=groups, name="bn_scale")


@pytest.mark.parametrize(
    ("spec", "shape"), [(Spec("digits_resnet", {"width": 4}), (1, 8, 8)), (Spec("resnet20", {}), (3, 8, 8))]
)
def test_groups_as_they_are_traced(spec: Spec, shape: tuple[int, ...]) -> None:
    """Residual networks, with stages of which one has units that the other has not."""
    model = build_model(spec, shape, CLASSES, 0).double()
    source = generator(6)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(generator=source)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2, generator=source)  # type: ignore[union-attr]
    data = Fixed(torch.randn(5, *shape, generator=source).double(), torch.arange(5) % CLASSES)
    groups = channel_groups(model, data.inputs[:1])
    gated, after_norms = Gated(model, data, groups), Gated(model, data, groups, role="norm")
    for name, slopes in (
        ("snap", gated.scores(gated.gradient())),
        ("crop_gate", gated.scores(gated.flow())),
        ("gate_decorators", after_norms.scores(after_norms.gradient())),
    ):
        with unchanged(model):
            found = channel_score(model, TASK, data.batches(5), groups, name=name)
        assert furthest(found, slopes) < CLOSE
