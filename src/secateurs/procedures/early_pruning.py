"""Early pruning (P0): train t epochs, prune once, train the remaining T - t within the original budget."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from torch import nn

from secateurs.core import Moment, Observer, PruningError, Spec, TrainState, generator_for, prunable
from secateurs.how import Mask, apply, keep_top
from secateurs.train import Seeds, Settings, TrainSettings, begin, train
from secateurs.what import score
from secateurs.zoo import Dataset

_ALL_ZERO = Seeds()


class PruneSettings(Settings):
    """What goes, and how much of it.

    ``density`` is kept / total over prunable weights; ``examples_per_class`` training examples
    serve scores that need data; ``min_lr`` is P0's Lambda; ``exclude`` names modules or
    parameters left alone; ``fresh_optimizer`` drops momentum instead of carrying it over.
    """

    density: float = Field(0.1, gt=0, le=1)
    scope: Literal["global", "layer", "erk"] = "global"
    score: Annotated[Spec, BeforeValidator(lambda name: Spec(name) if isinstance(name, str) else name)] = Spec(
        "magnitude"
    )
    examples_per_class: int = Field(10, gt=0)
    exclude: tuple[str, ...] = ()
    min_lr: float = Field(0.001, ge=0)
    fresh_optimizer: bool = False


def prune(
    state: TrainState, data: Dataset, settings: PruneSettings, training: TrainSettings, *, pruning_seed: int = 0
) -> TrainState:
    """Prune once at ``state.moment``; consumes ``state``.

    Scores see training examples only. Momentum survives, zeroed where pruned (enforced from the
    next step on). The learning rate restarts at max(Lambda, LR(t)) (P0 section 3).

    Raises:
        PruningError: when the state is pruned already, or the score cannot be computed.
        TrainingError: when the state was consumed before.
    """
    if state.mask is not None:
        raise PruningError(f"the state at {state.moment} is pruned already: prune a dense state or fork one")
    generator = generator_for("pruning", pruning_seed)
    scores = score(
        settings.score,
        state.model,
        data.task,
        data.train.balanced(settings.examples_per_class, generator),
        names=list(prunable(state.model, settings.exclude)),
        generator=generator,
    )
    mask = keep_top(scores, settings.density, scope=settings.scope)
    rate = max(settings.min_lr, training.highest_lr_from(state.moment, state.schedule_start, state.max_lr))
    optimizer = training.optimizer.build(state.model, rate) if settings.fresh_optimizer else state.optimizer
    pruned = state.take(mask=mask, schedule_start=state.moment, max_lr=rate, optimizer=optimizer)
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
    """The whole procedure in one process: P0's Prune(theta_{0->t}, r)_{t->T}.

    A run that diverges is a result: its state says when. Before t, it is left unpruned.

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
    state = prune(state, data, pruning, training, pruning_seed=seeds.pruning)
    return train(state, data, training, until=training.epochs, order_seed=seeds.order, observers=observers)


def mask_facts(mask: Mask, model: nn.Module) -> dict[str, Any]:
    """What to report of a mask: density over prunable weights and over all parameters, by layer, and empty layers."""
    every = sum(p.numel() for p in model.parameters())
    return {
        "density": mask.density,
        "density_of_all_parameters": (every - mask.total + mask.kept) / every,
        "layer_densities": mask.layer_densities(),
        "empty_layers": list(mask.empty_layers()),
    }
