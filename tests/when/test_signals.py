"""tr(F) and KL-uniform against their equations in float64; one contract for every signal of the table."""

from __future__ import annotations

import copy
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nets import NETS, N, example
from oracle import Oracle
from oracle import kl_uniform as kl_by_hand
from secateurs.core import Batch, Moment, Observation, Signal, SignalError, SignalState, Spec, prunable
from secateurs.when import SIGNALS, FisherTrace, GradientNorms, KLUniform, TrainLoss, kl_uniform, signal_of
from secateurs.zoo import Classification
from toys import CLASSES, BrokenError, Fixed, NoPrediction, Recording, content, generator, net, unchanged

TASK = Classification(CLASSES)
VARIANTS = {name: Spec(name) for name in SIGNALS} | {
    "exact trace": Spec("fisher_trace", {"estimator": "exact"}),
    "trace by batches": Spec("fisher_trace", {"estimator": "batch", "batch_size": 3}),
    "KL on the probe": Spec("kl_uniform", {"source": "probe", "samples": 5}),
    "norms by layer": Spec("gradient_norms", {"layerwise": True}),
    "squared change": Spec("weight_change", {"form": "squared"}),
    "change of the algorithm": Spec("weight_change", {"form": "algorithm"}),
    "masks by Fisher": Spec("mask_distance", {"score": "fisher", "window": 2}),
    "masks of channels": Spec("mask_distance", {"of": "bn_scale", "density": 0.5}),
}
COMPARING = ("weight_change", "mask_distance")
"""These compare networks with those before them: of one untrained network they have no value yet."""
contract = pytest.mark.parametrize("name", VARIANTS)


def everything(name: str) -> list[str]:
    return [key for key, _ in example(name)[0].named_parameters()]


def probe() -> Fixed:
    return Fixed(torch.rand(9, 1, 6, 6, generator=generator(2)), torch.arange(9) % CLASSES)


def an_epoch(model: nn.Module, steps: int = 3, seed: int = 0) -> Iterator[Observation]:
    """What an observer sees of one epoch, without the optimiser: gradients stand, then the epoch ends."""
    for step in range(steps):
        n = 4 + step  # batches of unequal sizes
        x = torch.rand(n, 1, 6, 6, generator=generator(10 * seed + step))
        batch = Batch(x.to(next(model.parameters()).dtype), torch.arange(n) % CLASSES)
        model.zero_grad()
        with torch.random.fork_rng(devices=()):
            output = model(batch.inputs)
        loss = TASK.loss(output, batch)
        loss.backward()
        yield Observation(Moment(step + 1, steps), "step", model, TASK, batch, output.detach(), loss.detach())
    model.zero_grad()
    yield Observation(Moment(steps, steps), "epoch", model, TASK, probe=probe())


def follow(signal: Signal, observations: Sequence[Observation]) -> tuple[SignalState, list[Tensor]]:
    state, values = signal.init(observations[0].model), []
    for observation in observations:
        state, value = signal.update(state, observation)
        if value is not None:
            values.append(value)
    return state, values


# ---------------------------------------------------------------------------------------- tr(F)


@pytest.mark.parametrize("name", NETS)
def test_the_trace_is_the_loop_with_the_same_labels(name: str) -> None:
    model, data = example(name)
    task, signal = Recording(), FisherTrace(batch_size=N)
    seen = Observation(Moment(20, 10), "epoch", model, task, probe=data, seed=3)
    with unchanged(model), NETS[name].warned(all_parameters=True):
        state, value = signal.update(signal.init(model), seen)
    trainable = [key for key, p in model.named_parameters() if p.requires_grad]
    mean, standard_error = Oracle(model, data.inputs, trainable).trace(task.labels)
    assert value is not None
    assert value.shape == ()
    assert float(value) == pytest.approx(mean, rel=1e-10)
    assert float(state["standard_error"]) == pytest.approx(standard_error, rel=1e-10)


def measured(model: nn.Module, data: Fixed, seed: int = 0, steps: int = 0, **options: Any) -> tuple[float, float]:
    signal = FisherTrace(**options)
    seen = Observation(Moment(steps, 10), "epoch", model, TASK, probe=data, seed=seed)
    state, value = signal.update(signal.init(model), seen)
    assert value is not None
    return float(value), float(state["standard_error"])


