"""SAM: against the algorithm written out in float64, and what a step leaves as it was, in other people's loops."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import SGD, Adam, Optimizer
from torch.optim.lr_scheduler import StepLR

from secateurs import Channels, EarlyPruner, Unstructured, enforce
from secateurs.core import TrainingError
from secateurs.train import SAM
from secateurs.train.drawing import drawing_again, random_states
from secateurs.when import At
from secateurs.zoo import Classification
from toys import CLASSES, content, generator, same_bits

Y = torch.arange(12) % CLASSES


def images(seed: int = 0) -> Tensor:
    return torch.randn(12, 1, 6, 6, generator=generator(seed), dtype=torch.float64)


def network(dtype: torch.dtype = torch.float64, dropout: float = 0.0) -> nn.Sequential:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(3)
        layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(dropout)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(144, CLASSES)).to(dtype)


def sgd(net: nn.Module, **options: Any) -> SGD:
    return SGD(net.parameters(), **{"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01, **options})


def closure(net: nn.Module, x: Tensor | None = None, told: list[Any] | None = None) -> Callable[[], Tensor]:
    """Loss and gradients of a batch; ``told`` gets the parameters that each call saw."""
    x = (images() if x is None else x).to(next(net.parameters()).dtype)

    def passed() -> Tensor:
        if told is not None:
            told.append({name: p.detach().clone() for name, p in net.named_parameters()})
        loss = F.cross_entropy(net(x), Y)
        loss.backward()
        return loss

    return passed


def written_out(net: nn.Module, batches: list[Tensor], rho: float, adaptive: bool, kept: dict[str, Tensor]) -> Any:
    """Algorithm 1 of Foret et al. by SGD with momentum 0.9, decay 0.01 and rate 0.1; functions only."""
    w = {name: p.detach() * kept.get(name, 1) for name, p in net.named_parameters()}
    statistics = {name: b.clone() for name, b in net.named_buffers()}
    velocity = dict.fromkeys(w, torch.zeros((), dtype=torch.float64))

    def gradient(at: dict[str, Tensor], x: Tensor, buffers: dict[str, Tensor]) -> dict[str, Tensor]:
        at = {name: each.clone().requires_grad_() for name, each in at.items()}
        loss = F.cross_entropy(functional_call(net, (at, buffers), (x,)), Y)
        found = torch.autograd.grad(loss, list(at.values()))
        return {name: g * kept.get(name, 1) for name, g in zip(at, found, strict=True)}

    for x in batches:
        g = gradient(w, x, statistics)
        t = {name: each.abs() if adaptive else torch.ones_like(each) for name, each in w.items()}
        norm = torch.sqrt(sum((t[name] * g[name]).square().sum() for name in g))
        e = {name: rho * t[name] ** 2 * g[name] / norm for name in g}
        worst = gradient({name: w[name] + e[name] for name in w}, x, {k: b.clone() for k, b in statistics.items()})
        for name in w:
            velocity[name] = 0.9 * velocity[name] + (worst[name] + 0.01 * w[name]) * kept.get(name, 1)
            w[name] = w[name] - 0.1 * velocity[name]
    return w | statistics


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_its_steps_are_the_algorithm_written_out(adaptive: bool, masked: bool) -> None:
    net, batches = network(), [images(seed) for seed in range(4)]
    kept = {"5.weight": torch.rand(CLASSES, 144, generator=generator(9)) < 0.3} if masked else {}
    expected = written_out(copy.deepcopy(net), batches, 0.5, adaptive, kept)
    optimizer = sgd(net)
    sam = SAM(net, optimizer, rho=0.5, adaptive=adaptive)
    with enforce(net, optimizer, kept) if masked else nullcontext():
        for x in batches:
            sam.step(closure(net, x))
    for name, value in net.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-10, atol=1e-12, msg=name)


def test_the_first_gradient_alone_would_go_elsewhere() -> None:
    one, other = network(), network()
    SAM(one, sgd(one), rho=0.5).step(closure(one))
    optimizer = sgd(other)
    closure(other)()
    optimizer.step()
    assert (one[5].weight - other[5].weight).abs().max() > 1e-4


@pytest.mark.parametrize("adaptive", [False, True])
def test_the_second_pass_is_as_far_as_rho(adaptive: bool) -> None:
    net, told = network(), []
    SAM(net, sgd(net), rho=0.2, adaptive=adaptive).step(closure(net, told=told))
    first, second = told
    scale = {name: p.abs() if adaptive else 1.0 for name, p in first.items()}
    parts = [torch.nan_to_num((second[name] - first[name]) / scale[name]).square().sum() for name in first]
    assert float(sum(parts)) ** 0.5 == pytest.approx(0.2)


class Counting(nn.Module):
    """Assigns a new tensor to its buffer in every pass, as people's averages do."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.seen = self.seen + x.detach().mean()
        return x


