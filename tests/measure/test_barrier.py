"""The way between two networks: against explicit loops in float64, signs, refusals, and no trace."""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from secateurs.core import Batch, DataError, MeasureError, Moment, TrainState
from secateurs.how import Mask
from secateurs.measure import Barrier, error_barrier, evaluate, lmc
from secateurs.measure.states import between
from secateurs.zoo import Classification
from toys import CLASSES, BrokenError, Fixed, NoPrediction, content, generator, net, same_bits, unchanged

TASK = Classification(CLASSES)
State = dict[str, Tensor]


def examples(n: int = 23, dtype: torch.dtype = torch.float32) -> Fixed:
    return Fixed(torch.rand(n, 1, 6, 6, generator=generator(4), dtype=dtype), torch.arange(n) % CLASSES)


def state(seed: int, dtype: torch.dtype = torch.float32) -> State:
    found = net(seed, dtype=dtype).state_dict()
    found["1.num_batches_tracked"] = torch.tensor(seed)
    return found


def slow(a: State, b: State, data: Fixed, points: int) -> tuple[list[float], list[float]]:
    """Errors and losses by loops over points and examples, in float64."""
    errors, losses = [], []
    for step in range(points):
        alpha = step / (points - 1)
        model = net(dtype=torch.float64).eval()
        mixed = {name: alpha * a[name].double() + (1 - alpha) * b[name].double() for name in a}
        model.load_state_dict(mixed)
        wrong, total = 0, 0.0
        for x, y in zip(data.inputs.double(), data.targets, strict=True):
            z = model(x[None])[0].detach()
            wrong += int(z.argmax() != y)
            total += float(z.logsumexp(0) - z[y])
        errors.append(wrong / len(data))
        losses.append(total / len(data))
    return errors, losses


@pytest.mark.parametrize(("points", "batch_size"), [(2, 5), (3, 1), (30, 512)])
def test_it_is_what_explicit_loops_give(points: int, batch_size: int) -> None:
    a, b, data, model = state(1, torch.float64), state(2, torch.float64), examples(dtype=torch.float64), net(3)
    model = model.double()
    with unchanged(model):
        found = error_barrier(model, a, b, TASK, data, points=points, batch_size=batch_size)
    errors, losses = slow(a, b, data, points)
    assert found.errors == pytest.approx(errors, abs=1e-12)
    assert found.losses == pytest.approx(losses, rel=1e-12)
    assert found.alphas == tuple(step / (points - 1) for step in range(points))
    assert found.instability == pytest.approx(max(errors) - (errors[0] + errors[-1]) / 2, abs=1e-12)
    assert data.taken == points * len(data)


def test_the_ends_are_the_networks_themselves() -> None:
    """a at alpha = 1, b at alpha = 0 (P2: alpha W1 + (1 - alpha) W2)."""
    one, other = net(1), net(2)
    found = error_barrier(net(3), one, other, TASK, examples())
    for network, place in ((one, -1), (other, 0)):
        alone = evaluate(network, TASK, examples())
        assert (found.errors[place], found.losses[place]) == (1 - alone["accuracy"], alone["loss"])
    assert (found.alphas[0], found.alphas[-1], len(found.alphas)) == (0.0, 1.0, 30)


@pytest.mark.parametrize("recalibrate", [False, True, "exact"])
def test_a_network_and_itself_have_a_flat_way(recalibrate: Any) -> None:
    model = net(1)
    with unchanged(model):
        found = error_barrier(model, model, model.state_dict(), TASK, examples(), recalibrate_bn=recalibrate)
    assert (found.instability, found.loss_increase, found.lmc) == (0.0, 0.0, 0.0)
    assert len(set(found.errors)) == len(set(found.losses)) == 1
    assert found.stable
    assert lmc(model, model, model, TASK, examples()) == 0.0