def test_its_mean_over_seeds_is_the_exact_trace() -> None:
    model, data = example("conv, norm, dropout")
    oracle, draws = Oracle(model, data.inputs, everything("conv, norm, dropout")), 300
    values = torch.tensor([measured(model, data, seed)[0] for seed in range(draws)], dtype=torch.float64)
    error = float(values.mean()) - oracle.exact_trace()
    assert abs(error) < 4 * oracle.trace_deviation() / math.sqrt(draws)
    spread = float(values.std()) / oracle.trace_deviation()
    assert 0.8 < spread < 1.2  # the labels are drawn from p, and one by one


def test_labels_follow_from_seed_and_moment_alone() -> None:
    model, data = example("conv, norm, dropout")
    values = {(seed, steps): measured(model, data, seed, steps)[0] for seed in range(4) for steps in (0, 10, 20, 30)}
    assert len(set(values.values())) > 8  # seven examples and three labels: some may come twice
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1234)
        assert all(measured(model, data, *key)[0] == value for key, value in reversed(values.items()))


@pytest.mark.parametrize("batch_size", [1, 2, 3, N, 100])
def test_examples_count_alike_whatever_the_batch_size(batch_size: int) -> None:
    model, data = example("conv, norm, dropout")
    task, signal = Recording(), FisherTrace(batch_size=batch_size)
    _, value = signal.update({}, Observation(Moment(0, 1), "epoch", model, task, probe=data))
    mean, _ = Oracle(model, data.inputs, everything("conv, norm, dropout")).trace(task.labels)
    assert len(task.labels) == N
    assert float(value or 0) == pytest.approx(mean, rel=1e-10)


def test_only_the_first_samples_of_the_probe_are_looked_at() -> None:
    model, data = example("conv, norm, dropout")
    first = Fixed(data.inputs[:4], data.targets[:4])
    assert measured(model, data, samples=4) == measured(model, first)
    assert first.taken == 4
    _, _ = data.taken, measured(model, data, samples=5, batch_size=2)
    assert data.taken == 4 + 5


def test_frozen_parameters_are_not_in_the_trace() -> None:
    model, data = example("conv, norm, dropout")
    model[0].requires_grad_(False)
    model[1].bias.requires_grad_(False)
    task = Recording()
    with unchanged(model):
        _, value = FisherTrace().update({}, Observation(Moment(0, 1), "epoch", model, task, probe=data))
    mean, _ = Oracle(model, data.inputs, ["1.weight", "5.weight", "5.bias"]).trace(task.labels)
    assert float(value or 0) == pytest.approx(mean, rel=1e-10)


def test_a_trace_of_nothing_is_refused_and_of_nan_is_nan() -> None:
    model, data = example("conv, norm, dropout")
    with torch.no_grad():
        model[5].weight.fill_(math.nan)
    assert math.isnan(measured(model, data)[0])
    for bad in (None, Fixed(data.inputs[:1], data.targets[:1])):
        with pytest.raises(SignalError, match="fisher_trace: needs a probe of at least 2 training examples"):
            FisherTrace().update({}, Observation(Moment(0, 1), "epoch", model, TASK, probe=bad))
    with pytest.raises(SignalError, match=r"fisher_trace: NoPrediction has no predictive distribution p\(y \| x\)"):
        FisherTrace().update({}, Observation(Moment(0, 1), "epoch", model, NoPrediction(), probe=data))


@pytest.mark.parametrize("options", [{"samples": 1}, {"batch_size": 0}, {"samples": -5}])
def test_options_of_the_trace_that_cannot_be(options: dict[str, int]) -> None:
    with pytest.raises(SignalError, match="samples must be at least 2 and batch_size at least 1"):
        FisherTrace(**options)


# ---------------------------------------------------------------------------- its other estimators