def test_buffers_are_those_of_one_ordinary_pass() -> None:
    net = nn.Sequential(Counting(), network(torch.float32)).float()
    alone = copy.deepcopy(net)
    closure(alone)()
    SAM(net, sgd(net), rho=0.5).step(closure(net))
    assert [n for n, b in net.named_buffers() if content(b) != content(alone.get_buffer(n))] == []
    assert int(net[1][1].num_batches_tracked) == 1
    assert float(net[0].seen) != 0


@pytest.mark.parametrize("build", [sgd, lambda net: Adam(net.parameters(), lr=0.01)])
def test_without_a_neighbourhood_it_is_the_optimiser_to_the_bit(build: Callable[..., Optimizer]) -> None:
    nets = [network(torch.float32, dropout=0.5) for _ in range(2)]
    optimizers = [build(net) for net in nets]
    sam = SAM(nets[0], optimizers[0], rho=1e-30)
    random = []
    with torch.random.fork_rng(devices=()):
        for net, optimizer in zip(nets, optimizers, strict=True):
            torch.manual_seed(1)
            for _ in range(3):
                optimizer.zero_grad()
                sam.step(closure(net)) if net is nets[0] else (closure(net)(), optimizer.step())
            random.append(content(torch.get_rng_state()))
    assert same_bits(*nets)
    assert random[0] == random[1]


def test_the_gradient_is_left_and_the_weights_are_as_they_were() -> None:
    net, told = network(torch.float32), []
    before = copy.deepcopy(net)
    sam = SAM(net, sgd(net), rho=0.5)
    loss = sam.gradient(closure(net, told=told))
    assert [n for n, p in net.named_parameters() if content(p) != content(before.get_parameter(n))] == []
    before.load_state_dict(told[1], strict=False)
    closure(before)()
    assert [n for n, p in net.named_parameters() if content(p.grad) != content(before.get_parameter(n).grad)] == []
    assert content(loss) == content(F.cross_entropy(network(torch.float32)(images().float()), Y))


def test_a_closure_is_called_twice_with_gradients_at_none() -> None:
    net, calls = network(), []

    def passed() -> Tensor:
        calls.append([p.grad for p in net.parameters()])
        return closure(net)()

    closure(net)()
    sam = SAM(net, sgd(net))
    losses = [sam.step(passed) for _ in range(2)]
    assert len(calls) == 4
    assert all(gradient is None for call in calls for gradient in call)
    assert losses[1] < losses[0]


def test_a_gradient_of_zero_moves_nothing() -> None:
    net, told = network(), []

    def passed() -> Tensor:
        told.append([content(p) for p in net.parameters()])
        loss = 0.0 * net(images()).sum()
        loss.backward()
        return loss

    before = copy.deepcopy(net)
    SAM(net, sgd(net, weight_decay=0.0)).step(passed)
    assert told[0] == told[1]
    assert [n for n, p in net.named_parameters() if content(p) != content(before.get_parameter(n))] == []


@pytest.mark.parametrize("at", [1, 2])
def test_a_closure_that_fails_leaves_the_weights(at: int) -> None:
    net, calls = network(), []

    def passed() -> Tensor:
        calls.append(0)
        if len(calls) == at:
            raise RuntimeError("broken")
        return closure(net)()

    before, random = copy.deepcopy(net), content(torch.get_rng_state())
    with pytest.raises(RuntimeError, match="broken"):
        SAM(net, sgd(net)).step(passed)
    assert [n for n, p in net.named_parameters() if content(p) != content(before.get_parameter(n))] == []
    assert content(torch.get_rng_state()) == random


