"""The steps of lottery ticket procedures, one by one: a level's mask, and the weights that it is laid on (P2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from secateurs.core import Moment, PruningError, Spec, TrainingError, TrainState
from secateurs.how import Mask, apply
from secateurs.how.density import survivors
from secateurs.procedures.ablations import check_fit, drawn_anew
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.train import TrainSettings
from secateurs.zoo import Dataset


def next_mask(
    model: nn.Module,
    data: Dataset,
    settings: MaskSettings,
    density: float,
    *,
    within: Mask | None = None,
    pruning_seed: int = 0,
) -> Mask:
    """One level's pruning (P2 Algorithm 1, step 5): score the weights at the end of training, drop the lowest.

    What an earlier level dropped stays dropped. Randomness follows from ``pruning_seed``; a random score ranks the
    weights alike at every level then, so that its masks are nested as if they were drawn once. The model is left
    untouched.

    Args:
        model: as training ended.
        settings: what is scored and where weights compete; its density, schedule and steps are not looked at.
        density: what is left after this level, of all weights that can be pruned, those of earlier levels included.
        within: the mask of the level before; None: the network is dense.

    Raises:
        PruningError: when the settings let dropped weights come back, there are fewer weights left than are to be
            kept, or the score cannot be computed, e.g. since training diverged.

    >>> from secateurs.zoo import build_model, digits
    >>> net = build_model(Spec("lenet_300_100", {"hidden": (16, 8)}), (1, 8, 8), 10, seed=0)
    >>> first = next_mask(net, digits(), MaskSettings(), 0.8)
    >>> second = next_mask(net, digits(), MaskSettings(), 0.64, within=first)
    >>> first.total, first.kept, second.kept, second & first == second
    (1232, 986, 788, True)
    """
    check_nested(settings)
    return find_mask(model, data, settings, pruning_seed=pruning_seed, densities=(density,), within=within)


def check_nested(settings: MaskSettings) -> None:
    """See that what a level drops stays dropped.

    Raises:
        PruningError: when the settings let it come back.
    """
    if settings.revive:
        raise PruningError("prune.revive: what a level dropped stays dropped: leave revive out")


def random_mask(
    model: nn.Module, data: Dataset, density: float, *, exclude: Sequence[str] = (), pruning_seed: int = 0
) -> Mask:
    """Global random pruning (P2 section 3.1.4): so many weights at random places of the whole network.

    Layer-wise random pruning is :func:`~secateurs.procedures.shuffled` of a ticket's mask.

    Raises:
        PruningError: when there is nothing to prune, or the density is not valid.

    >>> from secateurs.zoo import build_model, digits
    >>> net = build_model(Spec("lenet_300_100", {"hidden": (16, 8)}), (1, 8, 8), 10, seed=0)
    >>> random_mask(net, digits(), 0.25).kept
    308
    """
    settings = MaskSettings(score=Spec("random"), exclude=tuple(exclude))
    return next_mask(model, data, settings, density, pruning_seed=pruning_seed)


def rewound(start: TrainState, mask: Mask, training: TrainSettings) -> TrainState:
    """The subnetwork (W_k, m) of P2's Algorithms 1 and 4, to be trained from k to the end; ``start`` stays as it is.

    Every tensor is as it was at step k, bit by bit, buffers included; what the mask drops is 0. The optimiser is a
    fresh one. The moment is k, and the learning rate goes on from there as in the dense run: the schedule neither
    begins anew nor is the rate raised.

    Args:
        start: the dense network's state W_k.
        mask: of its prunable weights.

    Raises:
        PruningError: when ``start`` is pruned already, or the mask is of another network.
        TrainingError: when ``start`` was consumed or has diverged.

    >>> from secateurs.train import begin
    >>> from secateurs.zoo import digits
    >>> data, training = digits(train_examples=200), TrainSettings(epochs=2)
    >>> start = begin(Spec("lenet_300_100", {"hidden": (16, 8)}), data, training, init_seed=0)
    >>> ticket = rewound(start, random_mask(start.model, data, 0.25), training)
    >>> str(ticket.moment), int(ticket.model[1].weight.count_nonzero()) == int(ticket.mask["1.weight"].sum())
    ('0ep', True)
    """
    _check_dense(start, mask, "rewound")
    return _laid_on(start.fork(), mask, training)


def redrawn(
    start: TrainState, mask: Mask, data: Dataset, training: TrainSettings, model: Spec, pruning_seed: int = 0
) -> TrainState:
    """The mask on weights that are drawn anew (P2 section 3.1.4, "random re-initialisation"), the rest as rewound.

    Weights and buffers are initial ones, whatever k; moment and schedule are those of ``start``, which stays as it is.

    Args:
        model: what the network was built from.
        pruning_seed: the new weights follow from it: the same ones at every level.

    Raises:
        PruningError, TrainingError: as :func:`rewound`; when ``model`` is another network.
    """
    _check_dense(start, mask, "redrawn")
    fresh = drawn_anew(start, data, training, model, pruning_seed, asked_by="redrawn")
    placed = fresh.take(moment=start.moment, schedule_start=start.schedule_start, max_lr=start.max_lr)
    return _laid_on(placed, mask, training)


def replayed(ended: TrainState, mask: Mask, training: TrainSettings) -> TrainState:
    """Learning rate rewinding (P2 Algorithm 2, step 6): the weights of the end, to be trained from step 0 on again.

    Weights and buffers are those of ``ended``, which stays as it is; what the mask drops is 0. The optimiser is a
    fresh one, and the whole schedule is gone through once more, its warm-up included.

    Raises:
        PruningError: when the mask is of another network, or keeps weights that ``ended`` had lost already, or
            ``ended`` has lost channels.
        TrainingError: when ``ended`` was consumed or has diverged.
    """
    return _from_the_start(ended, mask, training, ended.moment.steps_per_epoch, "replayed")


def retrained(state: TrainState, mask: Mask, training: TrainSettings, data: Dataset) -> TrainState:
    """The pruned network that P4 retrains (sections 2.4 and 3): the weights of wherever dense training stopped.

    As :func:`replayed`, but retraining need not be the training that the weights come from: it may have other
    epochs, batches and another optimiser. The whole of its schedule is gone through from step 0 on, and steps are
    counted in its epochs of the data. ``state`` stays as it is; copies differ by the order seeds they are trained with.

    Args:
        training: of retraining.
        data: that it is retrained on.

    Raises:
        DataError: when a batch is larger than the data.
        PruningError, TrainingError: as :func:`replayed`.

    >>> from secateurs.train import begin, train
    >>> from secateurs.zoo import digits
    >>> data, dense = digits(train_examples=200), TrainSettings(epochs=4, batch_size=20)
    >>> start = begin(Spec("lenet_300_100", {"hidden": (16, 8)}), data, dense, init_seed=0)
    >>> stopped = train(start, data, dense, until=1)
    >>> mask = next_mask(stopped.model, data, MaskSettings(scope="layer"), 0.25)
    >>> pruned = retrained(stopped, mask, TrainSettings(epochs=2, batch_size=50, lr=0.05), data)
    >>> stopped.moment.steps_per_epoch, pruned.moment.steps_per_epoch, str(pruned.moment), pruned.max_lr
    (10, 4, '0ep', 0.05)
    """
    again = _from_the_start(state, mask, training, training.steps_per_epoch(data.train), "retrained")
    layout = torch.channels_last if training.channels_last else torch.contiguous_format
    again.model.to(memory_format=layout)  # type: ignore[call-overload]
    return again


def kept_by_level(
    weights: Mapping[str, Tensor],
    densities: Sequence[float],
    scope: Literal["global", "layer", "erk"] = "global",
) -> tuple[int, ...]:
    """How many weights each level keeps of the original N: floor(density * N + 1/2); with ``"layer"`` layer by layer.

    Args:
        weights: what can be pruned, as :func:`~secateurs.core.prunable` has it; only sizes are looked at.
        densities: of levels 1, 2, ..., as :func:`~secateurs.how.imp` gives them.

    Raises:
        PruningError: when there is no level, or one at which nothing can be dropped, or nothing is left.

    >>> from secateurs.how import imp
    >>> kept_by_level({"weight": torch.empty(10, 10)}, imp(4))
    (80, 64, 51, 41)
    >>> kept_by_level({"weight": torch.empty(2, 2)}, imp(4))
    Traceback (most recent call last):
    ...
    secateurs.core.errors.PruningError: levels: level 2 drops nothing: density 0.64 keeps 3 of 4 weights, no fewer \
