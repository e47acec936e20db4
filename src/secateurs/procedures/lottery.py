"""Algorithms 1, 2 and 4 of P2: iterative magnitude pruning with rewinding, and learning rate rewinding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch

from secateurs import what
from secateurs.core import Moment, PruningError, Spec, TrainingError, TrainState, prunable
from secateurs.how import Mask
from secateurs.how import imp as imp_densities
from secateurs.procedures.masks import MaskSettings
from secateurs.procedures.soundness import judged
from secateurs.procedures.tickets import check_nested, kept_by_level, next_mask, replayed, rewound
from secateurs.train import Seeds, TrainSettings, begin, train
from secateurs.zoo import Dataset

_MAGNITUDE, _ALL_ZERO = MaskSettings(), Seeds()


@dataclass(frozen=True)
class Ticket:
    """What one level came to: a subnetwork, and the same once it was trained. Level 0 is the dense network.

    Both states are the level's own: they may be looked at, analysed by
    :func:`~secateurs.procedures.instability`, or kept; ``fork()`` what is to be trained on.

    Attributes:
        level: how many times the network was pruned.
        start: the subnetwork before training: (W_k, m) of IMP, (w, m) of LRR.
        ended: the same at the end of training, or where it diverged.
    """

    level: int
    start: TrainState
    ended: TrainState

    @property
    def mask(self) -> Mask | None:
        """m; None of the dense network. It may have empty layers, through which nothing gets."""
        return None if self.start.mask is None else Mask(self.start.mask)

    @property
    def density(self) -> float:
        """Share of the prunable weights that are left, in (0, 1]."""
        return 1.0 if self.mask is None else self.mask.density

    @property
    def diverged(self) -> Moment | None:
        """When training diverged: there are no further levels then. None: it did not."""
        return self.ended.diverged


def imp(
    model: Spec,
    data: Dataset,
    training: TrainSettings,
    pruning: MaskSettings = _MAGNITUDE,
    *,
    levels: int | None = None,
    rate: float = 0.2,
    densities: Sequence[float] = (),
    rewind: str | int | Moment = 0,
    seeds: Seeds = _ALL_ZERO,
    device: torch.device | str = "cpu",
) -> Iterator[Ticket]:
    """Iterative magnitude pruning, rewinding to step k (P2 Algorithm 4; with k = 0 it is Algorithm 1).

    Yields the dense network as level 0, then each level's subnetwork, trained from k to the end, as soon as it is;
    whoever stops asking trains no further. One shot is one level: ``densities=[0.3]``. Each level prunes what is left
    at the end of the one before, takes W_k again with its buffers, has a fresh optimiser, and goes on from k in the
    dense run's schedule. All of them see the examples in the order that the dense run saw them in after k.

    A run that diverges is a result: it is the last one yielded, and its ``diverged`` says when. So is a dense run that
    diverges before k.

    Args:
        pruning: what is scored at the end, and where weights compete; its density, schedule and steps are not
            looked at.
        levels, rate: level L keeps floor((1 - rate)^L N + 1/2) of the N weights that can be pruned.
        densities: of levels 1, 2, ..., in place of the two.
        rewind: k, in the course of training: ``"500it"``, ``"2ep"`` or a number of epochs.

    Raises:
        PruningError: at once, when there is a level at which nothing can be dropped or nothing is left, both or
            neither of ``levels`` and ``densities`` are given, the score is unknown, or dropped weights are to come
            back.
        TrainingError: at once, when k lies after the end; later, when a state was consumed that is still needed.

    >>> from secateurs.zoo import digits
    >>> net, training = Spec("lenet_300_100", {"hidden": (16, 8)}), TrainSettings(epochs=2, lr=0.05)
    >>> [(ticket.level, round(ticket.density, 3)) for ticket in imp(net, digits(), training, levels=2, rewind="5it")]
    [(0, 1.0), (1, 0.8), (2, 0.64)]
    """
    w_0 = begin(model, data, training, init_seed=seeds.init, device=device)
    wanted = _levels(w_0, pruning, levels, rate, densities)
    k = Moment.parse(rewind, w_0.moment.steps_per_epoch)
    if k.steps > training.epochs * k.steps_per_epoch:
        raise TrainingError(
            f"imp: rewind: {k} lies after the end of {training.epochs} epochs: rewind to an earlier step"
        )
    return _imp(w_0, data, training, pruning, wanted, k, seeds)


def _imp(
    w_0: TrainState,
    data: Dataset,
    training: TrainSettings,
    pruning: MaskSettings,
    densities: Sequence[float],
    k: Moment,
    seeds: Seeds,
) -> Iterator[Ticket]:
    """Algorithm 4, its steps by number; 1 is done."""
    m: Mask | None = None  # 2: m = 1^d
    w_k = train(w_0, data, training, until=k, order_seed=seeds.order)  # 3: W_k = A^{0->k}(W_0, u)
    subnetwork = w_k.fork()
    for level in range(len(densities) + 1):  # 4: for n in {1, ..., N}, and once more for what is returned
        w_t = _trained(subnetwork, data, training, seeds)  # 5: W_T = A^{k->T}(m * W_k, u')
        yield Ticket(level, subnetwork, w_t)
        if level == len(densities) or w_t.diverged is not None:
            return
        w_t.check()
        m = next_mask(w_t.model, data, pruning, densities[level], within=m, pruning_seed=seeds.pruning)  # 6: prune
        subnetwork = rewound(w_k, m, training)  # 7: W_k, m


def lrr(
    model: Spec,
    data: Dataset,
    training: TrainSettings,
    pruning: MaskSettings = _MAGNITUDE,
    *,
    levels: int | None = None,
    rate: float = 0.2,
    densities: Sequence[float] = (),
    seeds: Seeds = _ALL_ZERO,
    device: torch.device | str = "cpu",
) -> Iterator[Ticket]:
    """Learning rate rewinding (P2 Algorithm 2): pruned weights keep their values, and all of the schedule is replayed.

    Yields what :func:`imp` yields, with the same arguments and errors; each level trains all epochs again, from the
    weights and buffers that the one before ended with, and sees the examples in the order in which the dense run saw
    them: it is the same order at every level. One level is magnitude pruning after training in one shot.

    >>> from secateurs.zoo import digits
    >>> net, training = Spec("lenet_300_100", {"hidden": (16, 8)}), TrainSettings(epochs=2, lr=0.05)
    >>> [str(ticket.ended.moment) for ticket in lrr(net, digits(), training, densities=[0.5, 0.2])]
    ['2ep', '2ep', '2ep']
    """
    w = begin(model, data, training, init_seed=seeds.init, device=device)
    return _lrr(w, data, training, pruning, _levels(w, pruning, levels, rate, densities), seeds)


def _lrr(
    w: TrainState,
    data: Dataset,
    training: TrainSettings,
    pruning: MaskSettings,
    densities: Sequence[float],
    seeds: Seeds,
) -> Iterator[Ticket]:
    """Algorithm 2, its steps by number; 1 is done."""
    m: Mask | None = None  # 2: m = 1^d
    for level in range(len(densities) + 1):  # 3: for n in {1, ..., N}, and once more for what is returned
        w_t = _trained(w, data, training, seeds)  # 4: w_T = A^{0->T}(w, m)
        yield Ticket(level, w, w_t)
        if level == len(densities) or w_t.diverged is not None:
            return
        w_t.check()
        m = next_mask(w_t.model, data, pruning, densities[level], within=m, pruning_seed=seeds.pruning)  # 5: prune
        w = replayed(w_t, m, training)  # 6: w = w_T


def _trained(subnetwork: TrainState, data: Dataset, training: TrainSettings, seeds: Seeds) -> TrainState:
    """The subnetwork at the end of training; itself it stays as it is."""
    return judged(train(subnetwork.fork(), data, training, until=training.epochs, order_seed=seeds.order))


def _levels(
    state: TrainState, pruning: MaskSettings, levels: int | None, rate: float, densities: Sequence[float]
) -> tuple[float, ...]:
    """The density of each level, once it is seen that there can be such levels."""
    if (levels is None) == (not densities):
        raise PruningError("levels: give either levels=, each of which drops a share rate=, or the densities= of them")
    what.check_score(pruning.score, "pruning")
    check_nested(pruning)
    wanted = tuple(densities) if levels is None else imp_densities(levels, rate)
    kept_by_level(prunable(state.model, pruning.exclude), wanted, pruning.scope)
    return wanted
