"""Targets: the mask is the largest that meets them, and what cannot be met is refused by the smallest that can."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from loops import DATA, TASK, begin, network, train
from torch import Tensor, nn

from secateurs.core import Batch, PruningError
from secateurs.how import Mask, keep_top
from secateurs.pruner import EarlyPruner, Flops, Latency, Size, Unstructured, savings
from secateurs.pruner.costs import Cost, Costs, costs_of, counts, multiply_adds
from secateurs.pruner.largest import largest
from secateurs.when import At, FisherTrace
from secateurs.zoo import Classification
from toys import generator, unchanged

NOTHING = Cost(0, 0, {})


def layers(sizes: list[int], seed: int, *, ties: bool) -> dict[str, Tensor]:
    found = {f"layer{i}": torch.rand(size, generator=generator(seed + i)) for i, size in enumerate(sizes)}
    return {name: score.mul(3).round() if ties else score for name, score in found.items()}


def all_masks(scores: dict[str, Tensor], scope: str) -> list[Mask]:
    """Every mask of at least one weight that some density gives: between two of them no count changes."""
    total = sum(map(len, scores.values()))
    sizes = [total] if scope == "global" else [len(score) for score in scores.values()]
    ends = sorted({Fraction(2 * k - 1, 2 * n) for n in sizes for k in range(1, n + 1)})
    inside = [float((a + b) / 2) for a, b in zip(ends, [*ends[1:], Fraction(1)], strict=True)]
    return [keep_top(scores, density, scope=scope) for density in inside]


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.lists(st.integers(1, 7), min_size=4, max_size=4),
    st.integers(0, 20),
    st.floats(0.01, 0.99),
    st.sampled_from(["global", "layer"]),
    st.booleans(),
    st.integers(0, 3),
)
def test_the_largest_by_brute_force(
    sizes: list[int], each: list[int], fixed: int, share: float, scope: str, ties: bool, seed: int
) -> None:
    scores = layers(sizes, seed, ties=ties)
    price = dict(zip(scores, each, strict=False))
    dense = fixed + sum(price[name] * len(score) for name, score in scores.items())
    costs = Costs(NOTHING, Cost(dense, fixed, price))
    every = all_masks(scores, scope)
    allowed = Fraction(repr(share)) * dense
    met = [mask for mask in every if costs.multiply_adds.under(counts(mask)) <= allowed]
    if met:
        assert largest(scores, Flops(share), costs, scope=scope) == max(met, key=lambda mask: mask.kept)
    else:
        smallest = costs.multiply_adds.under(counts(every[0]))
        with pytest.raises(PruningError, match=rf"with \d weight\(s\) left it is {smallest / dense:.4%}"):
            largest(scores, Flops(share), costs, scope=scope)


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
def test_within_an_earlier_mask(scope: str) -> None:
    scores = layers([40, 10], 0, ties=False)
    costs = Costs(NOTHING, Cost(80, 0, {"layer0": 1, "layer1": 4}))
    earlier = keep_top({name: -score for name, score in scores.items()}, 0.4, scope="layer")
    for share in (0.1, 0.3, 0.9):
        found = largest(scores, Flops(share), costs, scope=scope, within=earlier)
        assert found & earlier == found
        used = costs.multiply_adds.under(counts(found))
        assert used <= share * 80
        assert found.kept == 20 or used > share * 80 - 9  # all that lives, or no room for what comes next


class Odd(nn.Module):
    """Grouped, strided, tied, called twice, called never: what a count of multiply-adds can get wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3, padding=1)
        self.grouped = nn.Conv2d(4, 8, 3, stride=2, groups=4)
        self.twice = nn.Linear(8, 8)
        self.head = nn.Linear(8, 3)
        self.tied = nn.Linear(8, 3)
        self.tied.weight = self.head.weight
        self.never = nn.Linear(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.grouped(self.conv(x)).flatten(2).transpose(1, 2)  # [N, 2 * 2, 8]
        x = self.twice(self.twice(x)).mean(1)
        return self.head(x) + self.tied(x)


def test_multiply_adds_are_those_of_the_arithmetic() -> None:
    net = Odd()
    batch = Batch(*(part[:5] for part in DATA.train.batch(torch.arange(5))))
    net.train()
    with unchanged(net):
        times = multiply_adds(net, TASK, batch)
    assert times == {
        "conv.weight": 36,
        "grouped.weight": 4,
        "twice.weight": 8,
        "head.weight": 2,
        "never.weight": 0,
    }
    # grouped: each of 8 x 2 x 2 outputs is a sum over one input channel of its 3 x 3
    assert times["grouped.weight"] * net.grouped.weight.numel() == 8 * 2 * 2 * 9
    costs = costs_of(net, ["conv.weight", "twice.weight"], times)
    assert costs.multiply_adds.dense == 36 * 36 + 4 * 72 + 8 * 64 + 2 * 24
    assert costs.multiply_adds.fixed == 4 * 72 + 2 * 24
    assert savings(net, keep_top({"never.weight": torch.rand(2, 2)}, 0.5), times).multiply_adds is None


def test_multiply_adds_agree_with_torch_s_own_counter() -> None:
    from torch.utils.flop_counter import FlopCounterMode

    net = network()
    batch = DATA.train.batch(torch.arange(4))
    with FlopCounterMode(display=False) as counter:
        net(batch.inputs)
    times = multiply_adds(net, TASK, batch)
    assert costs_of(net, [*times], times).multiply_adds.dense * 2 * 4 == counter.get_total_flops()


def test_a_size_is_met_to_the_weight() -> None:
    run = train(begin(how=Unstructured(target=Size(mebibytes=0.001))), range(3))
    found = run.pruner.savings()
    assert found.bytes_csr <= 0.001 * 2**20 < found.bytes_csr + 8


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_share_of_the_multiply_adds_is_met(scope: str, steps: int) -> None:
    how = Unstructured(target=Flops(share=0.3), scope=scope, steps=steps)
    run = train(begin(how=how, what="snip"), range(3))
    found = run.pruner.savings()
    assert found.multiply_adds_dense == 36 * 36 + 3 * 144
    step = 36 if scope == "global" else 37
    assert found.multiply_adds <= 0.3 * found.multiply_adds_dense < found.multiply_adds + step
    assert f"{found.multiply_adds:,} of 1,728 multiply-adds" in str(found)


def test_the_examples_are_kept_for_a_target_only() -> None:
    assert begin(how=Unstructured(target=Flops(share=0.3))).pruner._measuring._reservoir is not None
    assert begin(how=Unstructured(target=Size(mebibytes=0.001))).pruner._measuring._reservoir is None


def test_an_excluded_layer_counts_in_full() -> None:
    run = train(begin(how=Unstructured(target=Flops(share=0.5), exclude=("5",))), range(3))
    found = run.pruner.savings()
    assert found.multiply_adds == 3 * 144 + 36 * found.kept <= 864 < found.multiply_adds + 36
    with pytest.raises(
        PruningError, match=r"Flops\(share=0.2\) cannot be reached.* 1 weight\(s\) left it is 27.0833% .*, and 25.0000%"
    ):
        train(begin(how=Unstructured(target=Flops(share=0.2), exclude=("5",))), range(3))


REFUSED: dict[str, tuple[Any, str]] = {
    "time": (
        lambda: Unstructured(target=Latency(5)),
        "a mask alone saves no time.*removing channels is what saves time",
    ),
    "both": (lambda: Unstructured(0.1, target=Flops(0.1)), "a density or a target, not both"),
    "layers and a target": (lambda: Unstructured(scope={"a": 0.1}, target=Flops(0.1)), "scope gives each layer"),
    "no target": (lambda: Unstructured(target=0.5), "expected Size.*got float"),  # type: ignore[arg-type]
    "no share": (lambda: Flops(1.0), "share above 0 and below 1, got 1.0"),
    "no size": (lambda: Size(0), "positive number of mebibytes, got 0"),
    "too small": (lambda: begin(how=Unstructured(target=Size(0.00005))), r"cannot be reached: with one weight left"),
    "large enough": (lambda: begin(how=Unstructured(target=Size(1))), "there is nothing to prune"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, told = REFUSED[name]
    with pytest.raises(PruningError, match=told):
        make()


def test_a_layer_whose_multiply_adds_are_not_known_is_refused() -> None:
    net = Odd()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    pruner = EarlyPruner(net, optimizer, Classification(3), how=Unstructured(target=Flops(0.5)), when=At("1ep"))
    batch = DATA.train.batch(torch.arange(12))
    pruner.step(batch, net(batch.inputs))
    with pytest.raises(PruningError, match=r"does not call the layer of never\.weight.*exclude="):
        pruner.epoch_end()
    with pytest.raises(PruningError, match="Flops needs an example"):
        Flops(0.5).cost(costs_of(net, ["conv.weight"]))


def test_an_estimate_is_what_pruning_then_does_and_changes_nothing() -> None:
    run = begin(what="fisher", signals=[FisherTrace(samples=8)])
    with pytest.raises(PruningError, match="none was seen yet"):
        run.pruner.estimate()
    train(run, range(1))
    with unchanged(run.net):
        first = run.pruner.estimate()
    assert first == run.pruner.estimate()
    assert "saves no time" in str(first)
    assert first.multiply_adds < first.multiply_adds_dense == 1728
    asked, alone = begin(what="fisher"), begin(what="fisher")
    for epoch in range(3):
        for each in (asked, alone):
            train(each, range(epoch, epoch + 1))
        estimated = asked.pruner.estimate()
    assert asked.pruner.mask == alone.pruner.mask
    assert estimated == asked.pruner.savings() == alone.pruner.savings()
    assert begin().pruner.estimate().multiply_adds is None  # magnitudes need no examples, so there are none


def test_an_estimate_of_a_pruner_that_only_observes() -> None:
    run = train(begin(act=False), range(3))
    assert run.pruner.estimate().kept == round(0.3 * 468)


OUT_OF_REACH = Unstructured(target=Flops(share=0.2), exclude=("5",))  # a quarter is not pruned


def test_a_share_out_of_reach_is_refused_at_once_where_examples_are_given() -> None:
    with pytest.raises(
        PruningError, match=r"Flops\(share=0.2\) cannot be reached: .* 1 weight\(s\) left it is 27.0833%"
    ):
        begin(how=OUT_OF_REACH, data=DATA.train)
    begin(how=Unstructured(target=Flops(share=0.3), exclude=("5",)), data=DATA.train)
    begin(how=OUT_OF_REACH, data=DATA.train, act=False)


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_a_share_out_of_reach_is_refused_at_the_first_epoch_s_end(scope: str) -> None:
    share = 0.2 if scope == "global" else 0.0005  # a weight of the last layer is one of 1,728 multiply-adds
    run = begin(
        how=Unstructured(target=Flops(share=share), exclude=OUT_OF_REACH.exclude * (scope == "global"), scope=scope),
        when=At("9ep"),
    )
    with pytest.raises(PruningError, match="cannot be reached"):
        train(run, range(1))
