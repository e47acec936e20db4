"""Pruning with a mask that is given, the ablations, and replaying the schedule."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from secateurs.core import Moment, Observation, PruningError, Spec, TrainState, derive_seed, generator_for, prunable
from secateurs.how import Mask
from secateurs.procedures import MaskSettings, PruneSettings, early_pruning, find_mask, mask_facts, prune
from secateurs.train import Seeds, TrainSettings, begin, train
from secateurs.what import SCORES
from secateurs.zoo import build_model
from toys import LENET, RESNET, generator, net, same_bits, surroundings, toy_data, unchanged

DATA = toy_data()
SETTINGS = TrainSettings(epochs=4, batch_size=16, lr=0.05)  # three steps an epoch
HALF = PruneSettings(density=0.5, examples_per_class=3)


def at(moment: str, model: Spec = RESNET, chosen: TrainSettings = SETTINGS, init: int = 1) -> TrainState:
    return train(begin(model, DATA, chosen, init_seed=init), DATA, chosen, until=moment)


def mask_of(state: TrainState) -> Mask:
    assert isinstance(state.mask, Mask)
    return state.mask


def changed(**options: Any) -> PruneSettings:
    return PruneSettings(**{**dict(HALF), **options})


# ---------------------------------------------------------------------------------- a mask given


def test_a_mask_that_is_given_is_laid_on_the_weights() -> None:
    """Lottery ticket rewinding: the mask of the end, the weights of the beginning."""
    ticket = find_mask(at("4ep").model, DATA, MaskSettings(density=0.2))
    start = at("1ep")
    weights = {name: p.detach().clone() for name, p in prunable(start.model).items()}
    state = prune(start, DATA, PruneSettings(density=0.9, score=Spec("no such")), SETTINGS, mask=ticket)
    assert mask_of(state) == ticket
    for name, p in prunable(state.model).items():
        assert torch.equal(p.detach(), weights[name] * ticket[name])


def test_finding_and_giving_are_the_same() -> None:
    for ablation in ("none", "shuffle", "reinitialise"):
        settings = changed(ablation=ablation, score=Spec("random"))
        state = at("1ep")
        mask = find_mask(state.model, DATA, settings, pruning_seed=4)
        one = prune(state.fork(), DATA, settings, SETTINGS, pruning_seed=4, model=RESNET)
        two = prune(state, DATA, settings, SETTINGS, pruning_seed=4, model=RESNET, mask=mask)
        assert mask_of(one) == mask_of(two)
        assert same_bits(one.model, two.model)
        assert (mask_of(one) == mask) == (ablation != "shuffle")


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        ({"conv.weihgt": torch.ones(4, 1, 3, 3)}, "mask: the network has no prunable weights 'conv.weihgt'; choices: "),
        ({"conv.weight": torch.ones(4, 1, 3)}, "mask: 'conv.weight' has shape (4, 1, 3) in the mask, but (4, 1, 3, 3)"),
        ({"fc.bias": torch.ones(3)}, "mask: the network has no prunable weights 'fc.bias'"),
    ],
)
def test_a_mask_of_another_network_leaves_the_state_to_be_used(mask: dict[str, Any], message: str) -> None:
    state = at("1ep")
    with unchanged(state.model), pytest.raises(PruningError, match=re.escape(message)):
        prune(state, DATA, HALF, SETTINGS, mask=Mask(mask))
    assert not state.consumed
    prune(state, DATA, HALF, SETTINGS)


def test_a_failing_score_leaves_the_state_to_be_used() -> None:
    def failing(*args: Any, **options: Any) -> Any:
        if options["mask"] is not None:
            raise PruningError("not twice")
        return SCORES["magnitude"](*args, **options)

    state = at("1ep")
    with pytest.MonkeyPatch.context() as patch, unchanged(state.model):
        patch.setitem(SCORES, "failing", failing)
        for ablation in ("none", "shuffle", "reinitialise"):
            settings = changed(score=Spec("failing"), schedule="linear", steps=3, ablation=ablation)
            with pytest.raises(PruningError, match="not twice"):
                prune(state, DATA, settings, SETTINGS, model=RESNET)
    assert not state.consumed


# ------------------------------------------------------------------------------------- ablations


def test_a_shuffle_keeps_the_layers_counts_and_the_weights() -> None:
    settings, state = changed(density=0.3), at("1ep")
    dense = {name: p.detach().clone() for name, p in prunable(state.model).items()}
    plain = find_mask(state.model, DATA, settings)
    seen = []
    for seed in (0, 1, 0):
        pruned = prune(
            state.fork(), DATA, changed(density=0.3, ablation="shuffle"), SETTINGS, pruning_seed=seed, mask=plain
        )
        mask = mask_of(pruned)
        assert mask.layer_densities() == plain.layer_densities()
        assert mask == plain.shuffled(generator_for("shuffle", seed))
        assert mask != plain
        for name, p in prunable(pruned.model).items():
            assert torch.equal(p.detach(), dense[name] * mask[name])
        seen.append(mask)
    assert seen[0] == seen[2] != seen[1]


def test_reinitialised_weights_know_nothing_of_training() -> None:
    mask = find_mask(at("2ep").model, DATA, HALF)
    settings, around = changed(ablation="reinitialise", after="replay"), surroundings()
    ends = []
    for moment, init, seed in (("0ep", 1, 0), ("2ep", 1, 0), ("2ep", 8, 0), ("2ep", 1, 5)):
        state = prune(at(moment, init=init), DATA, settings, SETTINGS, pruning_seed=seed, mask=mask, model=RESNET)
        drawn = build_model(RESNET, DATA.input_shape, DATA.num_classes, derive_seed("reinitialise", seed))
        expected = drawn.state_dict()
        for name, tensor in state.model.state_dict().items():
            assert torch.equal(tensor, expected[name] * mask[name] if name in mask else expected[name]), name
        ends.append(train(state, DATA, SETTINGS, until="4ep", order_seed=2).model)
    assert surroundings() == around
    assert same_bits(ends[0], ends[1])
    assert same_bits(ends[0], ends[2])
    assert not same_bits(ends[0], ends[3])
    assert all(not p.detach()[~mask[name]].any() for name, p in prunable(ends[3]).items())


def test_a_reinitialised_network_has_a_fresh_optimizer_and_scaler() -> None:
    state = at("2ep")
    state.scaler = {"scale": 2.0}
    kept = prune(state.fork(), DATA, HALF, SETTINGS)
    assert kept.scaler == {"scale": 2.0}
    state = prune(state, DATA, changed(ablation="reinitialise"), SETTINGS, model=RESNET)
    assert state.scaler is None
    assert not state.optimizer.state
    assert {id(p) for g in state.optimizer.param_groups for p in g["params"]} == {
        id(p) for p in state.model.parameters()
    }
    assert (state.moment, state.schedule_start) == (Moment(6, 3), Moment(6, 3))
    assert train(state, DATA, SETTINGS, until="4ep").moment == Moment(12, 3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (None, "prune.ablation: 'reinitialise' draws weights anew: pass model=, the Spec"),
        (Spec("digits_resnet", {"width": 5}), "prune.ablation: model 'digits_resnet' is not the network of the state"),
        (LENET, "prune.ablation: model 'lenet_300_100' is not the network of the state"),
    ],
)
def test_reinitialisation_needs_the_network(model: Spec | None, message: str) -> None:
    state = at("1ep")
    with unchanged(state.model), pytest.raises(PruningError, match=re.escape(message)):
        prune(state, DATA, changed(ablation="reinitialise"), SETTINGS, model=model)
    assert not state.consumed
    prune(state, DATA, HALF, SETTINGS, model=model)  # nobody asks for it otherwise


# ---------------------------------------------------------------------------------------- replay

SCHEDULES: list[dict[str, Any]] = [
    {"schedule": {"name": "exponential", "gamma": 0.5}},
    {"schedule": {"name": "cosine", "per": "step"}},
    {"schedule": {"name": "step", "milestones": (1, "7it")}, "warm_up": "4it"},
    {"schedule": "one_cycle"},
]


def rates_of(state: TrainState, chosen: TrainSettings) -> list[tuple[int, float]]:
    """The rate of every step until the end, by the steps that were done after it."""
    seen, optimizer = [], state.optimizer

    def look(o: Observation) -> None:
        if o.boundary == "step":
            seen.append((o.moment.steps, optimizer.param_groups[0]["lr"]))

    train(state, DATA, chosen, until=chosen.epochs, observers=[look])
    return seen


@pytest.mark.parametrize("options", SCHEDULES)
@pytest.mark.parametrize("moment", ["0ep", "4it", "4ep"])
@pytest.mark.parametrize("ablation", ["none", "reinitialise"])
def test_a_replay_is_the_whole_schedule_again(options: dict[str, Any], moment: str, ablation: Any) -> None:
    chosen = TrainSettings(epochs=4, batch_size=16, lr=0.05, **options)
    settings = changed(after="replay", min_lr=1.0, ablation=ablation)  # Lambda is for going on
    state = prune(at(moment, LENET, chosen), DATA, settings, chosen, model=LENET)
    assert state.moment == state.schedule_start == Moment(0, 3)
    assert rates_of(state, chosen) == rates_of(begin(LENET, DATA, chosen, init_seed=0), chosen)


def test_a_replay_carries_weights_and_momentum_over() -> None:
    state = at("2ep")
    weights = {name: p.detach().clone() for name, p in state.model.named_parameters()}
    again = prune(state.fork(), DATA, changed(after="replay"), SETTINGS)
    on = prune(state, DATA, HALF, SETTINGS)
    assert same_bits(again.model, on.model)
    assert all(
        torch.equal(p.detach(), weights[name])
        for name, p in again.model.named_parameters()
        if name not in mask_of(again)
    )
    assert again.optimizer.state
    assert not prune(at("2ep"), DATA, changed(after="replay", fresh_optimizer=True), SETTINGS).optimizer.state


@pytest.mark.parametrize("ablation", ["none", "shuffle", "reinitialise"])
@pytest.mark.parametrize("moment", ["0ep", "5it"])
def test_the_whole_of_it_with_a_replay(moment: str, ablation: Any) -> None:
    settings = changed(after="replay", ablation=ablation, schedule="exponential", steps=3)
    seeds, seen = Seeds(init=3, order=4, pruning=5), []

    def look(o: Observation) -> None:
        if o.boundary == "step":
            seen.append(o.moment.steps)

    found = early_pruning(RESNET, DATA, SETTINGS, settings, at=moment, seeds=seeds, observers=[look])
    steps = Moment.parse(moment, 3).steps
    assert seen == [*range(1, steps + 1), *range(1, 13)]  # T more epochs
    state = train(begin(RESNET, DATA, SETTINGS, init_seed=3), DATA, SETTINGS, until=moment, order_seed=4)
    state = prune(state, DATA, settings, SETTINGS, pruning_seed=5, model=RESNET)
    state = train(state, DATA, SETTINGS, until="4ep", order_seed=4)
    assert same_bits(found.model, state.model)
    assert found.mask == state.mask
    assert all(not p.detach()[~mask_of(found)[name]].any() for name, p in prunable(found.model).items())


# ----------------------------------------------------------------------------------------- facts


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 10), st.integers(0, 999))
def test_units_are_counted_one_by_one(channels: int, inputs: int, tenths: int, seed: int) -> None:
    source = generator(seed)
    model = nn.Sequential(nn.Conv2d(inputs, channels, 3), nn.Conv1d(channels, 4, 2), nn.Flatten(), nn.Linear(4, 2))
    mask = Mask({name: torch.rand(p.shape, generator=source) < tenths / 10 for name, p in prunable(model).items()})
    units = [row.flatten().tolist() for name in ("0.weight", "1.weight") for row in mask[name]]
    sparsities = [Fraction(row.count(False), len(row)) for row in units]
    facts = mask_facts(mask, model)
    shares = [sum(s >= Fraction(percent, 100) for s in sparsities) / len(units) for percent in range(101)]
    assert facts["unit_sparsity"] == pytest.approx(shares, rel=1e-15)
    assert facts["emptied"] == pytest.approx(sum(not any(row) for row in units) / len(units), rel=1e-15)
    only = Mask({"3.weight": mask["3.weight"]})
    assert mask_facts(only, model)["emptied"] == sum(not row.any() for row in mask["3.weight"]) / 2


def test_facts_are_json() -> None:
    model = net()
    facts = mask_facts(find_mask(model, DATA, MaskSettings(density=0.1)), model)
    assert len(facts["unit_sparsity"]) == 101
    assert facts["unit_sparsity"][0] == 1.0
    assert facts["unit_sparsity"][100] == facts["emptied"]
    assert all(type(share) is float for share in facts["unit_sparsity"])