@pytest.mark.parametrize("name", NETS)
def test_exact_labels_give_the_exact_trace(name: str) -> None:
    model, data = example(name)
    signal = FisherTrace(batch_size=N, estimator="exact")
    seen = Observation(Moment(20, 10), "epoch", model, TASK, probe=data)
    with unchanged(model), NETS[name].warned(all_parameters=True):
        state, value = signal.update(signal.init(model), seen)
    oracle = Oracle(model, data.inputs, everything(name))
    assert float(value or 0) == pytest.approx(oracle.exact_trace(), rel=1e-10)
    each = (oracle.p * oracle.norms()).sum(1)
    assert float(state["standard_error"]) == pytest.approx(float(each.std()) / math.sqrt(N), rel=1e-10)


def test_the_batch_estimator_is_one_backward_pass_a_batch() -> None:
    model, data = example("conv, norm, dropout")
    task, signal = Recording(), FisherTrace(batch_size=3, estimator="batch")
    seen = Observation(Moment(0, 1), "epoch", model, task, probe=data)
    with unchanged(model):
        state, value = signal.update({}, seen)
    oracle = Oracle(model, data.inputs, everything("conv, norm, dropout"))
    values = []
    for which in torch.arange(N).split(3):
        rows = [torch.cat([g.flatten() for g in oracle.gradients[i][int(task.labels[i])]]) for i in which.tolist()]
        values.append(float(torch.stack(rows).sum(0).square().sum()) / len(which))
    shares = [3 / 7, 3 / 7, 1 / 7]
    mean = sum(share * each for share, each in zip(shares, values, strict=True))
    squares = sum((share * (each - mean)) ** 2 for share, each in zip(shares, values, strict=True))
    assert float(value or 0) == pytest.approx(mean, rel=1e-10)
    assert float(state["standard_error"]) == pytest.approx(math.sqrt(squares * 3 / 2), rel=1e-10)


def test_the_mean_of_the_batch_estimator_over_seeds_is_the_exact_trace() -> None:
    model, data = example("conv, norm, dropout")
    oracle, draws = Oracle(model, data.inputs, everything("conv, norm, dropout")), 400
    values = torch.tensor(
        [measured(model, data, seed, batch_size=4, estimator="batch")[0] for seed in range(draws)], dtype=torch.float64
    )
    error = float(values.mean()) - oracle.exact_trace()
    assert abs(error) < 4 * float(values.std()) / math.sqrt(draws)
    assert float(values.std()) > oracle.trace_deviation()  # and noisier than one norm for each example


def test_estimators_say_what_they_need() -> None:
    model, data = example("mlp")
    with pytest.raises(SignalError, match="unknown estimator 'bach'; choices: batch, exact, per_sample; did you mean"):
        FisherTrace(estimator="bach")  # type: ignore[arg-type]
    two = 'fisher_trace: estimator="batch" takes its standard error from at least two batches: choose a smaller'
    with pytest.raises(SignalError, match=two):
        FisherTrace(samples=128, batch_size=128, estimator="batch")
    with pytest.raises(SignalError, match=two):
        measured(model, data, estimator="batch")  # seven examples in batches of 128
    seen = Observation(Moment(0, 1), "epoch", model, Recording(), probe=data)
    with unchanged(model), pytest.raises(SignalError, match=r'Recorded has no factors.*estimator="per_sample"'):
        FisherTrace(estimator="exact").update({}, seen)
    with pytest.raises(SignalError, match="NoPrediction has no predictive distribution"):
        FisherTrace(batch_size=3, estimator="batch").update({}, replace(seen, task=NoPrediction()))


# ------------------------------------------------------------------------------------ KL-uniform

LOGITS = st.integers(2, 6).flatmap(
    lambda c: st.lists(st.lists(st.floats(-30, 30), min_size=c, max_size=c), min_size=1, max_size=5)
)


@given(LOGITS)
def test_kl_is_its_definition(logits: list[list[float]]) -> None:
    found = kl_uniform(torch.tensor(logits, dtype=torch.float64))
    assert found.tolist() == pytest.approx(kl_by_hand(logits), rel=1e-10, abs=1e-10)
    assert bool((found > -1e-12).all())


@given(LOGITS, st.floats(-1e4, 1e4))
def test_kl_does_not_depend_on_where_logits_stand(logits: list[list[float]], offset: float) -> None:
    z = torch.tensor(logits, dtype=torch.float32)
    moved = z + offset
    expected = kl_by_hand(moved.tolist())
    assert kl_uniform(moved).tolist() == pytest.approx(expected, rel=1e-4, abs=1e-4)


