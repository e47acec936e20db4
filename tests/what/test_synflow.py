"""SynFlow against sums over paths, written out; what it conserves; and what its iteration never does."""

from __future__ import annotations

import copy
import gc
import itertools
from collections.abc import Iterator, Sequence
from math import prod

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from secateurs.core import Batch, PruningError, Scores, Spec, generator_for, prunable
from secateurs.how import Mask, exponential, keep_top
from secateurs.what import score, synflow
from secateurs.zoo import Classification, build_model
from toys import generator, net, unchanged

WIDTHS = st.lists(st.integers(1, 6), min_size=2, max_size=5)


def seeded(make: type[nn.Module] | object, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return make()  # type: ignore[operator,no-any-return]


def mlp(widths: Sequence[int], seed: int = 0, *, bias: bool = False) -> nn.Module:
    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after, bias=bias), nn.ReLU()]
        return nn.Sequential(*layers[:-1])

    return seeded(make, seed)


def convolutional(widths: Sequence[int], seed: int = 0, side: int = 5) -> nn.Module:
    """Strides, padding, groups of one, pooling of both kinds, and a classifier; no biases, no norms."""

    def make() -> nn.Module:
        layers: list[nn.Module] = []
        for place, (before, after) in enumerate(itertools.pairwise(widths)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.ReLU()]
            layers += [nn.MaxPool2d(2, ceil_mode=True)] if place == 0 else []
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 3, bias=False))

    return seeded(make, seed)


def by_paths(weights: Sequence[Tensor]) -> list[Tensor]:
    """The score of a weight: the sum, over all paths through it, of the product of all |weights| on the path."""
    weights = [w.detach() for w in weights]
    scores = [torch.zeros_like(w, dtype=torch.float64) for w in weights]
    widths = [weights[0].shape[1], *(w.shape[0] for w in weights)]
    for path in itertools.product(*map(range, widths)):
        steps = [(path[k + 1], path[k]) for k in range(len(weights))]
        product = prod(abs(float(w[step])) for w, step in zip(weights, steps, strict=True))
        for each, step in zip(scores, steps, strict=True):
            each[step] += product
    return scores


def close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-10, atol=0)


@given(WIDTHS, st.integers(0, 999))
@settings(max_examples=40)
def test_a_score_is_the_sum_over_the_paths_through_a_weight(widths: list[int], seed: int) -> None:
    model = mlp(widths, seed)
    scores = synflow(model, input_shape=(widths[0],))
    for name, expected in zip(scores, by_paths(list(prunable(model).values())), strict=True):
        assert scores[name].dtype == torch.float64
        assert close(scores[name], expected)


def test_biases_and_norm_scales_count_with_their_absolute_values() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)).train()
    one, norm, other = model[0], model[1], model[3]
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator(p.numel() + p.ndim)))
        norm.running_mean.copy_(torch.tensor([0.3, -0.4, 90.0]))  # as they are: the last unit is below zero
        norm.running_var.copy_(torch.tensor([0.5, 2.0, 1.0]))
    w1, b1, gamma, beta, w2 = (
        p.detach().double().abs() for p in (one.weight, one.bias, norm.weight, norm.bias, other.weight)
    )
    slope = gamma / (norm.running_var.double() + norm.eps).sqrt()
    hidden = slope * (w1.sum(1) + b1 - norm.running_mean.double()) + beta
    assert (hidden > 0).tolist() == [True, True, False]
    scores = synflow(model, input_shape=(2,))
    assert close(scores["0.weight"], (w2.sum(0) * slope * (hidden > 0))[:, None] * w1)
    assert close(scores["3.weight"], w2 * hidden.clamp_min(0))


def test_convolutions_written_out_as_matrices() -> None:
    conv = convolutional([2, 3, 2])
    scores = synflow(conv, input_shape=(2, 5, 5))
    double = copy.deepcopy(conv).double()
    with torch.no_grad():
        for p in double.parameters():
            p.abs_()

        def flow() -> float:
            return float(double(torch.ones(1, 2, 5, 5, dtype=torch.float64)).sum())

        # R is linear in each single weight as long as no maximum changes: its share is R - R without it.
        total = flow()
        for name, p in prunable(double).items():
            flat, expected = p.view(-1), torch.zeros(p.numel(), dtype=torch.float64)
            for place in range(p.numel()):
                value = float(flat[place])
                flat[place] = value * (1 - 1e-3)
                expected[place] = (total - flow()) / 1e-3
                flat[place] = value
            assert torch.allclose(scores[name].flatten(), expected, rtol=1e-8, atol=1e-10 * total)