def test_what_has_no_gradient_stays() -> None:
    net = network()
    net[0].requires_grad_(False)
    before = copy.deepcopy(net)
    SAM(net, sgd(net)).step(closure(net))
    assert same_bits(net[0], before[0])
    assert not same_bits(net[5], before[5])


def test_in_low_precision_it_moves_by_the_same_rule() -> None:
    told: dict[torch.dtype, list[Any]] = {torch.bfloat16: [], torch.float64: []}
    for dtype, seen in told.items():
        net = nn.Linear(36, CLASSES).to(dtype)
        net.load_state_dict({"weight": torch.zeros(CLASSES, 36), "bias": torch.zeros(CLASSES)})
        SAM(net, sgd(net), rho=2.0).step(closure(net, images().flatten(1), seen))
    found, exact = (seen[1]["weight"] for seen in told.values())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), exact, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("around", [True, False])
def test_autocast_around_the_step_is_as_autocast_within(around: bool) -> None:
    def losses(within: bool) -> list[bytes]:
        net, told = nn.Sequential(nn.Flatten(), network(torch.float32)[5]), []
        x, y = torch.randn(12, 144, generator=generator(1)), Y

        def passed() -> None:
            with torch.autocast("cpu", torch.bfloat16, enabled=within or torch.is_autocast_enabled("cpu")):
                loss = F.cross_entropy(net(x).float(), y)
            loss.backward()
            told.append(content(loss))

        with torch.autocast("cpu", torch.bfloat16, enabled=not within):
            sam = SAM(net, sgd(net, lr=0.5), rho=2.0)
            for _ in range(2):
                sam.gradient(passed)
                sam.base.step()
        return told

    found = losses(within=not around)
    assert len(set(found)) == 4
    assert found == losses(within=around)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("adaptive", [False, True])
def test_gradients_of_whatever_size_move_as_far_and_ordinary_ones_as_by_the_formula(
    dtype: torch.dtype, adaptive: bool
) -> None:
    net = nn.Linear(36, CLASSES).to(dtype)
    weights = [p.detach().clone() for p in net.parameters()]
    gradients = [torch.randn(p.shape, generator=generator(1)).to(dtype) for p in weights]
    far = []
    for size in (1.0, 2.0**-17, 2.0**9, 2.0**-110, 2.0**110):
        told: list[Any] = []

        def passed(size: float = size, told: list[Any] = told) -> None:
            told.append([p.detach().clone() for p in net.parameters()])
            for p, g in zip(net.parameters(), gradients, strict=True):
                p.grad = g * size

        SAM(net, sgd(net), rho=0.5, adaptive=adaptive).gradient(passed)
        far.append([content(p) for p in told[1]])
    along = [g * p.abs() if adaptive else g for g, p in zip(gradients, weights, strict=True)]
    scale = 0.5 / torch.stack([g.norm() for g in along]).norm()
    steps = [g * p.abs() if adaptive else g for g, p in zip(along, weights, strict=True)]
    assert far == [[content(p + g * scale) for p, g in zip(weights, steps, strict=True)]] * 5


def test_what_another_optimiser_holds_keeps_the_gradient_of_the_first_pass() -> None:
    net, alone = network(), network()
    sam, other = SAM(net, sgd(net[0]), rho=0.5), sgd(net[5])
    net[5].weight.grad = torch.ones_like(net[5].weight)  # of an earlier micro-batch
    told: list[Any] = []
    sam.gradient(closure(net, told=told))
    closure(alone)()
    assert content(net[5].weight.grad) == content(alone[5].weight.grad + 1)
    assert content(net[5].bias.grad) == content(alone[5].bias.grad)
    assert content(told[0]["5.weight"]) == content(told[1]["5.weight"])
    assert content(net[0].weight.grad) != content(alone[0].weight.grad)
    other.step()


