"""Early pruning: train t epochs, prune, train the rest of the budget (P0), or all of it again (P2 chapter 5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from secateurs.core import (
    Moment,
    Observer,
    PruningError,
    Spec,
    TrainState,
    derive_seed,
    did_you_mean,
    generator_for,
    prunable,
)
from secateurs.how import Mask, apply
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.train import Seeds, TrainSettings, begin, train
from secateurs.zoo import Dataset

_ALL_ZERO = Seeds()


class PruneSettings(MaskSettings):
    """How a mask is found, and what then happens.

    Attributes:
        ablation: ``"shuffle"`` keeps each layer's count and moves its places (P2 section 5.7.1);
            ``"reinitialise"`` draws all weights anew under the mask (P2 section 5.7.2).
        after: ``"continue"`` trains what is left of the budget (P0); ``"replay"`` trains all of it again,
            the whole schedule with its warm-up from step 0 (P2 section 5.2, "re-training").
        min_lr: P0's Lambda, for ``"continue"``.
        fresh_optimizer: drop momentum instead of carrying it over.
    """

    ablation: Literal["none", "shuffle", "reinitialise"] = "none"
    after: Literal["continue", "replay"] = "continue"
    min_lr: float = Field(0.001, ge=0)
    fresh_optimizer: bool = False


def prune(
    state: TrainState,
    data: Dataset,
    settings: PruneSettings,
    training: TrainSettings,
    *,
    pruning_seed: int = 0,
    mask: Mask | None = None,
    model: Spec | None = None,
) -> TrainState:
    """Prune at ``state.moment``; consumes ``state``, unless it fails.

    Scores see training examples only. Momentum survives, zeroed where pruned (enforced from the
    next step on). The learning rate goes on from max(Lambda, LR(t)) (P0 section 3), or the
    successor stands at step 0 with the rate of ``training`` again. Shuffle and re-initialisation
    follow from ``pruning_seed``, and not from what the score drew.

    Args:
        mask: laid on the weights instead of finding one; the settings of how to find one are not looked at.
        model: what the network was built from, for re-initialisation: parameters and buffers are drawn
            anew by it, and the optimiser is a fresh one.

    Raises:
        PruningError: when the state is pruned already, the score cannot be computed, ``mask`` is of
            another network, or ``model`` is missing or another network.
        TrainingError: when the state was consumed before.
    """
    if state.mask is not None:
        raise PruningError(f"the state at {state.moment} is pruned already: prune a dense state or fork one")
    anew = settings.ablation == "reinitialise"
    fresh = _drawn_anew(state, data, training, model, pruning_seed) if anew else None
    if mask is None:
        mask = find_mask(state.model, data, settings, pruning_seed=pruning_seed)
    else:
        _check_fit(mask, state.model)
    if settings.ablation == "shuffle":
        mask = shuffled(mask, pruning_seed)
    changes = _schedule_after(state, settings, training)
    if fresh is not None:
        changes |= {"model": fresh.model, "optimizer": fresh.optimizer, "scaler": None}
    elif settings.fresh_optimizer:
        changes["optimizer"] = training.optimizer.build(state.model, changes["max_lr"])
    pruned = state.take(mask=mask, **changes)
    apply(pruned.model, mask)  # not before: the model of a consumed state is its successor's
    return pruned


def early_pruning(
    model: Spec,
    data: Dataset,
    training: TrainSettings,
    pruning: PruneSettings,
    *,
    at: str | int | Moment,
    seeds: Seeds = _ALL_ZERO,
    observers: Sequence[Observer] = (),
) -> TrainState:
    """The whole procedure in one process: P0's Prune(theta_{0->t}, r)_{t->T}, or P2's with T epochs after pruning.

    A run that diverges is a result: its state says when. Before t, it is left unpruned. With
    ``after="replay"`` observers see moments from 0 on a second time.

    >>> from secateurs.zoo import digits
    >>> state = early_pruning(
    ...     Spec("lenet_300_100", {"hidden": (16, 8)}),
    ...     digits(),
    ...     TrainSettings(epochs=2, lr=0.05),
    ...     PruneSettings(density=0.25),
    ...     at="1ep",
    ... )
    >>> str(state.moment), round(state.mask.density, 3)
    ('2ep', 0.25)
    """
    state = begin(model, data, training, init_seed=seeds.init)
    state = train(state, data, training, until=at, order_seed=seeds.order, observers=observers)
    if state.diverged is not None:
        return state
    state = prune(state, data, pruning, training, pruning_seed=seeds.pruning, model=model)
    return train(state, data, training, until=training.epochs, order_seed=seeds.order, observers=observers)


def shuffled(mask: Mask, pruning_seed: int = 0) -> Mask:
    """The mask with as many weights in every layer at random places: what ``ablation="shuffle"`` lays on a network.

    >>> mask = Mask({"weight": torch.tensor([[True, False], [True, False]])})
    >>> shuffled(mask).layer_densities() == mask.layer_densities()
    True
    """
    return mask.shuffled(generator_for("shuffle", pruning_seed))


def mask_facts(mask: Mask, model: nn.Module) -> dict[str, Any]:
    """What to report of a mask: density over prunable weights and over all parameters, by layer, and what is empty.

    ``unit_sparsity`` are 101 shares, those of convolution channels with a sparsity of at least s %,
    s = 0..100 (P2 figure 5-6), and ``emptied`` is the last of them: channels without any weight left.
    Where the mask covers no convolution, the neurons of its layers are counted.

    >>> net = nn.Linear(2, 4)
    >>> facts = mask_facts(Mask({"weight": torch.tensor([[0, 0], [0, 1], [1, 1], [1, 1]])}), net)
    >>> facts["emptied"], facts["unit_sparsity"][0], facts["unit_sparsity"][50], facts["unit_sparsity"][51]
    (0.25, 1.0, 0.5, 0.25)
    """
    every = sum(p.numel() for p in model.parameters())
    sparsity = _unit_sparsity(mask)
    return {
        "density": mask.density,
        "density_of_all_parameters": (every - mask.total + mask.kept) / every,
        "layer_densities": mask.layer_densities(),
        "empty_layers": list(mask.empty_layers()),
        "unit_sparsity": sparsity,
        "emptied": sparsity[-1],
    }


def _unit_sparsity(mask: Mask) -> list[float]:
    units = mask.unit_densities()
    convolutions = [densities for name, densities in units.items() if mask[name].ndim >= 3]
    densities = torch.cat(convolutions or list(units.values()))
    # Both sides are the nearest floats to quotients of whole numbers: they compare as the quotients do.
    at_most = torch.arange(100, -1, -1, dtype=torch.float64) / 100
    shares: list[float] = (densities <= at_most[:, None]).double().mean(1).tolist()
    return shares


def _schedule_after(state: TrainState, settings: PruneSettings, training: TrainSettings) -> dict[str, Any]:
    """Where the successor stands, and the anchor of its learning-rate schedule."""
    if settings.after == "replay":
        start = Moment(0, state.moment.steps_per_epoch)
        return {"moment": start, "schedule_start": start, "max_lr": training.lr}
    rate = max(settings.min_lr, training.highest_lr_from(state.moment, state.schedule_start, state.max_lr))
    return {"schedule_start": state.moment, "max_lr": rate}


def _drawn_anew(
    state: TrainState, data: Dataset, training: TrainSettings, model: Spec | None, pruning_seed: int
) -> TrainState:
    """A dense state of the same network with other initial weights."""
    if model is None:
        raise PruningError(
            "prune.ablation: 'reinitialise' draws weights anew: pass model=, the Spec that the network was built from"
        )
    device = next(state.model.parameters()).device
    fresh = begin(model, data, training, init_seed=derive_seed("reinitialise", pruning_seed), device=device)
    if _shapes(fresh.model.state_dict()) != _shapes(state.model.state_dict()):
        raise PruningError(
            f"prune.ablation: model {model.name!r} is not the network of the state, which has other parameters: "
            "pass the Spec that it was built from"
        )
    return fresh


def _check_fit(mask: Mask, model: nn.Module) -> None:
    shapes, known = _shapes(mask), _shapes(prunable(model))
    for name, shape in shapes.items():
        if name not in known:
            raise PruningError(f"mask: the network has no prunable weights {name!r}{did_you_mean(name, known)}")
        if known[name] != shape:
            raise PruningError(
                f"mask: {name!r} has shape {shape} in the mask, but {known[name]} in the network: find the mask in it"
            )


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}
