"""Channels are removed in the middle of a loop, and the loop goes on with the smaller network."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from loops import DATA, LOOPS, TASK, Run, begin, compiled, network, plain_epoch, train
from test_early import assert_same
from torch import Tensor, nn

from secateurs.core import Batch, PruningError, Spec, generator_for
from secateurs.how import channel_groups, cut_in_place, keep_density, keep_top_channels, mask_channels
from secateurs.pruner import Channels, EarlyPruner, Flops, Latency, Size
from secateurs.what import channel_score, filter_norm
from secateurs.when import At, FisherTrace, TrainLoss
from toys import unchanged

HALF = Channels(0.5, counted="channels")
compiled_parts = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
"""Torch's own, where a part is compiled."""


def shapes(net: nn.Module) -> list[tuple[int, ...]]:
    return [tuple(p.shape) for p in net.parameters()]


class Wide(nn.Module):
    """Convolutions in a row, on 1 x 6 x 6."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, padding=1)
        self.three, self.fc = nn.Conv2d(16, 8, 3, padding=1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.two(self.one(x).relu()).relu()
        return self.fc(self.three(x).relu().mean((2, 3)))


def wide(how: Channels, net: nn.Module | None = None, **options: Any) -> Run:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        net = net or Wide()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1, momentum=0.9)
    return Run(net, net, optimizer, EarlyPruner(net, optimizer, TASK, how=how, **{"when": At("1ep"), **options}))


CUT = [(2, 1, 3, 3), (2,), (2,), (2,), (3, 72), (3,)]


@compiled_parts
@pytest.mark.parametrize("name", LOOPS)
def test_every_loop_goes_on_with_the_smaller_network(name: str) -> None:
    epoch, options = LOOPS[name]
    run = begin(**options, how=HALF)
    modules, groups = [*run.net.modules()], [*run.optimizer.param_groups]
    train(run, range(2), epoch)
    (event,) = run.events
    pruner, at_once = run.pruner, copy.deepcopy(run.net.state_dict())
    assert pruner.pruned
    assert (pruner.mask, event.mask) == (None, None)
    assert event.keep is pruner.keep
    assert event.widths == {"0": (2, 4)}
    assert "pruned at epoch 2: 2 of 4 channels and 50.00% of the weights are left (0 2 of 4)" in str(event)
    assert pruner.model is run.model
    assert [*run.net.modules()] == modules
    assert all(a is b for a, b in zip(run.optimizer.param_groups, groups, strict=True))
    train(run, range(2, 4), epoch)
    assert len(run.events) == 1
    assert shapes(run.net) == CUT
    assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in run.net.parameters()}
    for p, entries in run.optimizer.state.items():
        assert all(value.shape in (p.shape, ()) for value in entries.values() if isinstance(value, Tensor))
    assert not same_bits_of(run.net, at_once)
    assert all(p.grad is not None and p.grad.shape == p.shape for p in run.net.parameters())
    if run.ema is not None:
        assert shapes(run.ema.module) == CUT


def same_bits_of(net: nn.Module, state: dict[str, Tensor]) -> bool:
    return all(torch.equal(value, state[name]) for name, value in net.state_dict().items())


def test_a_compiled_network_is_compiled_anew_for_its_new_shapes() -> None:
    assert_same(train(begin(wrap=compiled, how=HALF), range(4)), train(begin(how=HALF), range(4)))


def test_right_after_the_cut_it_computes_what_the_masked_network_would() -> None:
    run = train(begin(how=HALF, keep_before=True), range(2))
    masked = network()
    masked.load_state_dict(run.pruner.before["model"])
    assert shapes(masked) != CUT
    mask_channels(masked, run.pruner.keep)
    inputs = next(DATA.train.batches(20)).inputs
    torch.testing.assert_close(run.net.eval()(inputs), masked.eval()(inputs))


@pytest.mark.parametrize("what", [None, "snap", "random", Spec("magnitude", {"reduce": "norm"})], ids=str)
def test_equal_to_a_loop_with_the_same_lines_written_by_hand(what: Any) -> None:
    run = train(begin(how=HALF, what=what, data=DATA.train, seed=3), range(5))
    by_hand = train(begin(pruned=False), range(2))
    (examples,) = begin(what="snip", data=DATA.train, seed=3).pruner._measuring.to_score(10)
    groups = channel_groups(by_hand.net, examples.inputs[:2])
    given = {"name": what, "generator": generator_for("pruning", 3)}
    scores = (
        channel_score(by_hand.net, TASK, [examples], groups, **given)
        if what
        else filter_norm(by_hand.net, groups=groups)
    )
    keep = keep_top_channels(groups, scores, 0.5, counted="channels")
    assert run.pruner.keep == keep
    cut_in_place(by_hand.net, keep, by_hand.optimizer)
    train(by_hand, range(2, 5))
    assert_same(run, by_hand)


def test_a_pruner_that_only_observes_changes_not_one_bit() -> None:
    watched = train(begin(how=HALF, act=False, what="snap", signals=[TrainLoss()]), range(4))
    assert_same(watched, train(begin(pruned=False), range(4)))
    assert "would have been pruned at epoch 2" in str(watched.events[0])
    assert watched.pruner.keep is None
    assert not watched.pruner.pruned
    assert watched.pruner.estimate().channels == 2


def test_a_guard_sees_a_smaller_copy_and_can_put_it_off() -> None:
    asked = []

    def guard(pruned: nn.Module) -> bool:
        asked.append(shapes(pruned))
        return len(asked) == 2

    run = train(begin(how=HALF, guard=guard), range(2))
    assert not run.pruner.pruned
    assert shapes(run.net) == shapes(network())
    train(run, range(2, 5))
    assert asked == [CUT, CUT]
    assert run.events[0].moment.epoch == 3
    assert shapes(run.net) == CUT


def test_an_estimate_is_what_pruning_then_does_and_changes_nothing() -> None:
    run = begin(how=HALF, what="snip", signals=[FisherTrace(samples=8)])
    with pytest.raises(PruningError, match="none was seen yet"):
        run.pruner.estimate()
    train(run, range(1))
    with unchanged(run.net):
        run.pruner.estimate()
    train(run, range(1, 2))
    found = run.pruner.savings()
    assert found == run.pruner.estimate()
    assert (found.channels, found.channels_dense) == (2, 4)
    assert (found.kept, found.weights, found.density) == (18 + 216, 36 + 432, 0.5)
    assert found.parameters == sum(p.numel() for p in run.net.parameters())
    assert found.parameters_dense == sum(p.numel() for p in network().parameters())
    assert (found.bytes, found.bytes_dense) == (4 * found.parameters, 4 * found.parameters_dense)
    assert (found.multiply_adds, found.multiply_adds_dense) == (18 * 36 + 216, 36 * 36 + 432)
    assert "2 of 4 channels and 234 of 468 prunable weights are left (50.00%" in str(found)
    assert "computes and stores only what is left" in str(found)


def test_what_is_excluded_or_frozen_keeps_its_channels() -> None:
    run = train(wide(Channels(0.7, exclude=("three",))), range(1))
    assert {*run.pruner.keep} == {"one"}
    assert run.net.three.weight.shape == (8, 16, 3, 3)
    net = Wide()
    net.one.requires_grad_(False)
    run = train(wide(HALF, net), range(1))
    assert {*run.pruner.keep} == {"two", "three"}
    assert run.net.one.weight.shape == (8, 1, 3, 3)
    assert not run.net.one.weight.requires_grad
    assert run.net.two.weight.shape[1] == 8


def test_options_of_the_choice() -> None:
    run = train(wide(Channels(0.3, scope="layer", counted="channels", multiple_of=4)), range(1))
    assert run.events[0].widths == {"one": (4, 8), "two": (8, 16), "three": (4, 8)}
    run = train(wide(Channels(0.1, minimum=3)), range(1))
    assert min(left for left, _ in run.events[0].widths.values()) >= 3
    assert keep_density(run.pruner.keep) <= 0.1


def test_a_copy_is_cut_likewise_and_once() -> None:
    run, other = train(begin(how=HALF), range(2)), network(5)
    run.pruner.apply(nn.DataParallel(other))
    assert shapes(other) == CUT
    with pytest.raises(PruningError, match="in the groups, in the model"):
        run.pruner.apply(other)


def test_models_that_are_called_by_keyword_are_followed_as_the_task_calls_them() -> None:
    class Named(Wide):
        def forward(self, x: Tensor, *, scale: float) -> Tensor:
            return super().forward(x) * scale

    class Scaled(type(TASK)):  # type: ignore[misc]
        def output(self, model: nn.Module, batch: Batch) -> Tensor:
            return model(batch.inputs, scale=2.0)

    net = Named()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    pruner = EarlyPruner(net, optimizer, Scaled(3), how=HALF, when=At("1ep"))
    batch = next(DATA.train.batches(12))
    output = net(batch.inputs, scale=2.0)
    pruner.step(batch, output)
    assert pruner.epoch_end().acted


def gate(x: Tensor) -> Tensor:
    return x if x.sum().item() > 0 else -x


class Branching(Wide):
    """Looks at the values."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(gate(self.one(x))[:, :1])


