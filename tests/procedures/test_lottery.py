"""Algorithms 1, 2 and 4 of P2, against loops that are written out in plain torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import floor
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from secateurs.core import PruningError, TrainingError, prunable
from secateurs.how import imp as densities_of
from secateurs.procedures import MaskSettings, Ticket, imp, instability, lottery, lrr
from secateurs.train import Seeds, TrainSettings, begin, train
from toys import LENET, RESNET, same_bits, surroundings, toy_data

DATA = toy_data()
SETTINGS = TrainSettings(
    epochs=4,
    batch_size=16,  # three steps an epoch
    lr=0.05,
    schedule={"name": "step", "milestones": (2, "8it")},
    warm_up="2it",
)
SEEDS = Seeds(init=3, order=4, pruning=5)

Flags = dict[str, Tensor]


def test_imp_is_its_algorithm_written_out() -> None:
    for rewind in (0, "4it", "2ep"):  # at initialisation, within an epoch, after a drop of the rate
        found = list(imp(RESNET, DATA, SETTINGS, levels=3, rate=0.3, rewind=rewind, seeds=SEEDS))
        k = {0: 0, "4it": 4, "2ep": 6}[rewind]
        model = _initial()
        w_k = _copied(_run(model, {}, 0, k))
        mask: Flags = {}
        for level, ticket in enumerate(found):
            model.load_state_dict(w_k)
            _drop(model, mask)
            _is(ticket, level, mask, _copied(model), (k, 12))
            # The dense run goes on with its momentum, later levels begin with none.
            ended = _run(_initial(), {}, 0, 12) if not level else _run(model, mask, k, 12)
            assert same_bits(ticket.ended.model, ended)
            mask = _largest(ended, mask, Fraction(7, 10) ** (level + 1))
        assert [ticket.level for ticket in found] == [0, 1, 2, 3]


def test_lrr_is_its_algorithm_written_out() -> None:
    found = list(lrr(RESNET, DATA, SETTINGS, densities=(0.6, 0.3), seeds=SEEDS))
    model, mask = _initial(), Flags()
    for level, ticket in enumerate(found):
        _drop(model, mask)
        _is(ticket, level, mask, _copied(model), (0, 12))
        assert same_bits(ticket.ended.model, _run(model, mask, 0, 12))
        mask = _largest(model, mask, Fraction((6, 3, 1)[level], 10))
    assert len(found) == 3


def _is(ticket: Ticket, level: int, mask: Flags, tensors: dict[str, Tensor], moments: tuple[int, int]) -> None:
    assert ticket.level == level
    assert (ticket.start.moment.steps, ticket.ended.moment.steps) == moments
    assert ticket.diverged is None
    assert (ticket.mask is None) == (level == 0)
    for name, kept in mask.items():
        assert ticket.mask is not None
        assert torch.equal(ticket.mask[name], kept)
    own = ticket.start.model.state_dict()
    assert all(torch.equal(own[name], value) for name, value in tensors.items())


def _initial() -> nn.Module:
    return begin(RESNET, DATA, SETTINGS, init_seed=SEEDS.init).model


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _run(model: nn.Module, mask: Flags, first: int, last: int) -> nn.Module:
    """Steps ``first`` to ``last`` of training by SGD with momentum and weight decay, from no momentum."""
    weights, momentum = dict(model.named_parameters()), dict[str, Tensor]()
    model.train()
    for step in range(first, last):
        rate = 0.05 * 0.1 ** sum(milestone <= step for milestone in (6, 8)) * (step / 2 if step < 2 else 1)
        batch = list(DATA.train.epoch(step // 3, 16, SEEDS.order))[step % 3]
        model.zero_grad()
        F.cross_entropy(model(batch.inputs), batch.targets).backward()
        with torch.no_grad():
            for name, weight in weights.items():
                assert weight.grad is not None
                slope = weight.grad.add(weight, alpha=5e-4)
                momentum[name] = momentum[name].mul(0.9).add(slope) if name in momentum else slope
                weight.add_(momentum[name], alpha=-rate)
        _drop(model, mask)
        for name, kept in mask.items():
            momentum[name] = torch.where(kept, momentum[name], 0.0)
    return model


@torch.no_grad()
def _drop(model: nn.Module, mask: Flags) -> None:
    for name, kept in mask.items():
        weight = model.get_parameter(name)
        weight.copy_(torch.where(kept, weight, 0.0))


def _largest(model: nn.Module, mask: Flags, density: Fraction) -> Flags:
    weights = prunable(model)
    size = torch.cat([weight.detach().abs().flatten() for weight in weights.values()])
    alive = torch.cat([mask.get(name, torch.ones_like(weight).bool()).flatten() for name, weight in weights.items()])
    count = floor(density * len(size) + Fraction(1, 2))
    kept = torch.zeros_like(alive)
    kept[torch.where(alive, size, -1.0).sort(descending=True, stable=True).indices[:count]] = True
    parts = kept.split([weight.numel() for weight in weights.values()])
    return {name: part.reshape(weights[name].shape) for name, part in zip(weights, parts, strict=True)}


def test_of_one_level_they_agree_on_the_mask_and_differ_in_the_weights() -> None:
    settings = SETTINGS.model_copy(update={"warm_up": 0})
    (dense, one), (same, other) = (
        list(procedure(RESNET, DATA, settings, levels=1, seeds=SEEDS)) for procedure in (imp, lrr)
    )
    assert same_bits(dense.ended.model, same.ended.model)
    assert one.mask is not None
    assert one.mask == other.mask
    initial, trained = _initial().state_dict(), dense.ended.model.state_dict()
    for ticket, values in ((one, initial), (other, trained)):
        own = ticket.start.model.state_dict()
        masked = {name: torch.where(one.mask[name], v, 0.0) if name in one.mask else v for name, v in values.items()}
        assert all(torch.equal(own[name], value) for name, value in masked.items())
    assert (one.start.moment, one.start.max_lr) == (other.start.moment, other.start.max_lr)


@pytest.mark.parametrize("rewind", [0, "5it", 4])
def test_level_0_is_the_dense_run_whatever_is_rewound_to(rewind: Any) -> None:
    dense = train(begin(RESNET, DATA, SETTINGS, init_seed=3), DATA, SETTINGS, until=4, order_seed=4)
    ticket = next(imp(RESNET, DATA, SETTINGS, levels=1, rewind=rewind, seeds=SEEDS))
    assert (ticket.level, ticket.mask, ticket.density) == (0, None, 1.0)
    assert same_bits(ticket.ended.model, dense.model)


@pytest.mark.parametrize("procedure", [imp, lrr])
def test_dropped_weights_stay_zero_through_ten_levels(procedure: Callable[..., Iterator[Ticket]]) -> None:
    settings = TrainSettings(epochs=1, batch_size=24, lr=0.05, optimizer={"name": "adam", "weight_decay": 0.1})
    around, last = surroundings(), None
    for ticket in procedure(LENET, DATA, settings, levels=10):
        if ticket.mask is None:
            continue
        assert ticket.mask.kept == floor(Fraction(4, 5) ** ticket.level * ticket.mask.total + Fraction(1, 2))
        assert ticket.density == ticket.mask.kept / ticket.mask.total
        assert last is None or ticket.mask & last == ticket.mask
        for state in (ticket.start, ticket.ended):
            assert not any(p.detach()[~ticket.mask[name]].any() for name, p in prunable(state.model).items())
        last = ticket.mask
    assert surroundings() == around


@pytest.mark.parametrize("procedure", [imp, lrr])
def test_what_was_dropped_stays_out_where_the_top_is_pruned_too(procedure: Callable[..., Iterator[Ticket]]) -> None:
    """Of zeros the smallness alone would not tell that they are gone."""
    _, first, second = procedure(LENET, DATA, SETTINGS, MaskSettings(invert=True), levels=2)
    assert second.mask & first.mask == second.mask
    assert second.mask.kept < first.mask.kept


def test_levels_are_densities_or_a_rate() -> None:
    ways = ({"levels": 2, "rate": 0.5}, {"densities": densities_of(2, 0.5)}, {"densities": [0.5, 0.25]})
    masks = [[ticket.mask for ticket in imp(LENET, DATA, SETTINGS, **way)] for way in ways]  # type: ignore[arg-type]
    assert masks[0] == masks[1] == masks[2]
    (_, shot) = imp(LENET, DATA, SETTINGS, densities=[0.25])
    assert shot.mask is not None
    assert masks[0][2] is not None
    assert shot.mask.kept == masks[0][2].kept
    assert shot.mask != masks[0][2]


def test_nothing_is_trained_before_it_is_asked_for_or_where_it_cannot_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lottery, "train", None)
    with pytest.raises(TrainingError, match="imp: rewind: 4ep1it lies after the end of 4 epochs"):
        imp(LENET, DATA, SETTINGS, levels=1, rewind="4ep1it")
    for procedure in (imp, lrr):
        with pytest.raises(PruningError, match=r"levels: level \d+ drops nothing"):
            procedure(LENET, DATA, SETTINGS, levels=40)
        with pytest.raises(PruningError, match="levels: level 2 leaves nothing"):
            procedure(LENET, DATA, SETTINGS, densities=[0.5, 0.0001])
        with pytest.raises(PruningError, match="levels: give either levels="):
            procedure(LENET, DATA, SETTINGS)
        with pytest.raises(PruningError, match="levels: give either levels="):
            procedure(LENET, DATA, SETTINGS, levels=1, densities=[0.5])
        with pytest.raises(PruningError, match=r"pruning: unknown score 'magnitud'; .* did you mean 'magnitude'"):
            procedure(LENET, DATA, SETTINGS, MaskSettings(score="magnitud"), levels=1)
        with pytest.raises(PruningError, match=r"prune.revive: .* leave revive out"):
            procedure(LENET, DATA, SETTINGS, MaskSettings(score="snip", revive=True, schedule="linear"), levels=1)
        procedure(LENET, DATA, SETTINGS, levels=1)


# -------------------------------------------------------------------------------- what may go wrong


@pytest.mark.parametrize("procedure", [imp, lrr])
def test_a_dense_run_that_diverges_is_the_last_result(procedure: Callable[..., Iterator[Ticket]]) -> None:
    settings = TrainSettings(epochs=3, batch_size=16, lr=1e18)
    (ticket,) = procedure(LENET, DATA, settings, levels=2)
    assert (ticket.level, str(ticket.diverged)) == (0, "1ep")
    assert ticket.ended.moment == ticket.diverged


def test_a_dense_run_that_diverges_before_k_is_the_last_result() -> None:
    settings = TrainSettings(epochs=3, batch_size=16, lr=1e18)
    (ticket,) = imp(LENET, DATA, settings, levels=2, rewind=2)
    assert (ticket.level, str(ticket.diverged)) == (0, "1ep")


@pytest.mark.parametrize("procedure", [imp, lrr])
def test_a_level_that_diverges_is_the_last_result(
    procedure: Callable[..., Iterator[Ticket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the last step broke, too, of which no loss tells."""

    def broken(state: Any, *args: Any, **options: Any) -> Any:
        ended = train(state, *args, **options)
        if ended.mask is not None:
            with torch.no_grad():
                ended.model.get_parameter("1.bias").fill_(torch.nan)
        return ended

    monkeypatch.setattr(lottery, "train", broken)
    found = list(procedure(LENET, DATA, SETTINGS, levels=3))
    assert [(ticket.level, str(ticket.diverged)) for ticket in found] == [(0, "None"), (1, "4ep")]


