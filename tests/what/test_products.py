"""theta g and theta (Hg) against a Hessian that is written out, and filters one by one."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from secateurs.core import Batch, Group, Member, PruningError, Spec, prunable
from secateurs.what import channel_score, filter_sums, filter_weights, loss_products, scales_after, score
from secateurs.zoo import Classification, build_model
from toys import CLASSES, generator, net, unchanged


@pytest.fixture
def model() -> nn.Module:
    return net(dtype=torch.float64)


@pytest.fixture
def batch() -> Batch:
    inputs = torch.randn(7, 1, 6, 6, generator=generator(), dtype=torch.float64)
    return Batch(inputs, torch.arange(7) % CLASSES)


def written_out(model: nn.Module, batch: Batch, names: list[str]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """By the gradient and the whole Hessian of the mean loss in evaluation mode."""
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    shapes = [parameters[name].shape for name in names]
    theta = torch.cat([parameters[name].flatten() for name in names])

    def loss(flat: Tensor) -> Tensor:
        parts = flat.split([shape.numel() for shape in shapes])
        own = {name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)}
        return nn.functional.cross_entropy(functional_call(model, {**parameters, **own}, batch.inputs), batch.targets)

    g = torch.autograd.functional.jacobian(loss, theta)
    hessian = torch.autograd.functional.hessian(loss, theta)
    found = []
    for product in (theta * g, theta * (hessian @ g)):
        parts = product.split([shape.numel() for shape in shapes])
        found.append({name: part.view(shape) for name, part, shape in zip(names, parts, shapes, strict=True)})
    return found[0], found[1]


@pytest.mark.parametrize("names", [None, ["0.weight"], ["0.weight", "1.weight"]])
@pytest.mark.parametrize("micro_batch", [None, 3])
def test_they_are_what_the_hessian_says(
    model: nn.Module, batch: Batch, names: list[str] | None, micro_batch: int | None
) -> None:
    with unchanged(model):
        found = loss_products(model, Classification(CLASSES), [batch], names, micro_batch=micro_batch)
    model.eval()
    first, second = written_out(model, batch, names or list(prunable(model)))
    assert list(found.first) == list(found.second) == list(first)
    for name, expected in first.items():
        torch.testing.assert_close(found.first[name], expected, rtol=1e-10, atol=1e-14)
        torch.testing.assert_close(found.second[name], second[name], rtol=1e-9, atol=1e-13)


def test_they_are_the_scores_with_their_signs(model: nn.Module, batch: Batch) -> None:
    task = Classification(CLASSES)
    found = loss_products(model, task, [batch])
    alike = {
        "loss_preservation": {name: each.abs() for name, each in found.first.items()},
        "gradient_flow": {name: each.abs() for name, each in found.second.items()},
    }
    for name, expected in alike.items():
        torch.testing.assert_close(dict(score(name, model, task, [batch])), expected)
    grasp = score(Spec("grasp", {"temperature": 1.0, "bn": "running"}), model, task, [batch])
    torch.testing.assert_close(dict(grasp), found.second)


def test_the_first_alone_has_no_second(model: nn.Module, batch: Batch) -> None:
    alone = loss_products(model, Classification(CLASSES), [batch], second=False)
    assert alone.second == {}
    torch.testing.assert_close(alone.first, loss_products(model, Classification(CLASSES), [batch]).first)


def test_sums_over_filters_are_the_scores_of_channels(model: nn.Module, batch: Batch) -> None:
    """Where a group has one layer, the reductions of what/channels give the same numbers."""
    task = Classification(CLASSES)
    found = loss_products(model, task, [batch])
    groups = [Group("0", 3, (Member("0.weight", 0, ((0,), (1,), (2,)), "output"),))]
    first, second = filter_sums(found.first)["0.weight"], filter_sums(found.second)["0.weight"]
    options = {"temperature": 1.0, "bn": "running", "convs_only": True}
    grasp = channel_score(model, task, [batch], groups, name="grasp", **options)
    torch.testing.assert_close(grasp["0"], second)
    lost = channel_score(model, task, [batch], groups, name="loss_preservation", absolute="outside")
    torch.testing.assert_close(lost["0"], first.abs())
    assert filter_sums({"0.weight": torch.ones(2, 3, 4)})["0.weight"].tolist() == [12.0, 12.0]


def test_filters_are_those_of_convolutions() -> None:
    resnet = build_model(Spec("digits_resnet", {"width": 4}), (1, 8, 8), 10, seed=0)
    names = filter_weights(resnet)
    assert names == tuple(name for name in prunable(resnet) if name != "fc.weight")
    assert filter_weights(resnet, exclude=["conv"]) == names[1:]
    with pytest.raises(PruningError, match="no convolution"):
        filter_weights(nn.Linear(2, 2))
    with pytest.raises(PruningError, match="no module or parameter 'stem'"):
        filter_weights(resnet, exclude=["stem"])


def test_depthwise_filters_are_left_out_when_asked() -> None:
    mobile = build_model(Spec("mobilenet_v1", {"width": 4}), (3, 32, 32), 10, seed=0)
    everything, chosen = filter_weights(mobile), filter_weights(mobile, depthwise=False)
    assert len(everything) == 27
    assert len(chosen) == 14
    assert not any("depthwise" in name for name in chosen)


@pytest.mark.parametrize(
    ("name", "shape", "count"),
    [("digits_resnet", (1, 8, 8), 5), ("vgg11", (3, 32, 32), 8), ("mobilenet_v1", (3, 32, 32), 27)],
)
def test_each_convolution_has_the_norm_that_follows(name: str, shape: tuple[int, ...], count: int) -> None:
    model = build_model(Spec(name, {"width": 4}), shape, 10, seed=0)
    model.train()
    with unchanged(model):
        found = scales_after(model, torch.zeros(1, *shape))
    assert len(found) == count
    parameters = dict(model.named_parameters())
    for weight, scale in found.items():
        assert parameters[scale].ndim == 1
        assert len(parameters[scale]) == len(parameters[weight])
    assert len(set(found.values())) == count


def test_norms_of_something_else_are_nobody_s() -> None:
    """What is rectified first is another tensor; a norm without a scale says nothing; no hook stays after a failure."""
    model = nn.Sequential(
        nn.Conv2d(1, 2, 1), nn.ReLU(), nn.BatchNorm2d(2), nn.Conv2d(2, 2, 1), nn.BatchNorm2d(2, affine=False)
    )
    assert scales_after(model, torch.zeros(1, 1, 2, 2)) == {}
    with unchanged(model), pytest.raises(RuntimeError):
        scales_after(model, torch.zeros(1, 5, 2, 2))
