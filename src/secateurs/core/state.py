"""The training state: everything that training goes on from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core.errors import TrainingError
from secateurs.core.groups import Keep
from secateurs.core.moment import Moment


@dataclass
class TrainState:
    """Everything that training goes on from. ``train`` and ``prune`` consume it; ``fork`` copies it.

    ``schedule_start`` and ``max_lr`` anchor the learning-rate schedule: at the start of the run
    they are step 0 and the recipe's rate, after pruning the moment of pruning and
    ``max(Lambda, LR(t))`` (P0 section 3). ``mask`` (name -> bool, True = kept) is enforced by
    whoever trains. ``channels`` says which units of the dense network are left of a model that was cut: it
    carries the groups of the dense network, all of them, and ``model`` is as small as it says. A state has a
    mask or channels, not both. ``diverged`` is the moment after which the loss was no longer finite;
    ``scaler`` the state of float16's loss scale, in JSON's terms.
    """

    model: nn.Module
    optimizer: Optimizer
    moment: Moment
    schedule_start: Moment
    max_lr: float
    mask: Mapping[str, Tensor] | None = None
    channels: Keep | None = None
    diverged: Moment | None = None
    scaler: Mapping[str, Any] | None = None
    consumed: bool = False

    def fork(self) -> TrainState:
        """An independent copy: other tensors, same values, same moment.

        Raises:
            TrainingError: when the state was consumed.
        """
        model, optimizer = copy.deepcopy((self.model, self.optimizer))
        return self._with(consume=False, model=model, optimizer=optimizer)

    def take(self, **changes: Any) -> Self:
        """Consume this state and return its successor with ``changes``.

        Raises:
            TrainingError: when the state was consumed before.
        """
        return self._with(consume=True, **changes)

    def check(self) -> None:
        """See that this state may be used.

        Raises:
            TrainingError: when it was consumed.
        """
        if self.consumed:
            raise TrainingError(
                "this training state was already consumed by train() or prune(): use the state they "
                "returned, or fork() before"
            )

    def _with(self, *, consume: bool, **changes: Any) -> Self:
        self.check()
        successor = copy.copy(self)
        for name, value in changes.items():
            setattr(successor, name, value)
        self.consumed = consume
        return successor


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that are filed under ``prefix``, ``"prefix/name"``, by their names there.

    >>> under("state", {"state/a": 1, "state/b/c": 2, "watch/a": 3, "states/a": 4})
    {'a': 1, 'b/c': 2}
    """
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
