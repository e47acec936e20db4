"""States without channels: cut with the optimiser, in one step or in rounds, in runs that prune themselves."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from statistics import mean, pstdev
from typing import Any

import pytest
from torch import Tensor

from secateurs.core import Keep, Moment, PruningError, Spec, TrainingError
from secateurs.how import Mask, cut_in_place, keep_density
from secateurs.procedures import (
    AutomaticRun,
    PruneChannelSettings,
    PruneSettings,
    automatic_pruning,
    early_pruning,
    find_channels,
    find_mask,
    prune,
    prune_step,
)
from secateurs.train import Seeds, TrainSettings, begin, pack, train, unpack
from secateurs.when import At, Below, TrainLoss
from secateurs.zoo import build_model
from small_channels import DATA, HALF, NET, TRAINING, at, left_by
from toys import RESNET, content, same_bits, unchanged

# ------------------------------------------------------------------------------------------ pruning a state


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_optimizer_is_cut_with_the_network_and_trains_what_is_left(optimizer: str) -> None:
    chosen = TrainSettings(**{**TRAINING.model_dump(), "optimizer": {"name": optimizer}, "lr": 0.01})
    state = at("1ep", chosen)
    dense = state.fork()
    expected = find_channels(state.model, DATA, HALF, pruning_seed=2)
    pruned = prune(state, DATA, HALF, chosen, pruning_seed=2)
    assert state.consumed
    assert left_by(pruned) == expected
    assert (pruned.mask, pruned.moment, pruned.schedule_start) == (None, dense.moment, dense.moment)
    cut_in_place(dense.model, expected, dense.optimizer)
    assert same_bits(pruned.model, dense.model)
    for one, other in zip(pruned.optimizer.state.values(), dense.optimizer.state.values(), strict=True):
        assert {key: content(value) for key, value in one.items()} == {k: content(v) for k, v in other.items()}
    before = sum(p.numel() for p in NET.parameters())
    pruned = train(pruned, DATA, chosen, until=4)
    assert pruned.diverged is None
    assert sum(p.numel() for p in pruned.model.parameters()) < before
    assert left_by(pruned) == expected


def test_the_schedule_goes_on_as_after_a_mask() -> None:
    state = at("2ep")
    for options in ({}, {"min_lr": 0.04}, {"after": "replay"}):
        masked = prune(state.fork(), DATA, PruneSettings(density=0.5, **options), TRAINING)  # type: ignore[arg-type]
        cut = prune(state.fork(), DATA, PruneChannelSettings(density=0.5, **options), TRAINING)  # type: ignore[arg-type]
        for name in ("moment", "schedule_start", "max_lr", "scaler", "diverged"):
            assert getattr(cut, name) == getattr(masked, name)


def test_a_fresh_optimizer_remembers_nothing() -> None:
    cut = prune(at("1ep"), DATA, PruneChannelSettings(density=0.5, fresh_optimizer=True), TRAINING)
    assert not cut.optimizer.state
    held = {id(p) for group in cut.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in cut.model.parameters()}
    assert train(cut, DATA, TRAINING, until=4).diverged is None


def test_channels_found_elsewhere_are_laid_on() -> None:
    keep = find_channels(NET, DATA, HALF, pruning_seed=9)
    state = prune(begin(RESNET, DATA, TRAINING, init_seed=5), DATA, HALF, TRAINING, channels=keep)
    assert left_by(state) == keep


def test_what_cannot_be_pruned_is_left_as_it_is() -> None:
    state = at("1ep")
    other = build_model(Spec("digits_resnet", {"width": 5}), DATA.input_shape, 3, seed=1)
    wrong = find_channels(other, DATA, HALF)
    with unchanged(state.model):
        with pytest.raises(PruningError, match="in the groups, in the model"):
            prune(state, DATA, HALF, TRAINING, channels=wrong)
        with pytest.raises(PruningError, match="a mask goes with PruneSettings, channels with others"):
            prune(state, DATA, PruneSettings(), TRAINING, channels=wrong)
        with pytest.raises(PruningError, match="cannot be reached"):
            prune(state, DATA, PruneChannelSettings(density=0.001), TRAINING)
    assert not state.consumed
    cut = prune(state, DATA, HALF, TRAINING)
    for again in (HALF, PruneSettings(density=0.1)):
        with pytest.raises(PruningError, match="the state at 1ep is pruned already"):
            prune(cut, DATA, again, TRAINING)
    with pytest.raises(TrainingError, match="already consumed"):
        prune(state, DATA, HALF, TRAINING)


# ------------------------------------------------------------------------------------------ rounds


def test_steps_without_training_between_are_the_schedule() -> None:
    chosen = PruneChannelSettings(
        density=0.25, schedule="early_crop", steps=2, score=Spec("snip"), examples_per_class=3
    )
    state = at("1ep")
    whole = prune(state.fork(), DATA, chosen, TRAINING)
    for density in chosen.densities():
        state = prune_step(state, DATA, chosen, TRAINING, density=density)
    assert left_by(state) == left_by(whole)
    assert same_bits(state.model, whole.model)
    masks = PruneSettings(density=0.25, schedule="rounds", steps=3)
    state = at("1ep")
    expected = find_mask(state.model, DATA, masks)
    for density in masks.densities():
        state = prune_step(state, DATA, masks, TRAINING, density=density)
    assert state.mask == expected


@pytest.mark.parametrize("kind", [PruneSettings, PruneChannelSettings])
def test_rounds_never_bring_back_and_the_rate_goes_on_from_the_first(kind: Any) -> None:
    chosen = kind(density=0.2, schedule="rounds", steps=3, score=Spec("random"), min_lr=0.03)
    state, found = at("1ep"), []
    expected = max(0.03, TRAINING.lr_at(state.moment, state.schedule_start, TRAINING.lr))
    for density in chosen.densities():
        state = prune_step(state, DATA, chosen, TRAINING, density=density, pruning_seed=3)
        found.append(state.mask or left_by(state))
        assert (str(state.schedule_start), state.max_lr) == ("1ep", expected)
        assert (found[-1].density if isinstance(found[-1], Mask) else keep_density(found[-1])) <= density + 1e-3
        state = train(state, DATA, TRAINING, until=state.moment.epoch + 1)
    assert state.moment.epoch == 4
    for before, after in pairwise(found):
        assert all(bool((before[name] >= flags).all()) for name, flags in after.items())
        assert before != after


def test_rounds_at_random_take_from_all_layers_as_pruning_at_once_does() -> None:
    """Were the same numbers drawn in every round, the layer that was spared once would be spared in all."""
    net = Spec("digits_resnet", {"width": 12})
    chosen = PruneChannelSettings(
        density=0.4, counted="channels", schedule="rounds", steps=5, score=Spec("random"), examples_per_class=1
    )

    def in_rounds(seed: int) -> Keep:
        state = begin(net, DATA, TRAINING, init_seed=1)
        for number, density in enumerate(chosen.densities()):
            state = state.take(moment=Moment(3 * number, 3))  # as if an epoch had been trained
            state = prune_step(state, DATA, chosen, TRAINING, density=density, pruning_seed=seed)
        return left_by(state)

    def at_once(seed: int) -> Keep:
        model = begin(net, DATA, TRAINING, init_seed=1).model
        return find_channels(model, DATA, chosen, pruning_seed=seed, densities=(0.4,))

    def spread(found: Callable[[int], Keep]) -> float:
        kept = ([float(flags.float().mean()) for flags in found(seed).values()] for seed in range(30))
        return mean(pstdev(shares) for shares in kept)

    assert 0.7 < spread(in_rounds) / spread(at_once) < 1.3  # the same numbers in every round: 1.5


@pytest.mark.parametrize("kind", [PruneSettings, PruneChannelSettings])
def test_a_step_that_is_done_again_draws_the_same_and_another_one_others(kind: Any) -> None:
    chosen = kind(score=Spec("random"))

    def step(moment: str, density: float = 0.5) -> Any:
        state = prune_step(at(moment), DATA, chosen, TRAINING, density=density, pruning_seed=3)
        return state.mask or left_by(state)

    assert step("1ep") == step("1ep")
    assert step("1ep") != step("2ep")


def test_rounds_carry_the_optimizer_through_or_drop_it_each_time() -> None:
    for fresh in (False, True):
        chosen = PruneChannelSettings(schedule="rounds", fresh_optimizer=fresh)
        state = at("1ep")
        for density in (0.7, 0.5):
            state = prune_step(state, DATA, chosen, TRAINING, density=density)
            assert bool(state.optimizer.state) is not fresh
            state = train(state, DATA, TRAINING, until=state.moment.epoch + 1)


def test_a_first_step_is_pruning() -> None:
    for chosen in (HALF, PruneSettings(density=0.5, invert=True)):
        whole, step = (
            prune(at("2ep"), DATA, chosen, TRAINING),
            prune_step(at("2ep"), DATA, chosen, TRAINING, density=0.5),
        )
        assert same_bits(whole.model, step.model)
        assert (whole.mask, whole.channels) == (step.mask, step.channels)
        assert (whole.schedule_start, whole.max_lr) == (step.schedule_start, step.max_lr)


def test_steps_that_cannot_be_are_refused() -> None:
    masked, cut = (prune(at("1ep"), DATA, chosen, TRAINING) for chosen in (PruneSettings(density=0.5), HALF))
    with pytest.raises(PruningError, match="has a mask"):
        prune_step(masked, DATA, HALF, TRAINING, density=0.2)
    with pytest.raises(PruningError, match="has lost channels"):
        prune_step(cut, DATA, PruneSettings(density=0.5), TRAINING, density=0.2)
    for options in ({"ablation": "shuffle"}, {"revive": True, "score": Spec("snip"), "schedule": "linear"}):
        with pytest.raises(PruningError, match="not for steps with training between"):
            prune_step(masked, DATA, PruneSettings(density=0.5, **options), TRAINING, density=0.2)  # type: ignore[arg-type]
    with pytest.raises(PruningError, match="densities can only fall"):
        prune_step(masked, DATA, PruneSettings(density=0.5), TRAINING, density=0.7)
    for state in (masked, cut):
        assert not state.consumed


# ------------------------------------------------------------------------------------------ whole runs


def test_a_run_that_prunes_itself_is_the_run_pruned_then_paused_or_not() -> None:
    seeds = Seeds(init=1, order=2, pruning=3)
    whole = early_pruning(RESNET, DATA, TRAINING, HALF, at="2ep", seeds=seeds)
    assert whole.moment.epoch == 4
    stops: list[tuple[dict[str, Tensor], dict[str, Any]]] = []

    def stop(run: AutomaticRun) -> None:
        tensors, meta = run.pause()
        stops.append(({name: tensor.clone() for name, tensor in tensors.items()}, {**meta, "rows": list(meta["rows"])}))

    def run(paused: Any = None) -> AutomaticRun:
        return automatic_pruning(
            RESNET, DATA, TRAINING, HALF, trigger=At("2ep"), seeds=seeds, paused=paused, each_epoch=stop
        )

    live = run()
    assert str(live.pruned) == "2ep"
    assert same_bits(live.state.model, whole.model)
    assert left_by(live.state) == left_by(whole)
    for paused in stops[:]:
        again = run(paused)
        assert same_bits(again.state.model, live.state.model)
        assert again.state.channels == live.state.channels
        assert [row[TrainLoss.name] for row in again.rows[1:]] == [row[TrainLoss.name] for row in live.rows[1:]]


def test_a_trigger_that_never_fires_leaves_the_network_whole() -> None:
    run = automatic_pruning(RESNET, DATA, TRAINING, HALF, trigger=Below(TrainLoss.name, -1.0), signals=[TrainLoss()])
    assert (run.state.channels, run.state.mask, run.pruned) == (None, None, None)


def test_a_state_pruned_in_rounds_goes_on_from_files() -> None:
    chosen = PruneChannelSettings(density=0.2, schedule="rounds", steps=2)
    ends = []
    for stopped in (False, True):
        state = at("1ep")
        for density in chosen.densities():
            state = train(
                prune_step(state, DATA, chosen, TRAINING, density=density), DATA, TRAINING, until=state.moment.epoch + 1
            )
            if stopped:
                packed = pack(state)
                state = unpack(*packed, begin(RESNET, DATA, TRAINING, init_seed=8), DATA.example)
        ends.append(train(state, DATA, TRAINING, until=4))
    assert same_bits(ends[0].model, ends[1].model)
    assert ends[0].channels == ends[1].channels