class Odd(nn.Module):
    """A buffer that appears in the second pass only, and one whose entries share their memory."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.register_buffer("late", None)
        self.register_buffer("wide", torch.zeros(1, dtype=torch.float64).expand(3))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.late = torch.ones(3) if self.calls == 2 else self.late
        return x + self.wide.sum()


def test_odd_buffers_are_as_after_the_first_pass() -> None:
    net = nn.Sequential(Odd(), network())
    SAM(net, sgd(net)).step(closure(net))
    assert net[0].late is None
    assert content(net[0].wide) == content(torch.zeros(3, dtype=torch.float64))


def test_random_numbers_are_drawn_again_wherever_the_model_is(monkeypatch: pytest.MonkeyPatch) -> None:
    net, seen = network(), []

    def looked(devices: Any) -> dict[torch.device, Tensor]:
        seen.extend(devices)
        return random_states([])

    monkeypatch.setitem(SAM.gradient.__globals__, "random_states", looked)
    net[1].running_mean = torch.zeros(4, device="meta")
    SAM(net, sgd(net[5])).gradient(lambda: net[5].weight.sum().backward())
    assert {device.type for device in seen} == {"cpu", "meta"}
    state = [torch.zeros(3)]
    monkeypatch.setattr("torch.mps.get_rng_state", lambda: state[-1])
    monkeypatch.setattr("torch.mps.set_rng_state", state.append)
    with drawing_again(random_states([torch.device("mps")])):
        assert len(state) == 2
    assert len(state) == 3


# ------------------------------------------------------------------------ in other people's loops


@pytest.mark.parametrize("through", ["wrapper", "base"])
def test_a_scheduler_of_the_base_knows_of_every_step(through: str) -> None:
    net = network()
    sam = SAM(net, sgd(net))
    scheduler = StepLR(sam.base, 1, gamma=0.1)
    if through == "wrapper":
        sam.step(closure(net))
    else:
        sam.gradient(closure(net))
        sam.base.step()
    scheduler.step()  # a warning is an error here
    assert sam.param_groups[0]["lr"] == pytest.approx(0.01)


@pytest.mark.parametrize("through", ["wrapper", "base"])
def test_schedulers_and_groups_and_hooks_are_the_optimisers(through: str) -> None:
    net = network()
    optimizer = SGD([{"params": net[0].parameters()}, {"params": net[5].parameters(), "lr": 0.5}], lr=0.1)
    sam = SAM(net, optimizer)
    chosen = sam if through == "wrapper" else optimizer
    scheduler, norms = StepLR(chosen, 1, gamma=0.1), []
    chosen.register_step_pre_hook(lambda *_: norms.append(nn.utils.clip_grad_norm_(net.parameters(), 1e-3)))
    chosen.add_param_group({"params": net[1].parameters(), "lr": 0.0})
    before = copy.deepcopy(net)
    sam.step(closure(net))
    scheduler.step()
    assert [group["lr"] for group in sam.param_groups] == [pytest.approx(0.01), pytest.approx(0.05), 0.0]
    assert len(norms) == 1
    assert norms[0] > 1e-3
    assert (net[0].weight - before[0].weight).norm() <= 0.1 * 1e-3
    sam.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_states_are_the_optimisers_and_a_loaded_run_goes_on_to_the_bit() -> None:
    net = network()
    sam = SAM(net, sgd(net))
    for _ in range(2):
        sam.step(closure(net))
    other = network()
    other.load_state_dict(net.state_dict())
    loaded = SAM(other, sgd(other, lr=3.0))
    loaded.load_state_dict(copy.deepcopy(sam.base.state_dict()))
    copied, twin = copy.deepcopy((sam, net))
    for each, its in ((sam, net), (loaded, other), (copied, twin)):
        each.step(closure(its))
    assert same_bits(net, other)
    assert same_bits(net, twin)
    assert copied.base is not sam.base
    assert "momentum_buffer" in sam.state_dict()["state"][0]
    assert "rho=0.05" in repr(sam)


@pytest.mark.parametrize("through", ["wrapper", "base"])
@pytest.mark.parametrize("adaptive", [False, True])
def test_dropped_weights_are_zero_in_both_passes_and_after(through: str, adaptive: bool) -> None:
    net, told = network(torch.float32), []
    sam = SAM(net, sgd(net), rho=0.5, adaptive=adaptive)
    for _ in range(2):
        sam.step(closure(net))  # momentum for what is dropped
    mask = {"5.weight": torch.rand(CLASSES, 144, generator=generator(9)) < 0.3}
    gone, zero = ~mask["5.weight"], content(torch.zeros(int((~mask["5.weight"]).sum())))
    with enforce(net, sam if through == "wrapper" else sam.base, mask):
        stored = copy.deepcopy(sam.state_dict())
        stored["state"][4]["momentum_buffer"].fill_(1.0)
        sam.load_state_dict(stored)
        for _ in range(3):
            sam.step(closure(net, told=told))
            assert content(net[5].weight[gone]) == zero
            assert content(sam.state[net[5].weight]["momentum_buffer"][gone]) == zero
    assert len(told) == 6
    assert all(content(each["5.weight"][gone]) == zero for each in told)
    assert net[5].weight[~gone].ne(0).all()


@pytest.mark.parametrize("through", ["wrapper", "base"])
@pytest.mark.parametrize("how", [Unstructured(0.3), Channels(0.4)])
def test_a_pruner_prunes_what_is_trained_by_it(through: str, how: Any) -> None:
    net, told = network(torch.float32), []
    sam = SAM(net, sgd(net), rho=0.5)
    chosen = sam if through == "wrapper" else sam.base
    pruner = EarlyPruner(net, chosen, Classification(CLASSES), how=how, when=At("1ep"))
    for _ in range(3):
        told.clear()
        loss = sam.step(closure(net, told=told))
        assert loss.isfinite()
        with torch.no_grad():
            output = copy.deepcopy(net)(images().float())
        pruner.step((images().float(), Y), output)
        pruner.epoch_end()
    assert {id(p) for p in net.parameters()} == {id(p) for group in sam.base.param_groups for p in group["params"]}
    assert {*sam.base.state} == {*net.parameters()}
    if pruner.mask is not None:
        assert all(not each[name][~kept].count_nonzero() for each in told for name, kept in pruner.mask.items())
    else:
        assert net[0].out_channels < 4
    assert any(not torch.equal(told[0][name], told[1][name]) for name in told[0])


# --------------------------------------------------------------------------------------- refusals


def test_what_it_refuses() -> None:
    net = network()
    optimizer = sgd(net)
    for rho in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(TrainingError, match=r"SAM: rho: expected a finite number above 0, got"):
            SAM(net, optimizer, rho=rho)
    with pytest.raises(TrainingError, match=r"expected a plain .* got SAM"):
        SAM(net, SAM(net, optimizer))
    with pytest.raises(TrainingError, match="got function"):
        SAM(net, sgd)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match="LBFGS takes gradients of its own"):
        SAM(net, torch.optim.LBFGS(net.parameters()))
    with pytest.raises(TrainingError, match="it holds no parameter of this model"):
        SAM(net, sgd(network()))
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(F.cross_entropy(net(images()), Y)).backward()
    with pytest.raises(TrainingError, match=r"pass a closure .* GradScaler, which passes none, is not supported"):
        scaler.step(SAM(net, optimizer))


def test_sparse_gradients_are_refused_and_nothing_has_moved() -> None:
    net = nn.Embedding(5, 2, sparse=True)
    before = net.weight.detach().clone()

    def passed() -> Tensor:
        loss = net(torch.tensor([1, 3])).square().sum()
        loss.backward()
        return loss

    with pytest.raises(TrainingError, match="sparse gradients are not supported"):
        SAM(net, SGD(net.parameters(), lr=0.1)).step(passed)
    assert torch.equal(net.weight, before)


def test_a_closure_that_forgets_to_call_backward_is_refused() -> None:
    net = nn.Linear(2, 3)
    sam = SAM(net, torch.optim.SGD(net.parameters(), lr=0.1))
    with pytest.raises(TrainingError, match="must call backward"):
        sam.step(lambda: net(torch.ones(4, 2)).sum())
