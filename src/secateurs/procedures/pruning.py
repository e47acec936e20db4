"""Pruning a training state: once, or one step of a schedule at a time."""

from __future__ import annotations

from typing import Any, Literal

from secateurs.core import Keep, Moment, PruningError, Spec, TrainState, generator_for
from secateurs.how import Mask, apply, between, cut_in_place
from secateurs.procedures.ablations import check_fit, drawn_anew, shuffled
from secateurs.procedures.channels import ChannelSettings, find_channels
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.procedures.settings import Afterwards
from secateurs.train import Settings, TrainSettings
from secateurs.zoo import Dataset


class _Ablated(Settings):
    ablation: Literal["none", "shuffle", "reinitialise"] = "none"


class PruneSettings(Afterwards, _Ablated, MaskSettings):
    """How a mask is found, and what then happens.

    Attributes:
        ablation: ``"shuffle"`` keeps each layer's count and moves its places (P2 section 5.7.1);
            ``"reinitialise"`` draws all weights anew under the mask (P2 section 5.7.2).
        after: ``"continue"`` trains what is left of the budget (P0); ``"replay"`` trains all of it again,
            the whole schedule with its warm-up from step 0 (P2 section 5.2, "re-training").
        min_lr: P0's Lambda, for ``"continue"``.
        fresh_optimizer: drop momentum instead of carrying it over.
    """


class PruneChannelSettings(Afterwards, ChannelSettings):
    """Which channels are kept, and what then happens: as in :class:`PruneSettings`, without ablations."""


def prune(
    state: TrainState,
    data: Dataset,
    settings: PruneSettings | PruneChannelSettings,
    training: TrainSettings,
    *,
    pruning_seed: int = 0,
    mask: Mask | None = None,
    channels: Keep | None = None,
    model: Spec | None = None,
) -> TrainState:
    """Prune at ``state.moment``; consumes ``state``, unless it fails.

    Scores see training examples only. Momentum survives: under a mask zeroed where pruned (enforced from the
    next step on), of channels cut like the parameters. The learning rate goes on from max(Lambda, LR(t)) (P0
    section 3), or the successor stands at step 0 with the rate of ``training`` again. Shuffle and
    re-initialisation follow from ``pruning_seed``, and not from what the score drew.

    Args:
        settings: of a mask, or of channels, which are physically removed.
        mask: laid on the weights instead of finding one; the settings of how to find one are not looked at.
        channels: kept instead of finding some; the groups are those of the dense network.
        model: what the network was built from, for re-initialisation: parameters and buffers are drawn
            anew by it, and the optimiser is a fresh one.

    Raises:
        PruningError: when the state is pruned already, the score cannot be computed, ``mask`` or ``channels`` are of
            another network or do not go with the settings, or ``model`` is missing or another network.
        TrainingError: when the state was consumed before.
    """
    state.check()
    if state.mask is not None or state.channels is not None:
        raise PruningError(f"the state at {state.moment} is pruned already: prune a dense state or fork one")
    if (mask if isinstance(settings, ChannelSettings) else channels) is not None:
        raise PruningError(f"a mask goes with PruneSettings, channels with others, got {type(settings).__name__}")
    changes = _schedule_after(state, settings, training)
    if isinstance(settings, ChannelSettings):
        if channels is None:
            channels = find_channels(state.model, data, settings, pruning_seed=pruning_seed)
        return _cut(state, channels, settings, training, changes)
    if settings.ablation == "reinitialise":
        fresh = drawn_anew(state, data, training, model, pruning_seed)
        changes |= {"model": fresh.model, "optimizer": fresh.optimizer, "scaler": None}
    if mask is None:
        mask = find_mask(state.model, data, settings, pruning_seed=pruning_seed)
    else:
        check_fit(mask, state.model)
    if settings.ablation == "shuffle":
        mask = shuffled(mask, pruning_seed)
    return _masked(state, mask, settings, training, changes)