def test_kl_of_extremes() -> None:
    assert kl_uniform(torch.zeros(2, 5)).tolist() == pytest.approx([0, 0], abs=1e-6)
    # One class has it all: the mean over classes of the distance to the top, less log C.
    assert kl_uniform(torch.tensor([[1000.0, 0.0]])).item() == pytest.approx(500 - math.log(2))
    assert kl_uniform(torch.zeros(1, 3, dtype=torch.bfloat16)).dtype == torch.float32
    assert math.isnan(kl_uniform(torch.tensor([[math.nan, 0.0]])).item())


@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 3, 4)])
def test_kl_of_other_things_than_logits_is_refused(shape: tuple[int, ...]) -> None:
    message = f"kl_uniform: needs logits [N, C] with C >= 2, got shape {list(shape)}"
    with pytest.raises(SignalError, match=re.escape(message)):
        kl_uniform(torch.zeros(shape))


def test_streamed_kl_is_the_mean_over_the_logits_of_the_epoch() -> None:
    observations = [*an_epoch(net(dtype=torch.float64))]
    logits = [row for o in observations if o.output is not None for row in o.output.tolist()]
    assert len(logits) == 4 + 5 + 6
    expected = sum(kl_by_hand(logits)) / len(logits)
    _, (value,) = follow(KLUniform(), observations)
    assert float(value) == pytest.approx(expected, rel=1e-10)


def test_every_epoch_begins_anew() -> None:
    model = net()
    first, second = [*an_epoch(model)], [*an_epoch(model, seed=1)]
    for signal in (KLUniform(), TrainLoss()):
        _, both = follow(signal, [*first, *second])
        assert len(both) == 2
        assert torch.equal(both[1], follow(signal, second)[1][0])


def test_kl_on_the_probe_is_that_of_the_model_in_evaluation_mode() -> None:
    model = net()
    logits = copy.deepcopy(model).eval()(probe().inputs).tolist()
    seen = Observation(Moment(0, 1), "epoch", model, TASK, probe=probe())
    for samples, batch_size in ((None, 512), (None, 2), (5, 2), (100, 4)):
        signal = KLUniform("probe", samples, batch_size)
        with unchanged(model):
            _, value = signal.update(signal.init(model), seen)
        chosen = kl_by_hand(logits[:samples])
        assert float(value or 0) == pytest.approx(sum(chosen) / len(chosen), rel=1e-4)
    for bad in (None, Fixed(torch.zeros(0, 1, 6, 6), torch.zeros(0))):
        with pytest.raises(SignalError, match=r'kl_uniform\(source="probe"\): needs a probe of training examples'):
            KLUniform("probe").update({}, replace(seen, probe=bad))


# -------------------------------------------------------------------------------- the cheap ones


def test_gradient_norms_are_means_over_the_steps() -> None:
    model = net(dtype=torch.float64)
    model[1].weight.requires_grad_(False)
    whole, layers = GradientNorms(), GradientNorms(layerwise=True)
    states, norms, by_layer = [whole.init(model), layers.init(model)], [], []
    values: list[Tensor | None] = []
    for seen in an_epoch(model):
        if seen.boundary == "step":
            norms.append(math.sqrt(sum(float(p.grad.square().sum()) for p in model.parameters() if p.grad is not None)))
            by_layer.append([math.sqrt(float(p.grad.square().sum())) for p in prunable(model).values()])
        updates = [signal.update(state, seen) for signal, state in zip((whole, layers), states, strict=True)]
        states, values = [state for state, _ in updates], [value for _, value in updates]
    assert float(values[0]) == pytest.approx(sum(norms) / 3, rel=1e-12)  # type: ignore[arg-type]
    assert values[1].tolist() == pytest.approx([sum(each) / 3 for each in zip(*by_layer, strict=True)], rel=1e-12)
    assert (whole.name, layers.name) == ("gradient_norm", "gradient_norms")


