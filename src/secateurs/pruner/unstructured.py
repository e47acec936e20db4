"""From scores to what is left of the network: single weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from secateurs.core import PruningError, Scores, Spec, Task, did_you_mean, generator_for, prunable
from secateurs.how import Mask, exponential, keep_in_steps, keep_top
from secateurs.pruner.costs import Costs, costs_of
from secateurs.pruner.largest import largest, smallest
from secateurs.pruner.masked import Masked
from secateurs.pruner.outcome import Scene, What
from secateurs.pruner.targets import Flops, Latency, Target
from secateurs.pruner.wrappers import laid_on, plain
from secateurs.what import WITHOUT_EXAMPLES, check_score, score

Scored = Callable[[Mask | None], Scores]
"""The scores of the network under a mask; None: of the dense one."""

_A_TENTH = 0.1


@dataclass(frozen=True)
class Unstructured:
    """Single weights, by a mask: a share of the prunable ones is left, and the others stay at zero.

    Args:
        density: share of prunable weights that is kept, in (0, 1]; 0.1, unless there is a target.
        target: what the network may cost, in place of the density: ``Size(mebibytes=...)`` or
            ``Flops(share=...)``. The mask is the largest that meets it, given the scores.
        scope: where scores compete, as in :func:`~secateurs.how.keep_top`.
        steps: 1 prunes at once. More score what is left anew, with densities ``density^(k/steps)``
            (P2's iterative SNIP; SynFlow needs 100 to keep its layers alive). All at one moment. With a
            target, the density is what the first scores give for it, and the last step meets it exactly.
        exclude: names of parameters or modules that stay dense.

    Raises:
        PruningError: when the density, scope or number of steps is out of its range, or the target is none of a mask.

    >>> from secateurs.pruner.costs import Cost
    >>> none = Costs(Cost(0, 0, {}), None)
    >>> Unstructured(0.5).choose(lambda mask: {"weight": torch.tensor([3.0, 1.0, 2.0, 4.0])}, none)["weight"].tolist()
    [True, False, False, True]
    """

    density: float | None = None
    scope: str | Mapping[str, float] = field(default="global", hash=False)
    steps: int = 1
    exclude: tuple[str, ...] = ()
    target: Target | None = None

    default_score: ClassVar[str] = "magnitude"
    cuts: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if isinstance(self.target, Latency):
            raise PruningError(
                "how: a mask alone saves no time, so no density reaches a latency: dense kernels multiply the zeros as "
                "well; removing channels is what saves time; for a mask give Size(mebibytes=...) or Flops(share=...)"
            )
        if self.target is not None and not isinstance(self.target, Target):
            raise PruningError(
                f"how.target: expected Size(mebibytes=...) or Flops(share=...), got {type(self.target).__name__}"
            )
        if self.target is not None and self.density is not None:
            raise PruningError(f"how: give a density or a target, not both: got {self.density!r} and {self.target}")
        if self.target is not None and not isinstance(self.scope, str):
            raise PruningError("how: scope gives each layer's density, so there is none to find for a target")
        if self.target is None and self.density is None:
            object.__setattr__(self, "density", _A_TENTH)
        some = _A_TENTH if self.density is None else self.density
        exponential(some, self.steps)  # raises where it says nothing
        if isinstance(self.scope, str):
            keep_top({"weight": torch.zeros(1)}, some, scope=self.scope)

    @property
    def reads_examples(self) -> bool:
        """Multiply-adds are measured with one."""
        return self.target is not None and self.target.reads_examples

    def names(self, model: nn.Module) -> list[str]:
        """The weights of Linear and Conv layers that are neither frozen nor excluded.

        Raises:
            PruningError: when there are none, or ``scope`` gives a density to others.
        """
        names = list(prunable(model, self.exclude))
        if not isinstance(self.scope, str):
            for name in {*names} ^ {*self.scope}:
                where = "the model's prunable weights" if name in names else "scope"
                raise PruningError(f"how.scope: {name!r} is only in {where}{did_you_mean(name, names)}")
        return names

    def check(self, model: nn.Module) -> None:
        """See that there is something to prune, and that the target, as far as it is known without examples, fits.

        Raises:
            PruningError: when there is not, the target cannot be reached, or the dense network meets it.
        """
        names = self.names(model)
        if self.target is not None:
            self.target.check(costs_of(model, names))

    def needs_data(self, what: What) -> bool:
        """Whether the score looks at examples."""
        spec = Spec(what) if isinstance(what, str) else what
        if not isinstance(spec, Spec):
            return True
        check_score(spec, "what")
        return spec.name not in WITHOUT_EXAMPLES

    def rehearse(self, scene: Scene) -> None:
        """See whether some scores reach the share of the multiply-adds, which are known with an example only.

        Raises:
            PruningError: when none do.
        """
        if not isinstance(self.target, Flops) or not isinstance(self.scope, str) or scene.times is None:
            return
        costs = costs_of(scene.model, self.names(scene.model), scene.times)
        each = self.target.cost(costs).each
        cheapest = min(each, key=lambda name: each[name])
        own = {plain(name): p for name, p in scene.model.named_parameters(remove_duplicate=False)}
        best = {name: torch.full(own[name].shape, float(name == cheapest)) for name in each}
        smallest(best, self.target, costs, scope=self.scope)

    def find(self, scene: Scene) -> Masked:
        """The best weights, by plain names; the scores are those of all ranks."""
        model, names, generator = scene.model, self.names(scene.model), generator_for("pruning", scene.seed)

        def scored(mask: Mask | None) -> Scores:
            within = None if mask is None else laid_on(model, mask)
            what: Any = scene.what
            found = score(what, model, scene.task, scene.batches, names=names, mask=within, generator=generator)
            return {plain(name): each for name, each in scene.ranks.mean_scores(found).items()}

        mask = self.choose(scored, costs_of(model, names, scene.times))
        return Masked(scene.ranks.share(mask), scene.times)

    def restore(self, tensors: Mapping[str, Tensor], meta: Mapping[str, Any], model: nn.Module, task: Task) -> Masked:  # noqa: ARG002
        """What a state holds."""
        return Masked.from_state(tensors, meta)

    def choose(self, scored: Scored, costs: Costs) -> Mask:
        """The mask of the best weights; several steps score what is left of the one before."""
        if self.target is None or not isinstance(self.scope, str):
            density = _A_TENTH if self.density is None else self.density
            return keep_in_steps(scored, exponential(density, self.steps), scope=self.scope)
        mask = largest(scored(None), self.target, costs, scope=self.scope)
        if self.steps == 1:
            return mask
        before = keep_in_steps(scored, exponential(mask.density, self.steps)[:-1], scope=self.scope)
        return largest(scored(before), self.target, costs, scope=self.scope, within=before)
