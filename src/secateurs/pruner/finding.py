"""The mask that pruning now would give, and whether the guard lets it pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import nn

from secateurs.core import Batch, PruningError, ScoreFn, Scores, Spec, Task, generator_for
from secateurs.how import Mask, apply
from secateurs.pruner.costs import costs_of, multiply_adds
from secateurs.pruner.ranks import Ranks
from secateurs.pruner.unstructured import How
from secateurs.pruner.wrappers import laid_on, plain
from secateurs.what import score

Guard = Callable[[nn.Module], bool]


@dataclass(frozen=True)
class Finding:
    """How a mask is found: what is scored and how much of it stays."""

    what: str | Spec | ScoreFn
    how: How
    task: Task
    ranks: Ranks
    seed: int
    needs_data: bool

    def mask(self, model: nn.Module, batches: Sequence[Batch]) -> tuple[Mask, dict[str, int] | None]:
        """The mask by the parameters' plain names, the same on all ranks; the model is left untouched.

        Beside it, where there are examples, in how many multiply-adds each weight takes part.

        Raises:
            PruningError: when the score needs examples and there are none.
        """
        if self.needs_data and not batches:
            raise PruningError("the score needs examples, and none was seen yet: step() shows them, or give data=")
        names, generator = self.how.names(model), generator_for("pruning", self.seed)
        times = multiply_adds(model, self.task, batches[0]) if batches else None
        costs = costs_of(model, names, times)

        def scored(mask: Mask | None) -> Scores:
            within = None if mask is None else laid_on(model, mask)
            found = score(self.what, model, self.task, batches, names=names, mask=within, generator=generator)
            return {plain(name): each for name, each in self.ranks.mean_scores(found).items()}

        return self.ranks.share(self.how.find(scored, costs)), times

    def passes(self, guard: Guard | None, model: nn.Module, mask: Mask) -> bool:
        """Whether the guards of all ranks agree with a pruned copy."""
        if guard is None:
            return True
        rehearsed = copy.deepcopy(model)
        apply(rehearsed, laid_on(rehearsed, mask))
        return self.ranks.all_agree(bool(guard(rehearsed)))