def test_parameters_without_gradient_count_as_zero() -> None:
    model = net()
    model.zero_grad()
    model[5].weight.grad = torch.full_like(model[5].weight, 2.0)
    seen = Observation(Moment(1, 1), "step", model, TASK)
    end = replace(seen, boundary="epoch")
    assert float(follow(GradientNorms(), [seen, end])[1][0]) == pytest.approx(2 * 9.0)
    assert follow(GradientNorms(True), [seen, end])[1][0].tolist() == pytest.approx([0.0, 18.0])


def test_the_loss_is_the_mean_over_examples() -> None:
    observations = [*an_epoch(net(dtype=torch.float64))]
    losses = [TASK.losses(o.output, o.batch) for o in observations if o.output is not None and o.batch is not None]
    _, (value,) = follow(TrainLoss(), observations)
    assert float(value) == pytest.approx(float(torch.cat(losses).mean()), rel=1e-12)


# --------------------------------------------------------------------------------- the contract


@contract
def test_a_signal_is_pure_and_its_states_are_values(name: str) -> None:
    model, signal = net(), signal_of(VARIANTS[name])
    with unchanged(model):
        state = signal.init(model)
    for seen in an_epoch(model):
        kept = copy.deepcopy(state)
        output = None if seen.output is None else content(seen.output)
        with unchanged(model):
            following, _ = signal.update(state, seen)
        assert repr(state) == repr(kept)
        assert output == (None if seen.output is None else content(seen.output))
        state = following


@contract
def test_it_says_what_it_is(name: str) -> None:
    signal = signal_of(VARIANTS[name])
    assert signal.name
    assert "/" not in signal.name
    assert signal.every in ("step", "epoch")
    assert signal.reads <= {"output", "loss", "gradients", "probe"}
    assert set(signal.details) <= set(signal.init(net()))
    assert signal == signal_of(VARIANTS[name])
    assert hash(signal) == hash(signal_of(VARIANTS[name]))


@contract
def test_it_gives_finite_values_at_epochs_ends_and_only_there(name: str) -> None:
    model, signal = net(), signal_of(VARIANTS[name])
    state, values = signal.init(model), []
    for epoch in range(5):
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(1.1)
        for seen in an_epoch(model, seed=epoch):
            state, value = signal.update(state, seen)
            assert value is None or seen.boundary == "epoch"
        values.append(value)
    assert all(value is not None for value in values) or signal.name == "mask_distance"
    assert value is not None
    assert bool(value.isfinite().all())
    assert bool((value >= 0).all())
    assert not value.requires_grad
    for detail in signal.details:
        assert math.isfinite(float(state[detail]))


@contract
def test_it_can_look_at_a_network_that_was_not_trained_a_step(name: str) -> None:
    """What needs training steps has no value yet; it does not make one up."""
    model, signal = net(), signal_of(VARIANTS[name])
    seen = Observation(Moment(0, 3), "epoch", model, TASK, probe=probe())
    _, value = signal.update(signal.init(model), seen)
    assert (value is None) == (signal.every == "step" or signal.name in COMPARING)


@contract
def test_a_failure_inside_leaves_no_trace(name: str) -> None:
    class Breaking(Recording):
        def predictive(self, output: Tensor) -> object:
            raise BrokenError

        def output(self, model: nn.Module, batch: Batch) -> Tensor:
            super().output(model, batch)
            raise BrokenError

        def size(self, batch: Batch) -> int:
            raise BrokenError

    model, signal = net(), signal_of(VARIANTS[name])
    steps = [replace(seen, task=Breaking()) for seen in an_epoch(model)]
    failing = steps[-1] if signal.every == "epoch" else steps[0]
    if name in ("kl_uniform", "gradient_norms", "norms by layer", "masks of channels") or (
        signal.name in COMPARING and name != "masks by Fisher"
    ):
        return  # these ask nothing of the task
    with unchanged(model), pytest.raises(BrokenError):
        signal.update(signal.init(model), failing)


def test_an_unknown_signal_is_refused_with_the_choices() -> None:
    message = f"unknown signal 'fisher_trac'; choices: {', '.join(sorted(SIGNALS))}; did you mean 'fisher_trace'?"
    with pytest.raises(SignalError, match=re.escape(message)):
        signal_of(Spec("fisher_trac"))