class Odd(torch.optim.SGD):
    """Remembers what nobody knows how to cut."""

    def step(self, closure: Any = None) -> Any:
        for p in self.param_groups[0]["params"]:
            self.state[p]["sums"] = torch.zeros(len(p.flatten()) + 1)
        return super().step(closure)


LATE: dict[str, tuple[Any, str]] = {
    "control flow": (lambda: wide(HALF, Branching()), "takes a number out of a tensor"),
    "too small": (lambda: wide(Channels(0.001)), "density 0.001 cannot be reached.*a density of 0.0"),
    "unknown state": (
        lambda: begin(how=HALF, optimizer=lambda net: Odd(net.parameters(), lr=0.1)),
        "state 'sums' that Odd",
    ),
    "no share": (lambda: wide(Channels(target=Flops(0.001))), r"Flops\(share=0.001\) cannot be reached: with as few"),
    "no size": (
        lambda: wide(Channels(target=Size(0.0001))),
        r"cannot be reached: with as few channels as may be it is",
    ),
}


@pytest.mark.parametrize("name", LATE)
def test_refused_after_the_first_epoch_and_nothing_is_half_cut(name: str) -> None:
    make, told = LATE[name]
    run = make()
    run.pruner._progress.trigger = At("5ep")  # long before it fires
    plain_epoch(run, 0)
    with unchanged(run.net), pytest.raises(PruningError, match=told):
        run.pruner.epoch_end()