def prune_step(
    state: TrainState,
    data: Dataset,
    settings: PruneSettings | PruneChannelSettings,
    training: TrainSettings,
    *,
    density: float,
    pruning_seed: int = 0,
) -> TrainState:
    """One step of a schedule, on a state that may be pruned already: for rounds with training between (P3 section 4).

    What earlier steps dropped stays out. The first step is to the schedule of the learning rate what :func:`prune`
    is; the later ones leave it on that way, as if nothing happened.

    Every step sees the same examples, which follow from ``pruning_seed`` alone. What a score draws follows
    from that, the moment and the density: each round draws anew, and one that is done again draws the same. Momentum
    is carried through all the rounds, as in P3, which has one optimiser throughout; with ``fresh_optimizer`` every
    step drops it, not only the first.

    Args:
        density: what is left after this step, of the dense network, e.g. one of ``settings.densities()``; schedule
            and steps of the settings are not looked at.

    Raises:
        PruningError: as in :func:`prune`; when the state is pruned in the other way, with less left than
            ``density`` asks for, or the settings ask for an ablation or for weights to come back.
        TrainingError: when the state was consumed before.
    """
    state.check()
    first = state.mask is None and state.channels is None
    changes = _schedule_after(state, settings, training) if first else {}
    drawn = generator_for("pruning", pruning_seed, state.moment.steps, str(density))
    if isinstance(settings, ChannelSettings):
        if state.mask is not None:
            raise PruningError(f"the state at {state.moment} has a mask: a step of channels goes on from channels")
        keep = find_channels(
            state.model,
            data,
            settings,
            pruning_seed=pruning_seed,
            densities=(density,),
            within=state.channels,
            generator=drawn,
        )
        return _cut(state, keep, settings, training, changes)
    if state.channels is not None:
        raise PruningError(f"the state at {state.moment} has lost channels: a step of a mask goes on from a mask")
    if settings.ablation != "none" or settings.revive:
        raise PruningError("prune_step: ablations and revive are not for steps with training between: use prune()")
    within = None if state.mask is None else Mask(state.mask)
    mask = find_mask(
        state.model, data, settings, pruning_seed=pruning_seed, densities=(density,), within=within, generator=drawn
    )
    return _masked(state, mask, settings, training, changes)


def _masked(
    state: TrainState, mask: Mask, settings: PruneSettings, training: TrainSettings, changes: dict[str, Any]
) -> TrainState:
    """The successor under a mask, with ``changes``."""
    if settings.fresh_optimizer and "optimizer" not in changes:
        changes["optimizer"] = training.optimizer.build(state.model, changes.get("max_lr", state.max_lr))
    pruned = state.take(mask=mask, **changes)
    apply(pruned.model, mask)  # not before: the model of a consumed state is its successor's
    return pruned


def _cut(
    state: TrainState, keep: Keep, settings: PruneChannelSettings, training: TrainSettings, changes: dict[str, Any]
) -> TrainState:
    """The successor without the channels that ``keep`` drops of the dense network, with ``changes``."""
    now = keep if state.channels is None else between(state.channels, keep)
    cut_in_place(state.model, now, None if settings.fresh_optimizer else state.optimizer)
    if settings.fresh_optimizer:
        changes["optimizer"] = training.optimizer.build(state.model, changes.get("max_lr", state.max_lr))
    return state.take(channels=keep, **changes)


def _schedule_after(state: TrainState, settings: Afterwards, training: TrainSettings) -> dict[str, Any]:
    """Where the successor stands, and the anchor of its learning-rate schedule."""
    if settings.after == "replay":
        start = Moment(0, state.moment.steps_per_epoch)
        return {"moment": start, "schedule_start": start, "max_lr": training.lr}
    rate = max(settings.min_lr, training.highest_lr_from(state.moment, state.schedule_start, state.max_lr))
    return {"schedule_start": state.moment, "max_lr": rate}
