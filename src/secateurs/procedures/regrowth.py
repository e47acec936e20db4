"""Dynamic sparsity: sparse from the start, with a mask that moves as the network is trained (RigL, SET).

Evci et al. (2020), to whom P2 section 6.2.2 points; SET: Mocanu et al. (2018), with RigL's layer densities and
fractions, as Evci et al. compare it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from pydantic import Field, field_validator
from torch import Tensor

from secateurs.core import (
    Moment,
    Observer,
    PruningError,
    SecateursError,
    Spec,
    TrainingError,
    TrainState,
    all_finite,
    prunable,
)
from secateurs.how import Mask, exchange, layer_counts, survivors
from secateurs.procedures.growth import dense_gradient, laid_on, random_growth
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.procedures.soundness import judged
from secateurs.train import Settings, TrainSettings, train
from secateurs.train.frozen import MomentText
from secateurs.zoo import Dataset


class RegrowthSettings(Settings):
    """How a mask moves.

    Attributes:
        density: kept / total over prunable weights, from the first step to the last.
        layers: how many weights each layer keeps: ``"erk"`` (Erdos-Renyi-kernel densities) or ``"uniform"``.
        grow: by what weights are grown: the magnitude of their ``"gradient"`` on one minibatch (RigL), or at
            ``"random"`` (SET).
        every: from one update of the mask to the next. The first comes so long after the start.
        until: the share of the run after which the mask stays: T_end = until T.
        fraction: alpha. At step t the share alpha/2 (1 + cos(pi t / T_end)) of each layer's weights is exchanged.
        exclude: names of modules or parameters that stay dense.
    """

    refusal: ClassVar[type[SecateursError]] = PruningError

    density: float = Field(0.1, gt=0, le=1)
    layers: Literal["erk", "uniform"] = "erk"
    grow: Literal["gradient", "random"] = "gradient"
    every: MomentText = "100it"
    until: float = Field(0.75, gt=0, le=1)
    fraction: float = Field(0.3, gt=0, le=1)
    exclude: tuple[str, ...] = ()

    @field_validator("every")
    @classmethod
    def _trained_between(cls, every: int | str) -> int | str:
        if Moment.parse(every, 1).steps == 0:
            raise ValueError("updates need some training between them: say 100it, or 1ep")
        return every

    def last(self, epochs: int, steps_per_epoch: int) -> Moment:
        """T_end: from there on the mask stays."""
        return Moment(survivors(self.until, epochs * steps_per_epoch), steps_per_epoch)

    def updates(self, epochs: int, steps_per_epoch: int) -> dict[Moment, float]:
        """When the mask moves in a run of so many epochs, and the share of each layer's weights that is exchanged.

        >>> found = RegrowthSettings(every=1, fraction=0.4).updates(4, 10)
        >>> {str(moment): round(share, 6) for moment, share in found.items()}
        {'1ep': 0.3, '2ep': 0.1}
        """
        between = Moment.parse(self.every, steps_per_epoch).steps
        end = self.last(epochs, steps_per_epoch).steps
        return {
            Moment(step, steps_per_epoch): self.fraction / 2 * (1 + math.cos(math.pi * step / end))
            for step in range(between, end, between)
        }

    def never_moves(self, epochs: int, steps_per_epoch: int) -> str:
        """Why the mask would never move in a run of so many epochs, and what helps; empty where it would.

        >>> RegrowthSettings(every="9it").never_moves(2, 5)
        'every: the mask is to stay from 1ep3it on, and would never have moved: say less than 9it, or a later until'
        """
        if self.updates(epochs, steps_per_epoch):
            return ""
        last = self.last(epochs, steps_per_epoch)
        return (
            f"every: the mask is to stay from {last} on, and would never have moved: say less than {self.every}, or a "
            "later until"
        )

    def leaves_empty(self, weights: Mapping[str, Tensor]) -> str:
        """Which layers would have no weights at all, for ever, and what helps; empty where every layer has some.

        Args:
            weights: what can be pruned, as :func:`~secateurs.core.prunable` has it; only shapes are looked at.

        >>> import torch
        >>> RegrowthSettings(density=0.01, layers="uniform").leaves_empty({"a": torch.empty(99), "b": torch.empty(9)})
        'density 0.01 leaves b empty, and layers keep their counts: ask for a higher density, or exclude these layers'
        """
        empty = [name for name, count in layer_counts(weights, self.density, self._scope).items() if not count]
        if not empty:
            return ""
        return (
            f"density {self.density:g} leaves {', '.join(empty)} empty, and layers keep their counts: ask for a higher "
            "density, or exclude these layers"
        )

    @property
    def first(self) -> MaskSettings:
        """How the first mask is found: at random within each layer."""
        return MaskSettings(score=Spec("random"), scope=self._scope, density=self.density, exclude=self.exclude)

    @property
    def _scope(self) -> Literal["erk", "layer"]:
        return "erk" if self.layers == "erk" else "layer"


@dataclass(frozen=True)
class Regrown:
    """What an update did to the mask: by how much of each layer's weights, and from which mask to which."""

    moment: Moment
    fraction: float
    before: Mask
    after: Mask

    @property
    def grown(self) -> int:
        """How many weights are kept that were not before."""
        return self.after.kept - (self.before & self.after).kept