def test_signs_on_a_barrier_made_by_hand() -> None:
    """A hump is positive instability and negative connectivity; a valley is none, and positive connectivity."""
    hump = Barrier((0.0, 0.5, 1.0), (0.2, 0.5, 0.1), (1.0, 3.0, 1.0))
    assert (hump.instability, hump.lmc) == (pytest.approx(0.35), pytest.approx(-0.35))
    assert (hump.stable, hump.highest, hump.loss_increase) == (False, 0.5, 2.0)
    valley = Barrier((0.0, 0.5, 1.0), (0.5, 0.1, 0.5), (1.0, 0.5, 1.0))
    assert (valley.instability, valley.lmc, valley.stable, valley.highest) == (0.0, pytest.approx(0.4), True, 0.0)
    slope = Barrier((0.0, 0.5, 1.0), (0.0, 0.1, 0.2), (0.0, 1.0, 2.0))
    assert slope.instability == pytest.approx(0.1)
    assert slope.lmc == pytest.approx(0.1), "of both ends, as far from the middle, the better one counts"
    back = Barrier((0.0, 0.5, 1.0), (0.2, 0.1, 0.0), (2.0, 1.0, 0.0))
    assert back.lmc == pytest.approx(0.1), "whichever comes first: ends that differ are no barrier"
    assert Barrier((0.0, 1.0), (1 - 11 / 23, 1 - 8 / 23), (0.0, 0.0)).lmc > 0, "however it is rounded"


@given(st.lists(st.integers(0, 50), min_size=2, max_size=11))
def test_lmc_is_equation_1_by_whole_numbers_and_the_same_from_both_ends(wrong: list[int]) -> None:
    n, points = 50, len(wrong)
    alphas = tuple(step / (points - 1) for step in range(points))
    twice = [wrong[0] + wrong[-1] - 2 * each for each in wrong]  # of n: the differences of which eq. 1 takes one
    furthest = max(map(abs, twice))
    expected = (furthest if furthest in twice else -furthest) / (2 * n)
    for way in (wrong, wrong[::-1]):
        errors = tuple(each / n for each in way)
        assert Barrier(alphas, errors, errors).lmc == pytest.approx(expected, abs=1e-12)


def test_a_way_made_by_hand() -> None:
    """Logits (u v, 1/2): both signs turned it is the same function, and half way u and v are 0."""
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Linear(1, 2))
    a, b = (
        {"0.weight": torch.tensor([[x]]), "1.weight": torch.tensor([[x], [0.0]]), "1.bias": torch.tensor([0.0, 0.5])}
        for x in (1.0, -1.0)
    )
    data = [Batch(torch.ones(4, 1), torch.zeros(4, dtype=torch.int64))]
    found = error_barrier(model, a, b, Classification(2), data, points=5)
    assert found.errors == (0.0, 1.0, 1.0, 1.0, 0.0)
    assert (found.instability, found.lmc, found.highest) == (1.0, -1.0, 0.25)
    assert lmc(model, a, b, Classification(2), data) == -1.0
    other = [Batch(torch.ones(4, 1), torch.ones(4, dtype=torch.int64))]
    valley = error_barrier(model, a, b, Classification(2), other, points=5)
    assert (valley.errors, valley.instability, valley.lmc) == ((1.0, 0.0, 0.0, 0.0, 1.0), 0.0, 1.0)


def mlp(seed: int = 0) -> nn.Module:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(36, 16), nn.ReLU(), nn.Linear(16, CLASSES))


def learnt(model: nn.Module, data: Fixed) -> nn.Module:
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(data.inputs), data.targets).backward()
        optimizer.step()
    optimizer.zero_grad()
    return model


def test_permuted_hidden_units_stand_behind_a_barrier() -> None:
    """One function, other weights: both ends err as little, and the way between them leads over a hill."""
    data = examples(60)
    model = learnt(mlp(), data)
    order = torch.arange(16).roll(5)
    moved = copy.deepcopy(model)
    with torch.no_grad():
        moved[1].weight.copy_(model[1].weight[order])
        moved[1].bias.copy_(model[1].bias[order])
        moved[3].weight.copy_(model[3].weight[:, order])
    with unchanged(model), unchanged(moved):
        found = error_barrier(model, model, moved, TASK, data)
        signed = lmc(model, model, moved, TASK, data)
    assert found.errors[0] == found.errors[-1] < 0.2
    assert found.instability > 0.1
    assert found.loss_increase > 0.1
    assert not found.stable
    assert signed < -0.1
    assert 0 < found.highest < 1


def test_lmc_is_the_eleven_point_way_with_statistics_of_its_own() -> None:
    one, other = net(1), net(2)
    way = error_barrier(net(3), one, other, TASK, examples(), points=11, recalibrate_bn=True)
    assert lmc(net(3), one, other, TASK, examples()) == way.lmc
    middle = (way.errors[0] + way.errors[-1]) / 2
    assert abs(way.lmc) == pytest.approx(max(abs(middle - error) for error in way.errors))


