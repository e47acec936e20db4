"""The observer: rows, details, seconds, and going on after an interruption."""

from __future__ import annotations

import json
import math

import pytest
import torch
from safetensors.torch import load, save
from torch import nn

from secateurs.core import Batch, Moment, Observation, SignalError
from secateurs.when import FisherTrace, GradientNorms, KLUniform, TrainLoss, Watch, measurements
from secateurs.zoo import Classification
from toys import CLASSES, Fixed, generator, net, unchanged

TASK = Classification(CLASSES)
SIGNALS = (FisherTrace(samples=4), KLUniform(), GradientNorms(), GradientNorms(layerwise=True), TrainLoss())


def probe() -> Fixed:
    return Fixed(torch.rand(6, 1, 6, 6, generator=generator(2)), torch.arange(6) % CLASSES)


def run(model: nn.Module, epochs: int = 2, steps: int = 3) -> list[tuple[Observation, list[torch.Tensor | None]]]:
    """What happened in a run, with the gradients as they stood at each moment."""
    happened = []
    for step in range(epochs * steps + 1):
        if step:
            x = torch.rand(4, 1, 6, 6, generator=generator(step))
            batch = Batch(x, torch.arange(4) % CLASSES)
            model.zero_grad()
            with torch.random.fork_rng(devices=()):
                output = model(x)
            loss = TASK.loss(output, batch)
            loss.backward()
            seen = Observation(Moment(step, steps), "step", model, TASK, batch, output.detach(), loss.detach())
            happened.append((seen, [None if p.grad is None else p.grad.clone() for p in model.parameters()]))
        if step % steps == 0:
            happened.append(
                (Observation(Moment(step, steps), "epoch", model, TASK), [None for _ in model.parameters()])
            )
    return happened


def show(watch: Watch, happened: list[tuple[Observation, list[torch.Tensor | None]]]) -> None:
    for seen, gradients in happened:
        for p, gradient in zip(seen.model.parameters(), gradients, strict=True):
            p.grad = gradient
        with unchanged(seen.model):
            watch(seen)


def without_seconds(watch: Watch) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in watch.rows]


def test_one_row_for_each_epoch_with_what_was_due() -> None:
    model = net()
    watch = Watch(SIGNALS, model, probe=probe(), seed=7)
    show(watch, run(model))
    assert [(row["epoch"], row["moment"]) for row in watch.rows] == [(0, "0ep"), (1, "1ep"), (2, "2ep")]
    values = {"fisher_trace", "fisher_trace.standard_error", "kl_uniform", "gradient_norm", "gradient_norms", "loss"}
    seconds = {f"seconds/{signal.name}" for signal in SIGNALS}
    untrained = {"epoch", "moment", "fisher_trace", "fisher_trace.standard_error"}
    assert set(watch.rows[0]) == untrained | seconds
    assert all(set(row) == {"epoch", "moment"} | values | seconds for row in watch.rows[1:])
    for row in watch.rows:
        assert json.loads(json.dumps(row)) == row
        assert all(row[key] >= 0 for key in seconds)
        assert row["seconds/fisher_trace"] > 0
    assert [type(watch.rows[1][key]) for key in ("fisher_trace", "gradient_norms")] == [float, list]
    assert len(watch.rows[1]["gradient_norms"]) == 2


def test_it_hands_its_own_probe_and_seed_to_the_signals() -> None:
    model, examples = net(), probe()
    watch = Watch([FisherTrace(samples=4)], model, probe=examples, seed=7)
    seen = Observation(Moment(3, 3), "epoch", model, TASK, probe=None, seed=99)
    watch(seen)
    signal = FisherTrace(samples=4)
    _, value = signal.update(signal.init(model), Observation(Moment(3, 3), "epoch", model, TASK, None, None, None,
                                                             probe(), 7))  # fmt: skip
    assert examples.taken == 4
    assert watch.rows[0]["fisher_trace"] == float(value or 0)


@pytest.mark.parametrize("cut", range(1, 9))
def test_it_goes_on_after_an_interruption_anywhere(cut: int) -> None:
    model = net()
    happened = run(model)
    whole = Watch(SIGNALS, model, probe=probe(), seed=7)
    show(whole, happened)
    first = Watch(SIGNALS, model, probe=probe(), seed=7)
    show(first, happened[:cut])
    tensors, plain = first.state()
    tensors, plain = load(save(tensors)), json.loads(json.dumps(plain))
    second = Watch(SIGNALS, model, probe=probe(), seed=7)
    second.restore(tensors, plain)
    show(first, happened[cut:])  # a state that was handed out is no part of the watch any more
    show(second, happened[cut:])
    assert without_seconds(first) == without_seconds(whole)
    assert without_seconds(second) == without_seconds(whole)[len(whole.rows) - len(second.rows) :]


def test_two_signals_of_one_name_are_refused() -> None:
    with pytest.raises(SignalError, match="two signals bear the same name: loss, kl_uniform, kl_uniform"):
        Watch([TrainLoss(), KLUniform(), KLUniform("probe")], net())
    Watch([GradientNorms(), GradientNorms(True)], net())


def test_values_that_are_not_finite_are_logged_as_they_are() -> None:
    model = net()
    with torch.no_grad():
        model[5].bias.fill_(math.inf)
    watch = Watch([KLUniform("probe")], model, probe=probe())
    watch(Observation(Moment(0, 1), "epoch", model, TASK))
    assert not math.isfinite(watch.rows[0]["kl_uniform"])


def test_without_signals_it_only_counts() -> None:
    watch = Watch([], net())
    watch(Observation(Moment(4, 2), "epoch", net(), TASK))
    watch(Observation(Moment(5, 2), "step", net(), TASK))
    assert watch.rows == [{"epoch": 2, "moment": "2ep"}]
    assert watch.state() == ({}, {})


def test_each_row_charges_the_time_since_the_row_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock on which every look takes a second: one for each update, its value read within."""
    ticks = iter(range(1000))
    monkeypatch.setattr("secateurs.when.watch.time.perf_counter", lambda: float(next(ticks)))
    model = net()
    watch = Watch([KLUniform(), KLUniform2("probe", 4)], model, probe=probe())
    show(watch, run(model, epochs=2, steps=3))
    charged = [{key: value for key, value in row.items() if key.startswith("seconds")} for row in watch.rows]
    epoch = {"seconds/kl_uniform": 3 + 1.0, "seconds/kl_on_probe": 1.0}
    assert charged == [{"seconds/kl_uniform": 1.0, "seconds/kl_on_probe": 1.0}, epoch, epoch]


class KLUniform2(KLUniform):
    """A second one beside it, under a name of its own."""

    name = "kl_on_probe"  # type: ignore[misc]


def test_measurements_are_what_signals_gave_whatever_their_names() -> None:
    row = {"train_loss": 1, "train_loss.change": 0.5, "seconds/train_loss": 0.1, "norms": [1.0], "seconds/norms": 0.1}
    beside = {"epoch": 2, "moment": "2ep", "lr": 0.1, "seconds": 1.0, "train_accuracy": 0.9, "seconds/scoring": 0.2}
    broken = {"a": math.nan, "seconds/a": 0.0, "b": math.inf, "seconds/b": 0.0, "c": None, "seconds/c": 0.0}
    assert measurements({**row, **beside, **broken}) == {"train_loss": 1.0, "train_loss.change": 0.5}