def regrowth(
    state: TrainState,
    data: Dataset,
    settings: RegrowthSettings,
    training: TrainSettings,
    *,
    until: str | int | Moment | None = None,
    order_seed: int = 0,
    pruning_seed: int = 0,
    observers: Sequence[Observer] = (),
    told: Callable[[Regrown], None] = lambda _: None,
) -> TrainState:
    """Train a network that is sparse throughout, moving its mask on the way; consumes ``state``.

    A dense state at step 0 gets its first mask; a masked one goes on, so that segments joined end to end give the bits
    of one long one. The budget, the order of the data and the learning rate are those of dense training. A run that
    diverges is a result, as of :func:`~secateurs.train.train`; what the last step before an update or before
    ``until`` broke has diverged, too.

    Args:
        until: where to stop; the run's end when it is left out. An update that is due there comes with what follows.
        told: is given each update.

    Raises:
        PruningError: at once, when a dense state is not at step 0, there is nothing to prune, a layer would be left
            without weights, or the mask would never move.
        TrainingError: at once, when ``until`` lies before the state or after the run's end; else as
            :func:`~secateurs.train.train`.
    """
    state.check()
    per_epoch = state.moment.steps_per_epoch
    end = Moment.parse(training.epochs if until is None else until, per_epoch)
    if end < state.moment or end.steps > training.epochs * per_epoch:
        raise TrainingError(
            f"until: {end} is not between the state, which stands at {state.moment}, and the end of {training.epochs} "
            "epochs: stop at a moment between them"
        )
    if fault := settings.never_moves(training.epochs, per_epoch):
        raise PruningError(fault)
    updates = settings.updates(training.epochs, per_epoch)
    if state.mask is None:
        state = sparse_from_the_start(state, data, settings, pruning_seed=pruning_seed)
    while state.moment < end and state.diverged is None:
        if state.moment in updates:
            state, done = regrow(
                state, data, settings, training, updates[state.moment], order_seed=order_seed, pruning_seed=pruning_seed
            )
            if state.diverged is not None:
                break
            told(done)
        then = min([end, *(moment for moment in updates if state.moment < moment)])
        state = train(state, data, training, until=then, order_seed=order_seed, observers=observers)
    return judged(state)


def sparse_from_the_start(
    state: TrainState, data: Dataset, settings: RegrowthSettings, *, pruning_seed: int = 0
) -> TrainState:
    """The untrained network under a random mask with the layer densities of the settings; consumes ``state``.

    Raises:
        PruningError: when the state is pruned or trained already, there is nothing to prune, or a layer would be left
            without weights, where nothing would ever be grown.
    """
    state.check()
    if state.mask is not None or state.channels is not None or state.moment.steps:
        raise PruningError(f"the state at {state.moment} is not that of a new dense network: begin() one")
    if fault := settings.leaves_empty(prunable(state.model, settings.exclude)):
        raise PruningError(fault)
    return laid_on(state, find_mask(state.model, data, settings.first, pruning_seed=pruning_seed))


def regrow(
    state: TrainState,
    data: Dataset,
    settings: RegrowthSettings,
    training: TrainSettings,
    fraction: float,
    *,
    order_seed: int = 0,
    pruning_seed: int = 0,
) -> tuple[TrainState, Regrown]:
    """One update of the mask at ``state.moment``; consumes ``state``, unless it has diverged.

    In each layer the ``fraction`` of lowest magnitude goes, and as many come: those whose gradient is largest on the
    minibatch that the next step takes, or any at random. Weights that were not kept before start at 0, with their
    momentum or moments; a weight that is dropped and grown at once is left as it is (as in Evci et al.'s code). No
    step of training is given up for it. The state does not remember its updates: whoever calls this twice at one
    moment moves the mask twice, so it is the caller who knows which are due (:meth:`RegrowthSettings.updates`).

    Returns:
        The state under its new mask, and what was done. Where the network or that gradient is not finite, the state
        as it was, diverged at its moment; one that diverged before is given back itself. The mask has not moved then.

    Raises:
        PruningError: when the state has no mask.
        TrainingError: when it was consumed before.
    """
    state.check()
    if state.mask is None:
        raise PruningError(f"the state at {state.moment} has no mask to be moved: begin with sparse_from_the_start()")
    before = Mask(state.mask)
    state, stays = judged(state), Regrown(state.moment, fraction, before, before)
    if state.diverged is not None:
        return state, stays
    if settings.grow == "random":
        growth = random_growth(before, pruning_seed, state.moment)
    else:
        growth = dense_gradient(state, data, training, order_seed=order_seed)
        if not all(map(all_finite, growth.values())):
            return state.take(diverged=state.moment), stays
    weights = dict(state.model.named_parameters(remove_duplicate=False))
    after = exchange(before, {name: weights[name].detach().abs() for name in before}, growth, fraction)
    return laid_on(state, after), Regrown(state.moment, fraction, before, after)