def test_statistics_are_recalibrated_at_the_ends_too() -> None:
    one, other = net(1), net(2)
    way = error_barrier(net(3), one, other, TASK, examples(), points=2, recalibrate_bn=True)
    for network, loss in ((other, way.losses[0]), (one, way.losses[1])):
        twin = copy.deepcopy(network).eval()
        twin[1].train()
        twin[1].momentum = 1.0
        with torch.no_grad():
            twin(examples().inputs)
        assert loss == pytest.approx(evaluate(twin, TASK, examples())["loss"], rel=1e-5)


def counted(model: nn.Module) -> list[int]:
    """Grows by one with every forward call."""
    calls: list[int] = []
    model.register_forward_hook(lambda *_: calls.append(1))
    return calls


@pytest.mark.parametrize("batch_size", [23, 8])
def test_eleven_points_cost_eleven_recalibrations_and_eleven_evaluations(batch_size: int) -> None:
    data, model, batches = examples(), net(3), -(-23 // batch_size)
    calls = counted(model)
    lmc(model, net(1), net(2), TASK, data, batch_size=batch_size)
    assert (len(calls), data.taken) == (22 * batches, 22 * 23)
    without, data = mlp(), examples()
    calls = counted(without)
    lmc(without, mlp(1), mlp(2), TASK, data, batch_size=batch_size)
    assert (len(calls), data.taken) == (11 * batches, 11 * 23)
    judged = counted(without)
    found = error_barrier(without, mlp(1), mlp(2), TASK, examples(), points=11, each_example=True)
    assert (len(judged), tuple(found.correct.shape)) == (11, (11, 23))  # type: ignore[union-attr]


@pytest.mark.parametrize("batch_size", [7, 512])
def test_what_is_correct_is_kept_example_by_example(batch_size: int) -> None:
    model, a, b, data = net(3), net(1), net(2), examples()
    plain = error_barrier(model, a, b, TASK, data, points=5, batch_size=batch_size)
    with unchanged(model):
        found = error_barrier(model, a, b, TASK, data, points=5, batch_size=batch_size, each_example=True)
    assert plain.correct is None
    assert found == plain
    assert found.correct is not None
    assert found.correct.dtype == torch.bool
    assert [1 - float(marks.double().mean()) for marks in found.correct] == pytest.approx(found.errors, abs=1e-12)
    for network, place in ((b, 0), (a, -1)):
        with torch.no_grad():
            expected = copy.deepcopy(network).eval()(data.inputs).argmax(1) == data.targets
        assert torch.equal(found.correct[place], expected)


def test_examples_are_judged_in_a_fixed_order_or_not_at_all() -> None:
    fixed = examples()
    pairs = TensorDataset(fixed.inputs, fixed.targets)
    shuffled: Any = DataLoader(pairs, batch_size=5, shuffle=True, generator=generator())
    alike = Batch(fixed.inputs, torch.zeros_like(fixed.targets))  # whose order only the inputs tell

    class Turning(list[Any]):
        def __iter__(self) -> Any:
            self.append(self.pop(0))
            return super().__iter__()

    turning = Turning([(alike.inputs[k : k + 5], alike.targets[k : k + 5]) for k in (0, 5, 10)])
    with pytest.raises(MeasureError, match="each_example: the examples come in another order each time, or are others"):
        error_barrier(net(3), net(1), net(2), TASK, turning, points=3, each_example=True)
    holes = [(fixed.inputs, fixed.targets.double().masked_fill(fixed.targets == 1, torch.nan))]

    class Holed(type(TASK)):  # type: ignore[misc]
        def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
            return {"loss": output.sum(), "correct": self.correct(output, batch).sum()}

    found = error_barrier(net(3), net(1), net(2), Holed(CLASSES), holes, points=3, each_example=True)
    assert found.correct is not None
    assert not found.correct[:, fixed.targets == 1].any()
    with pytest.raises(MeasureError, match="each_example: the examples come in another order each time"):
        error_barrier(net(3), net(1), net(2), TASK, shuffled, points=3, each_example=True)
    with pytest.raises(MeasureError, match=r"NoPrediction does not judge each example: give it a method correct\("):
        error_barrier(net(3), net(1), net(2), NoPrediction(), fixed, each_example=True)


def test_statistics_can_come_from_other_examples_than_errors() -> None:
    training, test = examples(23), examples(7)
    found = error_barrier(net(3), net(1), net(2), TASK, test, points=2, recalibrate_bn=True, calibration=training)
    assert (training.taken, test.taken) == (2 * 23, 2 * 7)
    same = error_barrier(net(3), net(1), net(2), TASK, examples(7), points=2, recalibrate_bn=True)
    assert found.losses != same.losses


@settings(max_examples=25)
@given(st.integers(0, 5), st.integers(0, 5), st.integers(2, 6), st.sampled_from([False, True, "exact"]))
def test_it_is_never_negative_and_leaves_no_trace(one: int, other: int, points: int, recalibrate: Any) -> None:
    model = net(9)
    a, b = net(one), net(other)
    with unchanged(model), unchanged(a), unchanged(b):
        found = error_barrier(model, a, b, TASK, examples(9), points=points, recalibrate_bn=recalibrate)
        back = error_barrier(model, b, a, TASK, examples(9), points=points, recalibrate_bn=recalibrate)
    assert found.instability >= 0
    assert found.loss_increase >= 0
    assert back.errors == pytest.approx(found.errors[::-1], abs=0.12)  # rounding may turn one of nine decisions
    assert back.losses == pytest.approx(found.losses[::-1], rel=1e-4)


def test_the_model_may_be_one_of_the_two() -> None:
    model, other = net(1), net(2)
    expected = error_barrier(net(3), net(1), net(2), TASK, examples())
    with unchanged(model):
        assert error_barrier(model, model.state_dict(), other, TASK, examples()) == expected
        assert error_barrier(model, model, other, TASK, examples()) == expected


def test_a_failure_on_the_way_leaves_no_trace() -> None:
    class Breaking(Classification):
        def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
            raise BrokenError

    model = net(3)
    with unchanged(model), pytest.raises(BrokenError):
        error_barrier(model, net(1), net(2), Breaking(CLASSES), examples(), recalibrate_bn=True)


def test_a_pending_backward_pass_does_not_notice() -> None:
    model = mlp()
    loss = model(examples().inputs).sum()
    error_barrier(model, mlp(1), mlp(2), TASK, examples(), points=2)
    loss.backward()
    twin = mlp()
    twin(examples().inputs).sum().backward()
    assert content(model[1].weight.grad) == content(twin[1].weight.grad)


def test_a_loader_serves_as_data() -> None:
    fixed = examples()
    loader: Any = DataLoader(TensorDataset(fixed.inputs, fixed.targets), batch_size=5, shuffle=True)
    model = net(3)
    with unchanged(model):
        found = error_barrier(model, net(1), net(2), TASK, loader, points=3)
    assert found.losses == pytest.approx(error_barrier(model, net(1), net(2), TASK, fixed, points=3).losses, rel=1e-5)


def test_recurrent_networks_and_tied_weights_are_interpolated_for_real() -> None:
    class Recurrent(nn.Module):
        def __init__(self, seed: int) -> None:
            super().__init__()
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(seed)
                self.memory, self.first, self.last = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 5), nn.Linear(5, 5)
            self.last.weight = self.first.weight

        def forward(self, x: Tensor) -> Tensor:
            return self.last(torch.tanh(self.first(self.memory(x[:, 0])[0][:, -1])))[:, :CLASSES]

    one, other = Recurrent(1), Recurrent(2)
    found = error_barrier(Recurrent(3), one, other, TASK, examples(), points=3)
    assert found.losses[-1] == evaluate(one, TASK, examples())["loss"]
    middle = Recurrent(3)
    mixed = between(one.state_dict(), other.state_dict(), 0.5)
    middle.load_state_dict(mixed)
    assert found.losses[1] == evaluate(middle, TASK, examples())["loss"]


