"""What pruning now would leave, and whether the guard lets it pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import PruningError, Task
from secateurs.pruner.checks import check_movable
from secateurs.pruner.costs import multiply_adds
from secateurs.pruner.measuring import Measuring
from secateurs.pruner.outcome import How, Outcome, Scene, What
from secateurs.pruner.ranks import Ranks
from secateurs.pruner.renewing import check_same, check_state
from secateurs.pruner.targets import Flops
from secateurs.pruner.wrappers import undisturbed

Guard = Callable[[nn.Module], bool]


@dataclass(frozen=True)
class Finding:
    """How it is found: what is scored and how much of it stays."""

    what: What
    how: How
    task: Task
    ranks: Ranks
    seed: int
    per_class: int

    @property
    def needs_data(self) -> bool:
        """Whether the score sees examples."""
        return self.how.needs_data(self.what)

    def rehearse(self, model: nn.Module, optimizer: Optimizer, measuring: Measuring) -> None:
        """Refuse after an epoch what would fail at the moment of pruning.

        Raises:
            PruningError: when the model cannot be pruned so, or the optimiser not go on.
        """
        if self.how.cuts:
            check_movable(model, optimizer)
        self.how.rehearse(self._scene(model, measuring))

    def check_target(self, model: nn.Module, measuring: Measuring) -> None:
        """Refuse before training a share of the multiply-adds that cannot be reached, where examples are given.

        Raises:
            PruningError: when it cannot.
        """
        if isinstance(getattr(self.how, "target", None), Flops):
            with undisturbed(model):
                self.how.rehearse(self._scene(model, measuring))

    def outcome(self, model: nn.Module, measuring: Measuring) -> Outcome:
        """What is left, the same on all ranks; the model is left untouched.

        Raises:
            PruningError: when the score needs examples and there are none.
        """
        scene = self._scene(model, measuring)
        if self.needs_data and not scene.batches:
            raise PruningError("the score needs examples, and none was seen yet: step() shows them, or give data=")
        return self.how.find(scene)

    def passes(self, guard: Guard | None, model: nn.Module, outcome: Outcome) -> bool:
        """Whether the guards of all ranks agree with a pruned copy."""
        return guard is None or self.ranks.all_agree(bool(guard(outcome.pruned_copy(model))))

    def restored(
        self,
        now: Outcome | None,
        model: nn.Module,
        optimizer: Optimizer,
        tensors: Mapping[str, Tensor],
        meta: Mapping[str, Any],
    ) -> Outcome | None:
        """What a pruner's state says is left; None: it was not pruned. ``now`` is what is left here already.

        Raises:
            PruningError: when it does not fit the model, channels that it needs are gone, or the order is wrong.
        """
        if self.how.cuts and now is not None:
            check_same(now, tensors)
            return now
        if meta["outcome"] is None:
            return None
        if self.how.cuts:
            check_state(optimizer)
        return self.how.restore(tensors, meta["outcome"], model, self.task)

    def _scene(self, model: nn.Module, measuring: Measuring) -> Scene:
        batches = measuring.to_score(self.per_class)
        times = multiply_adds(model, self.task, batches[0]) if batches else None
        return Scene(model, self.task, self.what, batches, measuring.usual, times, self.ranks, self.seed)
