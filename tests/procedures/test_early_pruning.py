"""Early pruning: exactly so much goes, at the moment said, and the rest of the budget is trained."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
import torch

from secateurs.core import DataError, Moment, Observation, PruningError, Spec, TrainingError, TrainState, prunable
from secateurs.how import Mask, enforce, keep_top
from secateurs.procedures import PruneSettings, early_pruning, mask_facts, prune
from secateurs.train import Seeds, TrainSettings, begin, train
from secateurs.what import SCORES, magnitude
from secateurs.when import SIGNALS
from secateurs.zoo import Classification, Dataset
from toys import CLASSES, LENET, RESNET, content, images, same_bits, surroundings, toy_data, unchanged

DATA = toy_data()
SETTINGS = TrainSettings(epochs=4, batch_size=16, lr=0.05)  # three steps an epoch
HALF = PruneSettings(density=0.5, examples_per_class=3)


def at(moment: str, chosen: TrainSettings = SETTINGS, model: Spec = RESNET, data: Dataset = DATA) -> TrainState:
    return train(begin(model, data, chosen, init_seed=1), data, chosen, until=moment)


def density_of(state: TrainState) -> Mask:
    assert isinstance(state.mask, Mask)
    return state.mask


@pytest.mark.parametrize("scope", ["global", "layer", "erk"])
@pytest.mark.parametrize("density", [0.02, 0.1, 0.5, 1.0])
def test_exactly_so_many_survive(scope: Any, density: float) -> None:
    state = prune(at("1ep"), DATA, PruneSettings(density=density, scope=scope), SETTINGS)
    total = sum(p.numel() for p in prunable(state.model).values())
    kept = math.floor(density * total + 0.5)
    if scope == "layer":
        kept = sum(math.floor(density * p.numel() + 0.5) for p in prunable(state.model).values())
    assert density_of(state).kept == kept
    for key, p in prunable(state.model).items():
        assert not p.detach()[~density_of(state)[key]].any()


@pytest.mark.parametrize("name", SCORES)
def test_every_score_serves_and_follows_from_the_seed(name: str) -> None:
    settings = PruneSettings(density=0.3, score=Spec(name), examples_per_class=3)
    state = at("1ep")
    around = surroundings()
    masks = [prune(state.fork(), DATA, settings, SETTINGS, pruning_seed=seed).mask for seed in (0, 0, 1)]
    assert surroundings() == around
    assert masks[0] == masks[1]
    assert (masks[0] == masks[2]) == (name in ("magnitude", "synflow"))


def test_magnitude_keeps_the_largest() -> None:
    state = at("1ep")
    expected = keep_top(magnitude(state.model), 0.3)
    assert prune(state, DATA, PruneSettings(density=0.3), SETTINGS).mask == expected


def test_only_training_examples_are_looked_at() -> None:
    other = replace(DATA, validation=images(30, 77), test=images(30, 78))
    settings = PruneSettings(density=0.3, score=Spec("fisher"), examples_per_class=3)
    state = at("1ep")
    one, two = (prune(state.fork(), data, settings, SETTINGS) for data in (DATA, other))
    assert one.mask == two.mask
    changed = replace(DATA, train=images(48, 79))
    assert prune(state, changed, settings, SETTINGS).mask != one.mask


def test_excluded_layers_are_left_alone() -> None:
    state = at("1ep", model=LENET)
    weights = {key: content(p) for key, p in prunable(state.model).items()}
    state = prune(state, DATA, PruneSettings(density=0.2, exclude=("5",)), SETTINGS)
    assert list(density_of(state)) == ["1.weight", "3.weight"]
    assert content(prunable(state.model)["5.weight"]) == weights["5.weight"]
    assert density_of(state).kept == math.floor(0.2 * (36 * 8 + 8 * 6) + 0.5)


# --------------------------------------------------------------------------------- learning rate

SCHEDULES: dict[str, Any] = {
    "exponential": {"name": "exponential", "gamma": 0.5},
    "cosine": {"name": "cosine"},
    "cosine by step": {"name": "cosine", "per": "step"},
    "linear": {"name": "linear"},
    "linear by step": {"name": "linear", "per": "step"},
    "step": {"name": "step", "milestones": (1, 3), "gamma": 0.1},
    "constant": {"name": "constant"},
}


def closed_form(name: str, start: Moment, now: Moment, end: Moment) -> float:
    """The factor of each family, from the moment of its anchor."""
    whole, done = end.epoch - start.epoch, now.epoch - start.epoch
    if name.endswith("by step"):
        whole, done = end.steps - start.steps, now.steps - start.steps
    if name.startswith("cosine"):
        return (1 + math.cos(math.pi * done / whole)) / 2
    if name.startswith("linear"):
        return 1 - done / whole
    if name == "exponential":
        return 0.5**done
    passed = sum(start.epoch < milestone <= now.epoch for milestone in (1, 3)) if name == "step" else 0
    return 0.1**passed


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("moment", ["0ep", "1ep", "4it", "2ep", "3ep", "11it"])
@pytest.mark.parametrize("floor", [0.0, 0.001, 0.04, 0.2])
def test_the_rate_restarts_at_the_larger_of_lambda_and_its_own(name: str, moment: str, floor: float) -> None:
    chosen = TrainSettings(epochs=4, batch_size=16, lr=0.05, schedule=SCHEDULES[name])
    start, t, end = Moment(0, 3), Moment.parse(moment, 3), Moment(12, 3)
    state = begin(LENET, DATA, chosen, init_seed=1)
    state.moment = t  # the rate follows from the moment alone
    state = prune(state, DATA, PruneSettings(density=0.5, min_lr=floor), chosen)
    maximum = max(floor, 0.05 * closed_form(name, start, t, end))
    assert state.max_lr == pytest.approx(maximum, rel=1e-12, abs=1e-18)
    assert state.schedule_start == state.moment == t
    rates = []

    def look(seen: Observation) -> None:
        if seen.boundary == "step":
            rates.append(optimizer.param_groups[0]["lr"])

    optimizer = state.optimizer
    train(state, DATA, chosen, until="4ep", observers=[look])
    moments = [Moment(step, 3) for step in range(t.steps, 12)]
    assert rates == [pytest.approx(maximum * closed_form(name, t, now, end), rel=1e-9, abs=1e-18) for now in moments]
    if floor == 0 and name in ("exponential", "step", "constant"):
        # These go on as if nothing had happened.
        assert rates == [pytest.approx(chosen.lr_at(now, start, 0.05), rel=1e-12) for now in moments]


def test_pruning_on_the_way_up_goes_on_up() -> None:
    for chosen, top in (
        (TrainSettings(epochs=4, batch_size=16, lr=0.05, warm_up="6it", schedule="constant"), 0.05),
        (TrainSettings(epochs=4, batch_size=16, lr=0.05, schedule={"name": "one_cycle", "pct_start": 0.5}), 0.05),
    ):
        state = prune(at("2it", chosen, LENET), DATA, HALF, chosen)
        assert state.max_lr == pytest.approx(top)
        now = Moment(2, 3)
        assert chosen.lr_at(now, now, state.max_lr) == pytest.approx(chosen.lr_at(now, Moment(0, 3), 0.05))


# ----------------------------------------------------------------------------------- the optimiser


def test_momentum_survives_where_weights_do() -> None:
    state = at("2ep")
    before = {id(p): entry["momentum_buffer"].clone() for p, entry in state.optimizer.state.items()}
    state = prune(state, DATA, HALF, SETTINGS)
    with enforce(state.model, state.optimizer, density_of(state)):
        for key, p in state.model.named_parameters():
            after = state.optimizer.state[p]["momentum_buffer"]
            kept = density_of(state).get(key, torch.ones(p.shape, dtype=torch.bool))
            assert torch.equal(after[kept], before[id(p)][kept])
            assert not after[~kept].any()


def test_a_fresh_optimizer_has_no_past() -> None:
    state = at("2ep")
    settings = PruneSettings(density=0.5, fresh_optimizer=True)
    old = state.optimizer
    state = prune(state, DATA, settings, SETTINGS)
    assert state.optimizer is not old
    assert not state.optimizer.state
    held = {id(p) for group in state.optimizer.param_groups for p in group["params"]}
    assert held == {id(p) for p in state.model.parameters()}
    end = train(state, DATA, SETTINGS, until="4ep")
    assert all(not p.detach()[~density_of(end)[key]].any() for key, p in prunable(end.model).items())


# -------------------------------------------------------------------------------- the whole of it


@pytest.mark.parametrize("moment", ["0ep", "1ep", "5it", "4ep"])
@pytest.mark.parametrize("settings", [HALF, PruneSettings(density=0.1, score=Spec("fisher"), examples_per_class=3)])
def test_it_is_its_parts_within_one_budget(moment: str, settings: PruneSettings) -> None:
    seeds = Seeds(init=3, order=4, pruning=5)
    seen: list[Moment] = []

    def look(o: Observation) -> None:
        if o.boundary == "step":
            seen.append(o.moment)

    found = early_pruning(RESNET, DATA, SETTINGS, settings, at=moment, seeds=seeds, observers=[look])
    state = train(begin(RESNET, DATA, SETTINGS, init_seed=3), DATA, SETTINGS, until=moment, order_seed=4)
    state = prune(state, DATA, settings, SETTINGS, pruning_seed=5)
    state = train(state, DATA, SETTINGS, until="4ep", order_seed=4)
    assert same_bits(found.model, state.model)
    assert found.mask == state.mask
    assert found.moment == Moment(12, 3)
    assert [o.steps for o in seen] == list(range(1, 13))  # T epochs in all, never more
    assert all(not p.detach()[~density_of(found)[key]].any() for key, p in prunable(found.model).items())


def test_the_three_seeds_do_three_things() -> None:
    settings = PruneSettings(density=0.5, score=Spec("random"))
    runs = [
        early_pruning(LENET, DATA, SETTINGS, settings, at="1ep", seeds=Seeds(**seeds))
        for seeds in ({}, {"init": 1}, {"order": 1}, {"pruning": 1})
    ]
    bits = [content(prunable(run.model)["1.weight"]) for run in runs]
    assert len(set(bits)) == 4
    assert runs[0].mask == runs[1].mask == runs[2].mask != runs[3].mask


def test_a_run_that_diverges_before_its_moment_is_recorded_not_raised() -> None:
    chosen = TrainSettings(epochs=4, batch_size=16, lr=1e20)
    for settings in (HALF, PruneSettings(density=0.5, score=Spec("fisher"), examples_per_class=3)):
        state = early_pruning(RESNET, DATA, chosen, settings, at="3ep")
        assert state.diverged == state.moment == Moment(3, 3)
        assert state.mask is None  # it was never pruned: its moment never came


def test_a_run_that_diverges_afterwards_is_recorded() -> None:
    chosen = TrainSettings(epochs=4, batch_size=16, lr=1e20)
    state = early_pruning(RESNET, DATA, chosen, HALF, at="0ep")
    assert state.diverged is not None
    assert density_of(state).density == pytest.approx(0.5, abs=1e-3)


# ---------------------------------------------------------------------------------- what is refused


def test_a_pruned_state_is_not_pruned_again() -> None:
    state = prune(at("1ep"), DATA, HALF, SETTINGS)
    with unchanged(state.model), pytest.raises(PruningError, match="the state at 1ep is pruned already"):
        prune(state, DATA, HALF, SETTINGS)
    assert not state.consumed


def test_a_consumed_state_is_not_pruned_and_its_successor_is_left_alone() -> None:
    state = at("1ep")
    after = train(state, DATA, SETTINGS, until="2ep")
    with unchanged(after.model), pytest.raises(TrainingError, match="already consumed"):
        prune(state, DATA, HALF, SETTINGS)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (PruneSettings(score=Spec("magnitud")), "unknown score 'magnitud'; choices: "),
        (PruneSettings(exclude=("nothing",)), "exclude: the model has no module or parameter 'nothing'"),
        (PruneSettings(exclude=("conv", "blocks", "fc")), "the model has no prunable weights"),
    ],
)
def test_what_cannot_be_pruned_leaves_the_state_to_be_used(settings: PruneSettings, message: str) -> None:
    state = at("1ep")
    with unchanged(state.model), pytest.raises(PruningError, match=re.escape(message)):
        prune(state, DATA, settings, SETTINGS)
    assert not state.consumed
    prune(state, DATA, HALF, SETTINGS)


def test_too_few_examples_of_a_class() -> None:
    settings = PruneSettings(score=Spec("fisher"), examples_per_class=17)
    message = "class 0 has 16 training examples, 17 per class are asked for: set prune.examples_per_class to at most 16"
    with pytest.raises(DataError, match=re.escape(message)):
        prune(at("0ep"), DATA, settings, SETTINGS)
    lacking = replace(DATA.train, targets=DATA.train.targets.clamp(max=1))
    with pytest.raises(DataError, match="toy, train split: no example of class 2"):
        Dataset("toy", "toy", Classification(CLASSES), CLASSES, lacking, DATA.validation, DATA.test)


def test_a_score_without_data_does_not_ask_for_examples() -> None:
    """Magnitude needs no example of any class: too few of them is no reason to refuse."""
    assert prune(at("0ep"), DATA, PruneSettings(examples_per_class=17), SETTINGS).mask is not None


@pytest.mark.parametrize("density", [0, -0.1, 1.0001, math.nan, math.inf, "much"])
def test_densities_that_cannot_be(density: Any) -> None:
    with pytest.raises(PruningError, match="density"):
        PruneSettings(density=density)


@pytest.mark.parametrize(
    "options", [{"scope": "local"}, {"examples_per_class": 0}, {"min_lr": -1}, {"min_lr": math.nan}, {"sparsity": 0.9}]
)
def test_pruning_settings_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(PruningError):
        PruneSettings(**options)


def test_layer_collapse_is_called_what_it_is() -> None:
    state = at("0ep", model=LENET)
    with torch.no_grad():
        prunable(state.model)["3.weight"].mul_(1e-6)
    state = prune(state, DATA, PruneSettings(density=0.3), SETTINGS)
    facts = mask_facts(density_of(state), state.model)
    assert facts["empty_layers"] == ["3.weight"]
    assert facts["layer_densities"]["3.weight"] == 0
    assert facts["density"] == density_of(state).density
    every = sum(p.numel() for p in state.model.parameters())
    alive = every - density_of(state).total + density_of(state).kept
    assert facts["density_of_all_parameters"] == alive / every
    shares = {"unit_sparsity", "emptied"}
    assert set(facts) == {"density", "density_of_all_parameters", "layer_densities", "empty_layers"} | shares


def test_a_score_may_be_given_by_name() -> None:
    assert PruneSettings(score="fisher").score == Spec("fisher")  # type: ignore[arg-type]


def test_everything_in_the_tables_can_be_combined() -> None:
    """What can be named is there: a name in a table that does not run would be found by a user."""
    assert {"random", "magnitude", "fisher"} <= set(SCORES)
    assert {"fisher_trace", "kl_uniform", "gradient_norms", "loss"} <= set(SIGNALS)