than before: ask for fewer levels than 2, or for other densities
    """
    if not densities:
        raise PruningError("levels: there is none: ask for 1 at least")
    sizes = [weight.numel() for weight in weights.values()]
    total = sum(sizes)
    counts: list[int] = []
    for level, density in enumerate(densities, start=1):
        count = sum(survivors(density, size) for size in (sizes if scope == "layer" else [total]))
        if not count or count >= (counts[-1] if counts else total):
            fault = "drops nothing" if count else "leaves nothing"
            told = f"density {density:.6g} keeps {count} of {total} weights" + (
                ", no fewer than before" if count else ""
            )
            raise PruningError(
                f"levels: level {level} {fault}: {told}: ask for fewer levels than {level}, or for other densities"
            )
        counts.append(count)
    return tuple(counts)


def _check_dense(start: TrainState, mask: Mask, called: str) -> None:
    _check_sound(start, mask, called)
    if start.mask is not None or start.channels is not None:
        raise PruningError(
            f"{called}: the state at {start.moment} is pruned already: pass the dense network's, W_k as it was trained"
        )


def _check_sound(state: TrainState, mask: Mask, called: str) -> None:
    state.check()
    if state.diverged is not None:
        raise TrainingError(f"{called}: the state diverged at {state.diverged}: there is nothing to be trained on")
    check_fit(mask, state.model)


def _from_the_start(
    state: TrainState, mask: Mask, training: TrainSettings, steps_per_epoch: int, called: str
) -> TrainState:
    """A copy of the state's weights and buffers under the mask, at step 0 of ``training``."""
    if state.channels is not None:
        raise PruningError(
            f"{called}: the state at {state.moment} has lost channels, and no mask fits what is left: pass one that is "
            "dense or under a mask"
        )
    _check_sound(state, mask, called)
    earlier = {} if state.mask is None else state.mask
    for name, kept in mask.items():
        if name in earlier and bool((kept & ~earlier[name].to(kept.device)).any()):
            raise PruningError(
                f"{called}: the mask keeps weights of {name!r} that were pruned before: find it within the mask of "
                "the run that ended, next_mask(..., within=)"
            )
    start = Moment(0, steps_per_epoch)
    again = state.fork().take(moment=start, schedule_start=start, max_lr=training.lr, scaler=None)
    return _laid_on(again, mask, training)


def _laid_on(state: TrainState, mask: Mask, training: TrainSettings) -> TrainState:
    """The state under the mask with a fresh optimiser; consumes it."""
    apply(state.model, mask)
    return state.take(mask=mask, optimizer=training.optimizer.build(state.model, state.max_lr))