def two_devices() -> nn.Module:
    net = Wide()
    net.fc.to("meta")
    return net


REFUSED: dict[str, tuple[Any, str]] = {
    "density": (lambda: Channels(1.5), "density must be in"),
    "scope": (lambda: Channels(scope="erk"), "unknown scope 'erk'"),  # type: ignore[arg-type]
    "count": (lambda: Channels(counted="filters"), "unknown count 'filters'"),  # type: ignore[arg-type]
    "minimum": (lambda: Channels(minimum=0), "minimum must be a whole number of channels, or a share"),
    "both": (lambda: Channels(0.1, target=Flops(0.1)), "a density or a target, not both"),
    "no target": (lambda: Channels(target=0.5), "expected Size.*Latency.*got float"),  # type: ignore[arg-type]
    "no time": (lambda: Latency(0), "positive number of milliseconds, got 0"),
    "large enough": (lambda: wide(Channels(target=Size(1))), "there is nothing to prune"),
    "a score of weights": (lambda: wide(HALF, what="erk"), "unknown channel score 'erk'"),
    "a channel score for weights": (lambda: begin(what="snap"), "unknown score 'snap'"),
    "an option": (lambda: wide(HALF, what=Spec("snip", {"reduc": "sum"})), "has no option 'reduc'"),
    "devices": (lambda: wide(HALF, two_devices()), "on one device: .* is on cpu, fc.bias is on meta"),
    "half": (
        lambda: begin(how=HALF, optimizer=lambda net: torch.optim.SGD(net[0].parameters(), lr=0.1)),
        "does not hold 1.weight, 1.bias, 5.weight and 1 more: .*exclude=",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_before_training(name: str) -> None:
    make, told = REFUSED[name]
    with pytest.raises(PruningError, match=told):
        make()