def test_layers_left_empty_are_told_and_trained_on() -> None:
    for procedure in (imp, lrr):
        *_, last = procedure(LENET, DATA, SETTINGS, densities=[0.3, 0.005])
        assert last.mask is not None
        assert last.mask.kept == 2
        assert last.mask.empty_layers()
        assert (last.level, last.diverged) == (2, None)


def test_tickets_may_be_analysed_and_forked_on_the_way_but_not_used_up() -> None:
    expected = [ticket.mask for ticket in imp(LENET, DATA, SETTINGS, levels=2, rewind=1)]
    seen = []
    for ticket in imp(LENET, DATA, SETTINGS, levels=2, rewind=1):
        seen.append(ticket.mask)
        found = instability(ticket.start, DATA, SETTINGS, order_seeds=(0, 0), points=3)
        assert found.mean("train") == 0.0
        train(ticket.start, DATA, SETTINGS, until=2)  # a level's own, also of the dense network
    assert seen == expected
    for procedure in (imp, lrr):
        tickets = procedure(LENET, DATA, SETTINGS, levels=1)
        next(tickets).ended.take()
        with pytest.raises(TrainingError, match="already consumed"):
            next(tickets)


def test_a_level_goes_on_in_the_order_of_the_dense_run() -> None:
    """A copy of the subnetwork with the seed of the run is the level's own end; one with another seed is another."""
    _, ticket = imp(RESNET, DATA, SETTINGS, levels=1, rewind="5it", seeds=SEEDS)
    own, other = (train(ticket.start.fork(), DATA, SETTINGS, until=4, order_seed=seed) for seed in (4, 5))
    assert same_bits(own.model, ticket.ended.model)
    assert not same_bits(other.model, ticket.ended.model)
