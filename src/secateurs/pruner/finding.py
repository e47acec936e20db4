"""The mask that pruning now would give, and whether the guard lets it pass."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from secateurs.core import Batch, ScoreFn, Scores, Spec, Task
from secateurs.how import Mask, apply
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

    def mask(self, model: nn.Module, batches: Sequence[Batch], generator: torch.Generator) -> Mask:
        """The mask by the parameters' plain names, the same on all ranks; the model is left untouched."""
        names = self.how.names(model)

        def scored(mask: Mask | None) -> Scores:
            within = None if mask is None else laid_on(model, mask)
            found = score(self.what, model, self.task, batches, names=names, mask=within, generator=generator)
            return {plain(name): each for name, each in self.ranks.mean_scores(found).items()}

        return self.ranks.share(self.how.find(scored))

    def passes(self, guard: Guard | None, model: nn.Module, mask: Mask) -> bool:
        """Whether the guards of all ranks agree with a pruned copy."""
        if guard is None:
            return True
        rehearsed = copy.deepcopy(model)
        apply(rehearsed, laid_on(rehearsed, mask))
        return self.ranks.all_agree(bool(guard(rehearsed)))