@given(WIDTHS, st.integers(0, 999), st.sampled_from(["mlp", "conv"]))
@settings(max_examples=40)
def test_each_layer_of_a_chain_holds_the_same_sum(widths: list[int], seed: int, kind: str) -> None:
    model = mlp(widths, seed) if kind == "mlp" else convolutional(widths, seed)
    shape = (widths[0],) if kind == "mlp" else (widths[0], 5, 5)
    scores = synflow(model, input_shape=shape)
    sums = torch.stack([each.sum() for each in scores.values()])
    assert close(sums, sums[0].expand_as(sums))
    some = keep_top(scores, 0.7)
    again = torch.stack([each.sum() for each in synflow(model, mask=some, input_shape=shape).values()])
    assert close(again, again[0].expand_as(again))


def iterated(model: nn.Module, density: float, shape: tuple[int, ...], steps: int = 100) -> Mask:
    mask: Mask | None = None
    for step in exponential(density, steps):
        mask = keep_top(synflow(model, mask=mask, input_shape=shape), step, within=mask)
    assert mask is not None
    return mask


@given(st.lists(st.integers(3, 8), min_size=3, max_size=5), st.integers(0, 999), st.sampled_from(["mlp", "conv"]))
@settings(max_examples=12)
def test_the_iteration_reaches_maximal_critical_compression(widths: list[int], seed: int, kind: str) -> None:
    """100 exponential steps down to as many weights as there are layers leave exactly one in each.

    On chains without biases and norms; fewer weights than layers must empty one.
    """
    model = mlp(widths, seed) if kind == "mlp" else convolutional(widths, seed)
    layers = prunable(model)
    density = len(layers) / sum(p.numel() for p in layers.values())
    mask = iterated(model, density, (widths[0],) if kind == "mlp" else (widths[0], 5, 5))
    assert {name: int(flags.sum()) for name, flags in mask.items()} == dict.fromkeys(layers, 1)


def test_one_shot_empties_layers_where_the_iteration_does_not() -> None:
    model = mlp([20, 60, 60, 4], seed=1)
    total = sum(p.numel() for p in prunable(model).values())
    for kept in (3, 10, 40):
        assert iterated(model, kept / total, (20,)).empty_layers() == ()
        assert "2.weight" in keep_top(synflow(model, input_shape=(20,)), kept / total).empty_layers()


def test_a_deep_residual_network_leaves_float32_but_not_float64() -> None:
    model = build_model(Spec("resnet56", {"width": 4}), (3, 8, 8), 10, seed=0)
    single = copy.deepcopy(model).eval()
    with torch.no_grad():
        for p in single.parameters():
            p.abs_()
        assert not single(torch.ones(1, 3, 8, 8)).isfinite().all()
    scores = score(Spec("synflow", {"input_shape": (3, 8, 8)}), model)
    assert all(each.dtype == torch.float64 and bool(each.isfinite().all()) for each in scores.values())
    assert all(bool((each > 0).any()) for each in scores.values())
    assert keep_top(scores, 0.1).kept == (keep_top(scores, 0.1).total + 5) // 10


def deep(count: int, gain: float) -> nn.Module:
    layers = [nn.Linear(2, 2, bias=False) for _ in range(count)]
    for layer in layers:
        nn.init.constant_(layer.weight, gain)
    return nn.Sequential(*layers)


def test_an_overflow_even_of_float64_is_told_from_divergence() -> None:
    assert torch.isfinite(synflow(deep(7, 1e38), input_shape=(2,))["0.weight"]).all()
    with pytest.raises(PruningError, match=r"overflows even float64: scale the weights .* down"):
        synflow(deep(12, 1e38), input_shape=(2,))
    diverged = deep(2, 1.0)
    nn.init.constant_(diverged[1].weight, torch.nan)
    with pytest.raises(PruningError, match=r"score of '0\.weight' is not finite: has training diverged\?"):
        score(Spec("synflow", {"input_shape": [2]}), diverged)


def same(one: Scores, other: Scores) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def test_a_batch_gives_its_shape_and_nothing_else() -> None:
    taken = []

    def batches() -> Iterator[Batch]:
        for seed in range(3):
            taken.append(seed)
            yield Batch(torch.randn(5, 1, 6, 6, generator=generator(seed)), torch.zeros(5, dtype=torch.long))

    model = net()
    with unchanged(model):
        found = synflow(model, Classification(3), batches(), generator=generator())
    assert taken == [0]
    assert same(found, synflow(model, input_shape=(1, 6, 6)))
    assert same(found, synflow(model, input_shape=[1, 6, 6], batches=batches()))
    assert taken == [0]
    with unchanged(model), pytest.raises(PruningError, match="pass input_shape=, the shape of one example, or a batch"):
        synflow(model)