def test_what_is_between() -> None:
    a, b = state(4), state(9)
    for alpha in (0.0, 0.2, 0.5, 0.9, 1.0):
        found = between(a, b, alpha)
        assert int(found["1.num_batches_tracked"]) == (4 if alpha >= 0.5 else 9)
        for name in ("0.weight", "1.running_mean", "1.running_var", "5.bias"):
            exact = alpha * a[name].double() + (1 - alpha) * b[name].double()
            torch.testing.assert_close(found[name].double(), exact, rtol=1e-5, atol=1e-6)
    assert all(content(between(a, b, 1.0)[name]) == content(a[name]) for name in a)
    assert all(content(between(a, b, 0.0)[name]) == content(b[name]) for name in a)
    assert all(content(between(a, a, 0.3)[name]) == content(a[name]) for name in a)


def test_weights_of_low_precision_are_mixed_in_float32() -> None:
    a, b = {"w": torch.tensor([1.0], dtype=torch.bfloat16)}, {"w": torch.tensor([1.0078125], dtype=torch.bfloat16)}
    assert between(a, b, 0.25)["w"].item() == pytest.approx(1.0058594)


def trained(model: nn.Module, mask: Mask | None) -> TrainState:
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return TrainState(model, optimizer, Moment(0, 1), Moment(0, 1), 0.1, mask)


