"""Label smoothing, temperature and clipping: explicit formulas, seen from a training step."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from secateurs.core import Batch, Observation, Spec, TrainingError, TrainState
from secateurs.train import TrainSettings, begin, train
from secateurs.train.objective import objective
from secateurs.zoo import Classification, Dataset, digits

MODEL = Spec("lenet_300_100", {"hidden": (12, 8)})
C = 10


@pytest.fixture(scope="module")
def data() -> Dataset:
    whole = digits()
    return replace(whole, train=whole.train.subset(torch.arange(150)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("temperature", [1.0, 5.0, 0.5])
def test_the_formula(smoothing: float, temperature: float) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, C, dtype=torch.float64, generator=generator) * 3
    batch = Batch(torch.empty(7), torch.randint(C, (7,), generator=generator))
    settings = TrainSettings(epochs=1, label_smoothing=smoothing, temperature=temperature)
    log_p = (logits / temperature).double().log_softmax(-1)
    target = (1 - smoothing) * F.one_hot(batch.targets, C).double() + smoothing / C
    expected = -(target * log_p).sum(-1).mean()
    torch.testing.assert_close(objective(Classification(C), settings)(logits, batch), expected, rtol=1e-13, atol=0)


def one_step(data: Dataset, **options: Any) -> tuple[TrainState, TrainState, Observation, dict[str, Tensor]]:
    """A state before and after one step, what observers saw of it, and the gradients they saw."""
    settings = TrainSettings(epochs=1, batch_size=50, lr=0.5, **options)
    state = begin(MODEL, data, settings, init_seed=0)
    before, seen, gradients = state.fork(), [], {}

    def look(observation: Observation) -> None:
        seen.append(observation)
        gradients.update({n: p.grad.clone() for n, p in observation.model.named_parameters() if p.grad is not None})

    return before, train(state, data, settings, until="1it", observers=[look]), seen[0], gradients


def test_observers_see_the_logits_before_temperature_and_the_loss_that_was_optimised(data: Dataset) -> None:
    before, _, seen, gradients = one_step(data, temperature=5.0, label_smoothing=0.1)
    assert seen.batch is not None
    logits = before.model(seen.batch.inputs)
    assert torch.equal(seen.output, logits.detach())
    loss = F.cross_entropy(logits / 5.0, seen.batch.targets, label_smoothing=0.1)
    assert torch.equal(seen.loss, loss.detach())
    loss.backward()
    for name, p in before.model.named_parameters():
        assert torch.equal(gradients[name], p.grad)


def norm(gradients: dict[str, Tensor]) -> float:
    return float(torch.cat([g.double().flatten() for g in gradients.values()]).norm())


def test_clipping_scales_the_whole_gradient_and_leaves_a_short_one_alone(data: Dataset) -> None:
    free, clipped, loose = (one_step(data, clip_norm=limit)[3] for limit in (None, 0.01, 1e6))
    assert norm(free) > 0.01
    assert norm(clipped) == pytest.approx(0.01, rel=1e-3)
    for name, g in free.items():
        torch.testing.assert_close(clipped[name], g * (0.01 / norm(free)), rtol=1e-3, atol=1e-9)
        assert torch.equal(loose[name], g)


def test_clipping_sees_the_gradient_under_the_mask(data: Dataset) -> None:
    settings = TrainSettings(epochs=1, batch_size=50, clip_norm=0.01)
    state = begin(MODEL, data, settings, init_seed=0)
    mask = {"1.weight": torch.rand(12, 64, generator=torch.Generator().manual_seed(1)) < 0.1}
    gradients: dict[str, Tensor] = {}

    def look(observation: Observation) -> None:
        gradients.update({n: p.grad.clone() for n, p in observation.model.named_parameters() if p.grad is not None})

    train(state.take(mask=mask), data, settings, until="1it", observers=[look])
    assert not gradients["1.weight"][~mask["1.weight"]].any()
    assert norm(gradients) == pytest.approx(0.01, rel=1e-3)  # not less, as it were with the dropped part counted


class Nameless:
    """A task that has a loss and nothing else."""

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        return F.mse_loss(output, batch.targets)


@pytest.mark.parametrize("option", ["label_smoothing", "temperature"])
def test_a_task_without_logits_is_refused_by_name(option: str) -> None:
    task: Any = Nameless()
    with pytest.raises(TrainingError, match=f"train.{option}: Nameless has no logits"):
        objective(task, TrainSettings(epochs=1, **{option: 0.5}))
    assert objective(task, TrainSettings(epochs=1)) == task.loss


def test_defaults_are_the_plain_loop_bit_for_bit(data: Dataset) -> None:
    settings = TrainSettings(epochs=3, batch_size=40, lr=0.2)
    state = begin(MODEL, data, settings, init_seed=3)
    model: nn.Module = state.fork().model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9, weight_decay=5e-4)
    model.train()
    for epoch in range(3):
        for group in optimizer.param_groups:
            group["lr"] = 0.2 * 0.97**epoch
        for batch in data.train.epoch(epoch, 40, seed=7):
            optimizer.zero_grad()
            F.cross_entropy(model(batch.inputs), batch.targets).backward()
            optimizer.step()
    state = train(state, data, settings, until=3, order_seed=7)
    for name, value in model.state_dict().items():
        assert torch.equal(state.model.state_dict()[name], value)


def test_drop_last_leaves_out_what_does_not_fill_a_batch(data: Dataset) -> None:
    sizes: dict[bool, list[int]] = {True: [], False: []}
    for drop in (True, False):
        settings = TrainSettings(epochs=2, batch_size=40, drop_last=drop)

        def look(observation: Observation, found: list[int] = sizes[drop]) -> None:
            found.append(0 if observation.batch is None else len(observation.batch.targets))

        state = train(begin(MODEL, data, settings, init_seed=0), data, settings, until=2, observers=[look])
        assert state.moment.epoch == 2
    assert sizes == {True: [40, 40, 40, 0] * 2, False: [40, 40, 40, 30, 0] * 2}


def test_a_state_of_other_epochs_is_refused_and_kept(data: Dataset) -> None:
    state = begin(MODEL, data, TrainSettings(epochs=2, batch_size=40), init_seed=0)
    other = TrainSettings(epochs=2, batch_size=40, drop_last=True)
    with pytest.raises(TrainingError, match="counts 4 steps an epoch, but batches of 40 make 3"):
        train(state, data, other, until=1)
    assert not state.consumed