def test_the_dtype_of_the_model_does_not_matter() -> None:
    model = net()
    rounded = copy.deepcopy(model).bfloat16()
    found = synflow(rounded, input_shape=(1, 6, 6))
    assert same(found, synflow(rounded.double(), input_shape=(1, 6, 6)))


def test_masked_weights_are_zeros_whatever_stands_there() -> None:
    model = net()
    mask = keep_top(synflow(model, input_shape=(1, 6, 6)), 0.4)
    zeroed = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in prunable(zeroed).items():
            p.mul_(mask[name])
    expected = synflow(zeroed, input_shape=(1, 6, 6))
    assert same(synflow(model, mask=mask, input_shape=(1, 6, 6)), expected)
    with torch.no_grad():
        for name, p in prunable(model).items():
            p[~mask[name]] = torch.nan
    with unchanged(model):
        assert same(synflow(model, mask=mask, input_shape=(1, 6, 6)), expected)
    with pytest.raises(PruningError, match=r"no parameter '0\.wight'.*did you mean '0\.weight'"):
        synflow(model, mask={"0.wight": torch.ones(2)}, input_shape=(1, 6, 6))


def test_what_the_output_does_not_depend_on_scores_zero() -> None:
    class Idle(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = nn.Linear(2, 2), nn.Linear(2, 2)
            self.again = nn.Linear(2, 2, bias=False)
            self.again.weight = self.used.weight  # tied

        def forward(self, x: Tensor) -> Tensor:
            return self.again(torch.relu(self.used(x)))

    model = Idle()
    nn.init.constant_(model.used.weight, -2.0)
    nn.init.constant_(model.used.bias, -1.0)
    scores = synflow(model, input_shape=(2,))
    assert scores["idle.weight"].tolist() == [[0.0, 0.0], [0.0, 0.0]]
    # R = 2 * sum_ij w_ij h_j, h_j = sum_k w_jk + 1, w = 2: by hand for one entry, once as each layer.
    assert scores["used.weight"].tolist() == [[2 * 4.0 + 2 * 5.0] * 2] * 2


def in_memory() -> int:
    return sum(type(each) is Tensor and each.dtype == torch.float64 for each in gc.get_objects())


def test_scores_are_freed_with_their_last_name() -> None:
    model = mlp([3, 3, 2])
    before = in_memory()
    gc.disable()  # a cycle would keep them until the collector comes by
    try:
        scores = synflow(model, input_shape=(3,))
        assert in_memory() > before
        del scores
        assert in_memory() == before
    finally:
        gc.enable()


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.last = nn.Embedding(7, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.embed(x).mean(1))


class SinglePrecision(nn.Module):
    """What float64 meets: a constant of its own, a cast, or no tensor at all."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.last, self.fault = nn.Linear(2, 2), fault

    def forward(self, x: Tensor) -> object:
        if self.fault == "constant":
            x = x @ torch.eye(2)
        y = self.last(x)
        return {"constant": y, "cast": y.float(), "tuple": (y, y), "detached": y.detach()}[self.fault]


def test_networks_of_tokens_are_refused_by_name() -> None:
    model = Words()
    tokens = Batch(torch.ones(4, 5, dtype=torch.long), torch.zeros(4, dtype=torch.long))
    with unchanged(model), pytest.raises(PruningError, match=r"whole numbers \(torch\.int64\).*such as snip"):
        synflow(model, batches=[tokens])
    with unchanged(model), pytest.raises(PruningError, match=r"Words fails .*'embed' takes whole numbers"):
        synflow(model, input_shape=(5,))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("constant", r"fails on an input of ones, float64 \(1, 2\).*take the dtype of its input"),
        ("cast", "gives torch.float32 where one float64 tensor"),
        ("tuple", "gives tuple where one float64 tensor"),
        ("detached", "that depends on its weights"),
    ],
)
def test_models_that_cannot_be_run_in_float64_are_refused(fault: str, message: str) -> None:
    model = SinglePrecision(fault)
    with unchanged(model), pytest.raises(PruningError, match=message):
        synflow(model, input_shape=(2,))
    with unchanged(model), pytest.raises(PruningError, match="check input_shape"):
        synflow(model, input_shape=(3,))


def test_the_grad_mode_around_it_does_not_matter() -> None:
    model = net()
    expected = synflow(model, input_shape=(1, 6, 6))
    with torch.no_grad():
        assert same(synflow(model, input_shape=(1, 6, 6)), expected)
    with torch.inference_mode():
        assert same(synflow(model, input_shape=(1, 6, 6)), expected)


def test_random_draws_do_not_matter() -> None:
    model = net()
    first = synflow(model, input_shape=(1, 6, 6), generator=generator_for("any"))
    assert same(first, synflow(model, input_shape=(1, 6, 6)))