def test_another_architecture_is_refused_by_name() -> None:
    model, own = net(), state(1)
    without = {name: value for name, value in own.items() if name != "5.bias"}
    wide = own | {"0.weight": torch.zeros(4, 1, 3, 3)}
    more = own | {"6.weight": torch.zeros(1)}
    broken = own | {"5.bias": torch.tensor([1.0, torch.nan, 0.0])}
    for given_, message in (
        (without, r"error_barrier: a has no '5.bias': another architecture"),
        (wide, r"'0.weight' has shape \(4, 1, 3, 3\) in a, but \(3, 1, 3, 3\) in the model"),
        (more, r"the model has no '6.weight', which a has"),
        (broken, r"'5.bias' is not finite in a"),
    ):
        with unchanged(model), pytest.raises(MeasureError, match=message):
            error_barrier(model, given_, own, TASK, examples())
    with pytest.raises(MeasureError, match=r"lmc: b has no '5.bias'"):
        lmc(model, own, without, TASK, examples())


def test_other_masks_are_refused_by_name() -> None:
    kept = {"1.weight": torch.rand(16, 36, generator=generator(1)) < 0.3}
    other = {"1.weight": torch.rand(16, 36, generator=generator(2)) < 0.3}
    networks = []
    for mask in (kept, other, kept):
        networks.append(mlp(len(networks)))
        with torch.no_grad():
            networks[-1][1].weight.mul_(mask["1.weight"])
    masks = [Mask(mask) for mask in (kept, other, kept)]
    states = [trained(network, mask) for network, mask in zip(networks, masks, strict=True)]
    for a, b in ((networks[0], networks[1]), (mlp(7), networks[1]), (states[0], states[1])):
        with pytest.raises(MeasureError, match=r"'1.weight' is masked differently in a and b.*distances\(\)"):
            error_barrier(mlp(), a, b, TASK, examples())
    with pytest.raises(MeasureError, match="masked differently"):
        error_barrier(mlp(), states[0], trained(mlp(8), None), TASK, examples())
    assert error_barrier(mlp(), networks[0], networks[2], TASK, examples()) == error_barrier(
        mlp(), states[0], states[2], TASK, examples()
    )


def test_a_few_zeros_are_no_mask() -> None:
    zeros = mlp(1).state_dict()
    zeros["1.weight"][0, :5] = 0
    error_barrier(mlp(), zeros, mlp(2), TASK, examples(), points=2)
    empty = mlp(1).state_dict() | {"3.weight": torch.zeros(CLASSES, 16)}  # as some layers begin
    error_barrier(mlp(), empty, mlp(2), TASK, examples(), points=2)


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(MeasureError, match=r"points: .* at least 2, got 1"):
        error_barrier(net(), net(1), net(2), TASK, examples(), points=1)
    with pytest.raises(MeasureError, match=r"NoPrediction.metrics counts no 'correct' answers"):
        error_barrier(net(), net(1), net(2), NoPrediction(), examples())
    with pytest.raises(DataError, match="no examples"):
        error_barrier(net(), net(1), net(2), TASK, examples(0))
    with pytest.raises(DataError, match="pass a list or a loader, no iterator"):
        error_barrier(net(), net(1), net(2), TASK, examples().batches(3))


def test_points_are_even_and_states_stay_as_they_are() -> None:
    a, b = state(1), state(2)
    before = {name: content(value) for name, value in a.items()}
    way = error_barrier(net(3), a, b, TASK, examples(), points=7)
    assert all(later - earlier == pytest.approx(1 / 6) for earlier, later in pairwise(way.alphas))
    assert {name: content(value) for name, value in a.items()} == before
    assert same_bits(net(3), net(3))
