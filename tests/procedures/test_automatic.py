"""A run that prunes itself: it decides as the replay does, and ends where a run pruned at that moment ends."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save

from secateurs.core import Log, Moment, PruningError, Signal, SignalError, Spec, Trigger, prunable
from secateurs.how import Mask
from secateurs.procedures import AutomaticRun, PruneSettings, automatic_pruning, early_pruning
from secateurs.train import Seeds, TrainSettings, begin, observe, train
from secateurs.when import (
    At,
    Below,
    FisherTrace,
    GradientNorms,
    KLUniform,
    MaskDistance,
    Peak,
    Settled,
    TrainLoss,
    Watch,
    WeightChange,
    any_of,
    early_crop_trigger,
    no_later_than,
    replay,
)
from secateurs.zoo import Dataset
from toys import LENET, RESNET, same_bits, surroundings, toy_data

EPOCHS = 8
DATA = toy_data()
TRAINING = TrainSettings(epochs=EPOCHS, batch_size=24, lr=0.05)
HALF = PruneSettings(density=0.5, examples_per_class=3)
SEEDS = Seeds(init=1, order=2, pruning=3)
SIGNALS: tuple[Signal, ...] = (
    WeightChange(),
    FisherTrace(samples=8),
    KLUniform(),
    GradientNorms(),
    TrainLoss(),
    MaskDistance(density=0.3, window=3),
)
NAMES = [signal.name for signal in SIGNALS]


def run(trigger: Trigger, model: Spec = LENET, **options: Any) -> AutomaticRun:
    given = {"training": TRAINING, "pruning": HALF, "signals": SIGNALS, "seeds": SEEDS} | options
    training, pruning = given.pop("training"), given.pop("pruning")
    return automatic_pruning(model, DATA, training, pruning, trigger=trigger, **given)


def dense_log(model: Spec = LENET, training: TrainSettings = TRAINING, data: Dataset = DATA) -> Log:
    """What a dense run logs, by the plain means: train, and a watch."""
    state = begin(model, data, training, init_seed=SEEDS.init)
    watch = Watch(SIGNALS, state.model, probe=data.train.probe(len(data.train), SEEDS.order), seed=SEEDS.order)
    observe(state, data, [watch])
    state = train(state, data, training, until=EPOCHS, order_seed=SEEDS.order, observers=[watch])
    rows = [{k: v for k, v in row.items() if k in NAMES} for row in watch.rows]
    return [(Moment.parse(epoch, state.moment.steps_per_epoch), row) for epoch, row in enumerate(rows)]


LOG = dense_log()


def values(run: AutomaticRun) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("seconds")} for row in run.rows]


TRIGGERS: dict[str, Trigger] = {
    "early_crop": early_crop_trigger(0.5, EPOCHS),
    "untrained": At(0),
    "in the middle of an epoch": At("5it"),
    "at the very end": At(EPOCHS),
    "bounded": no_later_than(Peak("kl_uniform", patience=EPOCHS), "5ep"),
    "never": Below("loss", -1.0),
    "settled": Settled("mask_distance", tolerance=0.25),
    "either": any_of(Below("gradient_norm", 0.5), Settled("fisher_trace", tolerance=0.5)),
}


@pytest.mark.parametrize("name", TRIGGERS)
def test_it_decides_as_the_replay_and_ends_as_a_run_pruned_then(name: str) -> None:
    trigger, around = TRIGGERS[name], surroundings()
    live = run(trigger)
    assert surroundings() == around
    decided = replay(trigger, LOG)
    assert live.pruned == decided
    if decided is None:
        assert live.state.mask is None
        plain = begin(LENET, DATA, TRAINING, init_seed=SEEDS.init)
        whole = train(plain, DATA, TRAINING, until=EPOCHS, order_seed=SEEDS.order)
        assert same_bits(live.state.model, whole.model)
        return
    whole = early_pruning(LENET, DATA, TRAINING, HALF, at=decided, seeds=SEEDS)
    assert same_bits(live.state.model, whole.model)
    assert live.state.mask == whole.mask
    assert live.state.moment.epoch == EPOCHS, "the budget, and no more"


@settings(max_examples=10)
@given(
    st.sampled_from(NAMES),
    st.integers(1, 3),
    st.floats(0, 0.3),
    st.integers(1, 3),
    st.integers(0, 2),
    st.one_of(st.none(), st.integers(0, EPOCHS)),
)
def test_whatever_the_trigger_the_live_decision_is_that_of_the_replay(
    signal: str, patience: int, min_drop: float, smoothing: int, warm_up: int, bound: int | None
) -> None:
    trigger: Trigger = Peak(signal, patience, min_drop, smoothing, warm_up)
    trigger = trigger if bound is None else no_later_than(trigger, bound)
    assert run(trigger).pruned == replay(trigger, LOG)


@pytest.mark.parametrize("model", [LENET, RESNET])
def test_pruned_weights_are_zero_and_as_many_as_asked_for(model: Spec) -> None:
    live = run(At(2), model, signals=())
    assert isinstance(live.state.mask, Mask)
    assert live.state.mask.density == pytest.approx(0.5, abs=1e-3)
    for name, weight in prunable(live.state.model).items():
        assert not weight.detach()[~live.state.mask[name]].any()


def test_what_is_measured_is_what_the_dense_run_measures_and_nothing_after_pruning() -> None:
    live = run(At(3))
    for row, (_, measured) in zip(live.rows[:4], LOG, strict=False):
        assert {name: row[name] for name in NAMES if name in row} == measured
    assert [row["epoch"] for row in live.rows] == list(range(EPOCHS + 1))
    for row in live.rows[4:]:
        assert {name for name in NAMES if name in row} == {"loss"}
        assert {name for name in row if name.startswith("seconds/")} == {"seconds/loss"}


def test_with_replay_the_whole_schedule_follows() -> None:
    again = changed(HALF, after="replay")
    live = run(At(2), pruning=again, signals=())
    assert [row["epoch"] for row in live.rows] == [0, 1, 2, *range(1, EPOCHS + 1)]
    whole = early_pruning(LENET, DATA, TRAINING, again, at=2, seeds=SEEDS)
    assert same_bits(live.state.model, whole.model)


def changed(settings: PruneSettings, **changes: Any) -> PruneSettings:
    return PruneSettings.model_validate({**dict(settings), **changes})


class Cut(BaseException):
    """The power went."""


@pytest.mark.parametrize("model", [LENET, RESNET])
def test_cut_off_at_any_epoch_it_ends_in_the_same_bits(model: Spec) -> None:
    trigger = no_later_than(Peak("fisher_trace", patience=2), "4ep")
    whole = run(trigger, model)
    assert whole.pruned is not None
    for cut in (0, 1, whole.pruned.epoch, EPOCHS - 1)[model == RESNET :]:
        kept: list[Any] = []

        def stop(live: AutomaticRun, cut: int = cut, kept: list[Any] = kept) -> None:
            if live.state.moment.epoch == cut:
                tensors, meta = live.pause()
                kept += [save({k: v.contiguous().clone() for k, v in tensors.items()}), json.dumps(meta)]
                raise Cut

        with pytest.raises(Cut):
            run(trigger, model, each_epoch=stop)
        gone_on = run(trigger, model, paused=(load(kept[0]), json.loads(kept[1])))
        assert gone_on.pruned == whole.pruned
        assert same_bits(gone_on.state.model, whole.state.model)
        assert values(gone_on) == values(whole)


def test_a_run_that_diverges_is_left_dense_and_says_so() -> None:
    live = run(At(3), training=trained(lr=1e20))
    assert live.pruned is None
    assert live.state.mask is None
    assert live.state.diverged is not None
    assert [row["epoch"] for row in live.rows] == list(range(live.state.diverged.epoch + 1))


def test_weights_that_the_last_steps_broke_are_not_pruned() -> None:
    """No loss was there yet to show it."""
    live = run(
        At(1), training=trained(lr=3e38, batch_size=48, optimizer={"name": "sgd", "weight_decay": 1e3}), signals=()
    )
    assert live.pruned is None
    assert live.state.diverged == Moment(1, 1)
    assert not all(bool(torch.isfinite(p).all()) for p in live.state.model.parameters())


def trained(**changes: Any) -> TrainSettings:
    return TrainSettings.model_validate({**dict(TRAINING), **changes})


def test_a_trigger_without_its_signal_is_refused_before_anything_is_trained() -> None:
    with pytest.raises(
        SignalError, match=r"needs the signal 'fisher_trace', which is not measured.*choices: kl_uniform"
    ):
        run(Peak("fisher_trace"), signals=[KLUniform()])


def test_a_network_cannot_be_pruned_so() -> None:
    with pytest.raises(PruningError, match="the model has no module or parameter 'nothing'"):
        run(At(1), pruning=changed(HALF, exclude=("nothing",)), signals=())
