"""The steps of lottery ticket procedures: what is the same as in the dense run to the bit, and what is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from secateurs.core import (
    Moment,
    Observation,
    PruningError,
    Spec,
    TrainingError,
    TrainState,
    derive_seed,
    prunable,
)
from secateurs.how import Mask
from secateurs.procedures import (
    MaskSettings,
    PruneChannelSettings,
    find_mask,
    mask_facts,
    next_mask,
    prune,
    random_mask,
    redrawn,
    replayed,
    retrained,
    rewound,
    shuffled,
)
from secateurs.train import TrainSettings, begin, pack, train
from toys import LENET, RESNET, content, same_bits, surroundings, toy_data, unchanged

DATA = toy_data()
SETTINGS = TrainSettings(epochs=4, batch_size=16, lr=0.05, augment="shift")  # three steps an epoch
MAGNITUDE = MaskSettings()
SCHEDULES: list[dict[str, Any]] = [
    {"schedule": {"name": "exponential", "gamma": 0.5}},
    {"schedule": {"name": "cosine", "per": "step"}},
    {"schedule": {"name": "step", "milestones": (1, "7it")}, "warm_up": "4it"},
    {"schedule": "one_cycle", "optimizer": "adam"},
]


def at(moment: str, model: Spec = RESNET, settings: TrainSettings = SETTINGS) -> TrainState:
    return train(begin(model, DATA, settings, init_seed=1), DATA, settings, until=moment)


def half(state: TrainState) -> Mask:
    return next_mask(state.model, DATA, MAGNITUDE, 0.5)


def bits(state: TrainState) -> dict[str, Any]:
    tensors, meta = pack(state)
    return {name: content(value) for name, value in tensors.items()} | {"meta": meta}


def rates(state: TrainState, settings: TrainSettings) -> list[float]:
    """The learning rates of all steps that are left."""
    seen: list[float] = []
    copy = state.fork()

    def look(observed: Observation) -> None:
        if observed.boundary == "step":
            seen.append(copy.optimizer.param_groups[0]["lr"])

    train(copy, DATA, settings, until=settings.epochs, observers=[look])
    return seen


def has_a_fresh_optimizer(state: TrainState) -> bool:
    held = {id(p) for group in state.optimizer.param_groups for p in group["params"]}
    return not state.optimizer.state and held == {id(p) for p in state.model.parameters()}


def lies_on(state: TrainState, mask: Mask, tensors: dict[str, torch.Tensor]) -> bool:
    """Every tensor of the state is the given one, bit for bit, and zero where the mask drops it."""
    own = state.model.state_dict()
    return own.keys() == tensors.keys() and all(
        content(own[name]) == content(torch.where(mask[name], value, 0.0) if name in mask else value)
        for name, value in tensors.items()
    )


# ------------------------------------------------------------------------------------------ weights


@pytest.mark.parametrize("moment", ["0ep", "2ep", "5it"])
def test_what_is_rewound_is_step_k_to_the_bit(moment: str) -> None:
    start, ended = at(moment), at("4ep")
    mask, before, around = half(ended), bits(start), surroundings()
    ticket = rewound(start, mask, SETTINGS)
    assert lies_on(ticket, mask, start.model.state_dict())
    assert any("running_mean" in name for name in start.model.state_dict())
    assert has_a_fresh_optimizer(ticket)
    assert (ticket.moment, ticket.schedule_start, ticket.max_lr) == (start.moment, Moment(0, 3), 0.05)
    assert Mask(ticket.mask or {}) == mask
    train(ticket, DATA, SETTINGS, until=4)
    assert (bits(start), start.consumed, surroundings()) == (before, False, around)


@pytest.mark.parametrize("options", SCHEDULES)
@pytest.mark.parametrize("moment", ["0ep", "5it", "2ep"])
def test_the_rates_are_those_of_the_dense_run_from_k_on(moment: str, options: dict[str, Any]) -> None:
    """Neither does the schedule begin anew, as it does after pruning, nor is a rate raised to Lambda."""
    settings = TrainSettings(epochs=4, batch_size=16, lr=0.0005, **options)
    start = at(moment, settings=settings)
    whole, own = rates(at("0ep", settings=settings), settings), rates(rewound(start, half(start), settings), settings)
    assert own == whole[start.moment.steps :]


@pytest.mark.parametrize("moment", ["0ep", "5it"])
def test_what_is_redrawn_is_another_initialisation_with_the_rest_as_rewound(moment: str) -> None:
    start = at(moment)
    mask, before = half(start), bits(start)
    ticket = redrawn(start, mask, DATA, SETTINGS, RESNET, pruning_seed=5)
    anew = begin(RESNET, DATA, SETTINGS, init_seed=derive_seed("reinitialise", 5))
    assert lies_on(ticket, mask, anew.model.state_dict())
    assert has_a_fresh_optimizer(ticket)
    same = rewound(start, mask, SETTINGS)
    places = [(each.moment, each.schedule_start, each.max_lr) for each in (ticket, same)]
    assert places[0] == places[1]
    assert rates(ticket, SETTINGS) == rates(same, SETTINGS)
    assert same_bits(ticket.model, redrawn(start, mask, DATA, SETTINGS, RESNET, pruning_seed=5).model)
    assert not same_bits(ticket.model, redrawn(start, mask, DATA, SETTINGS, RESNET, pruning_seed=6).model)
    assert (bits(start), start.consumed) == (before, False)


@pytest.mark.parametrize("options", SCHEDULES)
def test_what_is_replayed_is_the_end_with_the_whole_schedule(options: dict[str, Any]) -> None:
    settings = TrainSettings(epochs=4, batch_size=16, lr=0.05, **options)
    ended = at("4ep", settings=settings)
    mask, before = half(ended), bits(ended)
    ticket = replayed(ended, mask, settings)
    assert lies_on(ticket, mask, ended.model.state_dict())
    assert has_a_fresh_optimizer(ticket)
    assert (ticket.moment, ticket.schedule_start, ticket.max_lr) == (Moment(0, 3), Moment(0, 3), 0.05)
    assert rates(ticket, settings) == rates(at("0ep", settings=settings), settings)
    assert (bits(ended), ended.consumed) == (before, False)


@pytest.mark.parametrize("options", SCHEDULES)
@pytest.mark.parametrize("moment", ["5it", "4ep"])
def test_what_is_retrained_is_where_it_stopped_with_a_whole_schedule_of_its_own(
    moment: str, options: dict[str, Any]
) -> None:
    """Other epochs, batches, rate and optimiser than dense training: steps are counted in those of retraining."""
    again = TrainSettings(epochs=5, batch_size=10, drop_last=True, lr=0.02, **options)
    stopped = at(moment)
    mask, before = half(stopped), bits(stopped)
    ticket = retrained(stopped, mask, again, DATA)
    assert lies_on(ticket, mask, stopped.model.state_dict())
    assert has_a_fresh_optimizer(ticket)
    assert (ticket.moment, ticket.schedule_start, ticket.max_lr) == (Moment(0, 4), Moment(0, 4), 0.02)
    assert type(ticket.optimizer).__name__.lower() == again.optimizer.name
    assert rates(ticket, again) == rates(begin(RESNET, DATA, again, init_seed=1), again)
    ended = train(ticket, DATA, again, until=5)
    assert not any(p.detach()[~mask[name]].any() for name, p in prunable(ended.model).items())
    assert (bits(stopped), stopped.consumed) == (before, False)


def test_retraining_in_the_same_settings_is_a_replay() -> None:
    ended = at("4ep")
    mask = half(ended)
    assert bits(retrained(ended, mask, SETTINGS, DATA)) == bits(replayed(ended, mask, SETTINGS))


@pytest.mark.parametrize("layouts", [(True, False), (False, True)])
def test_retraining_has_a_memory_layout_of_its_own(layouts: tuple[bool, bool]) -> None:
    dense, again = (TrainSettings(epochs=1, batch_size=16, channels_last=last) for last in layouts)
    stopped = at("1ep", settings=dense)
    ticket = retrained(stopped, half(stopped), again, DATA)
    wanted = torch.channels_last if layouts[1] else torch.contiguous_format
    images = [p for p in ticket.model.parameters() if p.ndim == 4]
    assert images
    assert all(p.is_contiguous(memory_format=wanted) for p in images)
    assert has_a_fresh_optimizer(ticket)


def test_a_schedule_that_was_anchored_elsewhere_is_kept_by_rewinding_and_left_by_a_replay() -> None:
    anchor = {"schedule_start": Moment(2, 3), "max_lr": 0.02}
    start = at("1ep").take(**anchor)
    mask = half(start)
    for ticket in (rewound(start, mask, SETTINGS), redrawn(start, mask, DATA, SETTINGS, RESNET)):
        assert (ticket.moment, ticket.schedule_start, ticket.max_lr) == (Moment(3, 3), *anchor.values())
    again = replayed(start, mask, SETTINGS)
    assert (again.moment, again.schedule_start, again.max_lr) == (Moment(0, 3), Moment(0, 3), 0.05)


def test_the_loss_scale_is_rewound_with_the_weights_and_fresh_otherwise() -> None:
    start = at("5it")
    start.scaler = {"scale": 2.0}
    mask = half(start)
    tickets = (
        rewound(start, mask, SETTINGS),
        redrawn(start, mask, DATA, SETTINGS, RESNET),
        replayed(start, mask, SETTINGS),
        retrained(start, mask, SETTINGS, DATA),
    )
    assert [ticket.scaler for ticket in tickets] == [{"scale": 2.0}, None, None, None]


@pytest.mark.parametrize("masked", [rewound, replayed])
def test_dropped_weights_stay_zero_and_orders_change_the_order_alone(masked: Callable[..., TrainState]) -> None:
    """Copies of a subnetwork: the same bits at first, every example once an epoch, another end."""
    ticket = masked(at("1ep"), half(at("4ep")), SETTINGS)
    seen: dict[int, list[int]] = {}
    ends = []
    for seed in (1, 2):
        copy, seen[seed] = ticket.fork(), []

        def look(observed: Observation, seed: int = seed) -> None:
            if observed.batch is not None:
                seen[seed] += observed.batch.targets.tolist()

        assert bits(copy) == bits(ticket)
        ends.append(train(copy, DATA, SETTINGS, until=4, order_seed=seed, observers=[look]))
    assert seen[1] != seen[2]
    epochs = [seen[seed][start : start + 48] for seed in (1, 2) for start in range(0, len(seen[1]), 48)]
    assert all(sorted(epoch) == sorted(DATA.train.targets.tolist()) for epoch in epochs)
    assert not same_bits(ends[0].model, ends[1].model)
    for end in ends:
        assert not any(p.detach()[~half(at("4ep"))[name]].any() for name, p in prunable(end.model).items())


def test_with_one_batch_an_epoch_orders_agree_to_rounding() -> None:
    settings = TrainSettings(epochs=4, batch_size=48, lr=0.01)
    start = at("1ep", settings=settings)
    ticket = rewound(start, half(start), settings)
    one, other = (train(ticket.fork(), DATA, settings, until=4, order_seed=u).model.state_dict() for u in (1, 2))
    assert all(torch.allclose(one[name], other[name], rtol=1e-4, atol=1e-5) for name in one)


# -------------------------------------------------------------------------------------------- masks


def test_random_masks_are_anywhere_or_in_the_tickets_proportions() -> None:
    state = at("4ep")
    ticket = half(state)
    with unchanged(state.model):
        globally = random_mask(state.model, DATA, 0.5, pruning_seed=3)
    layerwise = shuffled(ticket, 3)
    expected = find_mask(state.model, DATA, MaskSettings(score="random", density=0.5), pruning_seed=3)
    assert globally == expected == next_mask(state.model, DATA, MaskSettings(score="random"), 0.5, pruning_seed=3)
    assert globally != random_mask(state.model, DATA, 0.5, pruning_seed=4)
    assert globally.kept == layerwise.kept == ticket.kept
    assert layerwise.layer_densities() == ticket.layer_densities() != globally.layer_densities()
    assert layerwise != ticket
    sparser = random_mask(state.model, DATA, 0.25, pruning_seed=3)
    assert sparser & globally == sparser
    assert "3.weight" not in random_mask(at("0ep", LENET).model, DATA, 0.5, exclude=["3"])
    for mask in (globally, layerwise):
        for subnetwork in (rewound(at("1ep"), mask, SETTINGS), redrawn(at("1ep"), mask, DATA, SETTINGS, RESNET)):
            ended = train(subnetwork, DATA, SETTINGS, until=2)
            assert not any(p.detach()[~mask[name]].any() for name, p in prunable(ended.model).items())


def test_an_empty_layer_is_told_and_no_crash() -> None:
    state = at("1ep", LENET)
    with torch.no_grad():
        state.model.get_parameter("3.weight").mul_(1e-6)
    mask = next_mask(state.model, DATA, MAGNITUDE, 0.5)
    assert mask_facts(mask, state.model)["empty_layers"] == ["3.weight"] == list(mask.empty_layers())
    for ticket in (rewound(state, mask, SETTINGS), replayed(state, mask, SETTINGS)):
        ended = train(ticket, DATA, SETTINGS, until=4)
        assert ended.diverged is None
        assert not ended.model.get_parameter("3.weight").any()


# ------------------------------------------------------------------------------------------ refusals


def test_states_that_cannot_be_rewound_are_refused() -> None:
    start = at("1ep")
    mask = half(start)
    ways: dict[str, Callable[[TrainState, Mask], TrainState]] = {
        "rewound": lambda state, mask: rewound(state, mask, SETTINGS),
        "redrawn": lambda state, mask: redrawn(state, mask, DATA, SETTINGS, RESNET),
        "replayed": lambda state, mask: replayed(state, mask, SETTINGS),
        "retrained": lambda state, mask: retrained(state, mask, SETTINGS, DATA),
    }
    gone, diverged = at("1ep"), at("1ep").take(diverged=Moment(3, 3))
    gone.take()
    for name, way in ways.items():
        with pytest.raises(TrainingError, match="already consumed"):
            way(gone, mask)
        with pytest.raises(TrainingError, match=f"{name}: the state diverged at 1ep"):
            way(diverged, mask)
        with pytest.raises(PruningError, match=r"the network has no prunable weights '1\.weight'"):
            way(start, half(at("0ep", LENET)))
        if name in ("rewound", "redrawn"):
            with pytest.raises(PruningError, match=f"{name}: the state at 1ep is pruned already"):
                way(rewound(start, mask, SETTINGS), mask)
    with pytest.raises(PruningError, match="redrawn: model 'lenet_300_100' is not the network of the state"):
        redrawn(start, mask, DATA, SETTINGS, LENET)
    assert not start.consumed


def test_a_replay_goes_on_within_its_mask() -> None:
    start = at("4ep")
    ended = rewound(start, half(start), SETTINGS)
    with pytest.raises(PruningError, match=r"replayed: the mask keeps weights of '.*' that were pruned before"):
        replayed(ended, shuffled(half(start)), SETTINGS)
    with pytest.raises(PruningError, match=r"retrained: the mask keeps weights of '.*' that were pruned before"):
        retrained(ended, shuffled(half(start)), SETTINGS, DATA)
    assert lies_on(replayed(ended, half(start), SETTINGS), half(start), start.model.state_dict())


def test_what_lost_channels_is_not_replayed() -> None:
    state = at("1ep")
    cut = prune(state, DATA, PruneChannelSettings(density=0.5), SETTINGS)
    with pytest.raises(
        PruningError, match="replayed: the state at 1ep has lost channels, and no mask fits what is left"
    ):
        replayed(cut, half(cut), SETTINGS)
    with pytest.raises(PruningError, match="retrained: the state at 1ep has lost channels"):
        retrained(cut, half(cut), SETTINGS, DATA)
    assert not cut.consumed
