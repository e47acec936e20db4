"""One-shot dynamic IMP (P2 section 6.2.2, Algorithm 5): what the best changes of a sparsity pattern would be."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import nn

from secateurs.core import (
    Moment,
    PruningError,
    Scores,
    SecateursError,
    Spec,
    TrainingError,
    TrainState,
    all_finite,
    derive_seed,
    prunable,
)
from secateurs.how import Mask, best_in_layers, best_overall, keep_top, survivors, union
from secateurs.procedures.ablations import drawn_anew
from secateurs.procedures.growth import dense_gradient, laid_on, random_growth
from secateurs.procedures.masks import MaskSettings, find_mask
from secateurs.procedures.soundness import judged
from secateurs.train import Seeds, Settings, TrainSettings, begin, train
from secateurs.train.frozen import MomentText
from secateurs.zoo import Dataset


class DynamicImpSettings(Settings):
    """When the pattern changes, and how each mask comes about.

    Attributes:
        density: kept / total over prunable weights, in every phase.
        scope: where weights compete, as :func:`~secateurs.how.keep_top` has it.
        switches: the moments n_1 < ... < n_k at which the pattern changes, inside the run.
        first: the first mask is that of one-shot ``"imp"``, of ``"magnitude"`` at initialisation, or ``"random"``.
        grow: which connections later masks have that the mask before had not: those of another ``"imp"``, or in each
            layer as many as that has, by ``"gradient"`` (RigL's criterion, on one minibatch) or at ``"random"``. What
            such a mask takes over from the one before is IMP's choice in any case.
        overlap: at least this share of every later mask was in the mask before (of each layer of it, where layers do
            not compete); None: as it comes.
        reinitialise: grown weights are drawn once more after IMP has chosen them.
        exclude: names of modules or parameters that stay dense.
    """

    refusal: ClassVar[type[SecateursError]] = PruningError

    density: float = Field(0.1, gt=0, le=1)
    scope: Literal["global", "layer", "erk"] = "global"
    switches: tuple[MomentText, ...] = Field(min_length=1)
    first: Literal["imp", "magnitude", "random"] = "imp"
    grow: Literal["imp", "gradient", "random"] = "imp"
    overlap: float | None = Field(None, ge=0, le=1)
    reinitialise: bool = False
    exclude: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _redrawn_after_imp(self) -> Self:
        if self.reinitialise and self.grow != "imp":
            raise ValueError(
                f"reinitialise: what is grown by {self.grow} was not chosen by the values it has, so that others say "
                "nothing: leave it out, or set grow to imp"
            )
        return self

    def phases(self, epochs: int, steps_per_epoch: int) -> tuple[tuple[Moment, Moment], ...]:
        """From where to where each phase is trained.

        Raises:
            TrainingError: when the switches do not rise, or one is not inside the run.

        >>> phases = DynamicImpSettings(switches=[1, "25it"]).phases(3, 10)
        >>> [(str(start), str(end)) for start, end in phases]
        [('0ep', '1ep'), ('1ep', '2ep5it'), ('2ep5it', '3ep')]
        """
        inner = [Moment.parse(text, steps_per_epoch) for text in self.switches]
        ends = [Moment(0, steps_per_epoch), *inner, Moment(epochs * steps_per_epoch, steps_per_epoch)]
        phases = tuple(pairwise(ends))
        for place, (start, end) in enumerate(phases):
            if start >= end:
                fault = f"{end} does not come after {start}"
                if place == len(inner):
                    fault = f"{start} leaves nothing of the run of {epochs} epochs"
                raise TrainingError(f"switches: {fault}: say moments inside the run, each after the one before")
        return phases

    def beginning(self, score: str) -> MaskSettings:
        """How a mask by ``score`` is found at once."""
        return MaskSettings(score=Spec(score), scope=self.scope, density=self.density, exclude=self.exclude)


class DynamicImp(NamedTuple):
    """What came of it: the end of the last phase, and the mask of each."""

    state: TrainState
    masks: tuple[Mask, ...]


def dynamic_imp(
    model: Spec,
    data: Dataset,
    settings: DynamicImpSettings,
    training: TrainSettings,
    *,
    seeds: Seeds,
    device: torch.device | str = "cpu",
) -> DynamicImp:
    """Algorithm 5: in each phase train densely, prune in one shot, go back, train sparsely; then grow all that is gone.

    As printed, the algorithm prunes in every phase the weights of one dense training; as its text says, each phase is
    trained densely from where it begins. Every phase has the data in the order, and at the rates, of dense
    training at those steps. Momentum of what is kept goes on; what is grown has none.

    Returns:
        The state as far as it came, and the masks of the phases that were begun, where training diverged. What the
        last step of a phase breaks has diverged, too.

    Raises:
        PruningError: at once, when there is nothing to prune, or no part of an excluded name.
        TrainingError: at once, when a switch lies outside the run.
    """
    state, masks = begin(model, data, training, init_seed=seeds.init, device=device), list[Mask]()
    prunable(state.model, settings.exclude)
    for _, until in settings.phases(training.epochs, state.moment.steps_per_epoch):
        before = state
        start = all_grown(before.fork(), data, training, model, seeds.pruning) if masks else before.fork()
        if masks or settings.first == "imp":
            dense = judged(train(start.fork(), data, training, until=until, order_seed=seeds.order))
            if dense.diverged is not None:
                return DynamicImp(dense, tuple(masks))
            mask = phase_mask(dense.model, before, data, settings, training, seeds)
            if mask is None:
                return DynamicImp(before.take(diverged=before.moment), tuple(masks))
        else:
            mask = find_mask(start.model, data, settings.beginning(settings.first), pruning_seed=seeds.pruning)
        if masks and settings.reinitialise:
            start = all_grown(before, data, training, model, seeds.pruning, again=True)
        masks.append(mask)
        state = judged(train(laid_on(start, mask), data, training, until=until, order_seed=seeds.order))
        if state.diverged is not None:
            break
    return DynamicImp(state, tuple(masks))


def all_grown(
    state: TrainState, data: Dataset, training: TrainSettings, model: Spec, pruning_seed: int, *, again: bool = False
) -> TrainState:
    """Line 8: a dense network, the weights that the mask drops drawn from the initialisation; consumes ``state``.

    What was kept is as it was, momentum too; what is grown has none.

    Args:
        model: what the network was built from.
        again: another draw than without.

    Raises:
        PruningError: when the state has no mask, or ``model`` is another network.
    """
    state.check()
    if state.mask is None:
        raise PruningError(f"the state at {state.moment} has no mask: there is nothing to be grown")
    seed = derive_seed("regrown again" if again else "regrown", pruning_seed, state.moment.steps)
    fresh = drawn_anew(state, data, training, model, seed, asked_by="dynamic_imp").model
    values = dict(fresh.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for name, parameter in state.model.named_parameters(remove_duplicate=False):
            if name in state.mask:
                kept = state.mask[name].to(parameter.device)
                parameter.copy_(torch.where(kept, parameter, values[name]))
    return state.take(mask=None)


def phase_mask(
    dense: nn.Module,
    before: TrainState,
    data: Dataset,
    settings: DynamicImpSettings,
    training: TrainSettings,
    seeds: Seeds,
) -> Mask | None:
    """Lines 5 and 6: the mask of a phase, by the weights that its ``dense`` training ended with; they are left as is.

    None: ``before`` has diverged, as its gradient shows, which is not finite.

    Args:
        before: what the phase began with, before anything was grown: under the mask of the phase before, in the first
            phase without a mask.

    Raises:
        PruningError: when there is nothing to prune, or the ``dense`` weights are not finite: look for that first.
    """
    magnitudes = {name: weight.detach().abs() for name, weight in prunable(dense, settings.exclude).items()}
    if before.mask is None:
        return keep_top(magnitudes, settings.density, scope=settings.scope)
    earlier = Mask(before.mask)
    mask = _overlapping(magnitudes, settings, earlier)
    if settings.grow == "imp":
        return mask
    if settings.grow == "random":
        growth = random_growth(earlier, seeds.pruning, before.moment)
    else:
        growth = dense_gradient(before, data, training, order_seed=seeds.order)
        if not all(map(all_finite, growth.values())):
            return None
    stay = mask & earlier
    counts = {name: int(mask[name].sum()) - int(stay[name].sum()) for name in mask}
    return union(stay, best_in_layers(growth, counts, _others(earlier)))


def _overlapping(magnitudes: Scores, settings: DynamicImpSettings, earlier: Mask) -> Mask:
    """The highest magnitudes, of which a share at least must be among those of the ``earlier`` mask."""
    mask = keep_top(magnitudes, settings.density, scope=settings.scope)
    if not settings.overlap:
        return mask
    if settings.scope == "global":
        count = survivors(settings.overlap, mask.kept)
        forced = best_overall(magnitudes, count, earlier)
        return union(forced, best_overall(magnitudes, mask.kept - count, _others(forced)))
    sizes = {name: int(kept.sum()) for name, kept in mask.items()}
    counts = {name: survivors(settings.overlap, size) for name, size in sizes.items()}
    forced = best_in_layers(magnitudes, counts, earlier)
    left = {name: sizes[name] - counts[name] for name in sizes}
    return union(forced, best_in_layers(magnitudes, left, _others(forced)))


def _others(mask: Mask) -> Mask:
    return Mask({name: ~kept for name, kept in mask.items()})
