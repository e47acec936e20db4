"""Early pruning: train t epochs, prune, train the rest of the budget (P0), or all of it again (P2 chapter 5)."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.core import Moment, Observer, Spec, TrainState
from secateurs.procedures.pruning import PruneChannelSettings, PruneSettings, prune
from secateurs.train import Seeds, TrainSettings, begin, train
from secateurs.zoo import Dataset

_ALL_ZERO = Seeds()


def early_pruning(
    model: Spec,
    data: Dataset,
    training: TrainSettings,
    pruning: PruneSettings | PruneChannelSettings,
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
