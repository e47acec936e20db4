"""What the callbacks share: a pruner that is built when training begins, told of epochs once each, and stored."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol, cast, runtime_checkable

from torch import Tensor, nn
from torch.optim import Optimizer

from secateurs.core import Batch, Examples, PruningError, SignalError, Task, did_you_mean
from secateurs.pruner import EarlyPruner, PruneEvent
from secateurs.pruner.wrappers import bare

_GIVEN = frozenset({"self", "model", "optimizer", "task", "epochs"})
_KNOWN = frozenset(inspect.signature(EarlyPruner.__init__).parameters) - _GIVEN

log = logging.getLogger("secateurs")


@runtime_checkable
class Pairs(Protocol):
    """A task that makes a batch of a loader's dictionary of tensors."""

    def pair(self, batch: Mapping[str, Any]) -> Batch: ...


class InTrainer:
    """A pruner inside somebody else's trainer.

    Args:
        task: as EarlyPruner's; with a method ``pair``, batches may be dictionaries.
        options: EarlyPruner's other keywords.
        unseen: what to do where a signal needs outputs and none is seen.

    Attributes:
        pruner: None until training begins.
        ended: epochs that it was told of, as the trainer counts them.

    Raises:
        PruningError: when an option does not exist, or the trainer gives it.
    """

    def __init__(self, task: Task, options: Mapping[str, Any], unseen: str) -> None:
        for name in options:
            if name not in _KNOWN:
                raise PruningError(f"EarlyPruning has no option {name!r}{did_you_mean(name, _KNOWN)}")
        self._task, self._options, self._unseen = task, dict(options), _Unseen(unseen)
        if (data := self._options.get("data")) is not None and not isinstance(data, Examples):
            self._options["data"] = _Pairs(task, data)
        self.pruner: EarlyPruner | None = None
        self._optimizer: Optimizer | None = None
        self.ended = self._before = 0

    def begin(
        self, model: nn.Module, optimizer: Optimizer, epochs: int | None, missing: str, ended: int = 0
    ) -> EarlyPruner:
        """Build the pruner; where the same network was trained before, go on from where that stood.

        Args:
            model: as it is trained, wrapped or not.
            optimizer: torch's own.
            epochs: the length of the run; None: unknown.
            missing: what to do where the default trigger needs it.
            ended: epochs that are over, as the trainer counts them.

        Raises:
            PruningError: when the default trigger lacks the length of the run, and what EarlyPruner raises.
        """
        if epochs is None and self._options.get("when") is None:
            raise PruningError(
                f"EarlyPruning: when=None is a share of the run, whose length is unknown: {missing}, "
                'or say when, e.g. when=At("10ep")'
            )
        old = self.pruner if self.pruner is not None and bare(self.pruner.model) is bare(model) else None
        self._before = 0 if old is None else self._before + self.ended - ended
        self.ended = ended
        if old is not None and (self._optimizer is optimizer or old.keep is not None):
            return old  # a mask is in force on this optimiser; where channels are gone, none is asked any more
        new = EarlyPruner(model, optimizer, self._task, epochs=epochs, **self._options)
        new._progress.clock.sure = True
        if old is not None:
            new.load_state_dict(old.state_dict())
        self.pruner, self._optimizer = new, optimizer
        return new

    @property
    def watching(self) -> bool:
        """Whether batches and outputs are still looked at."""
        return self.pruner is not None and not self.pruner.pruned

    def step(self, batch: object, output: object) -> None:
        """The optimiser has stepped; an ``output`` that is no tensor counts as not seen."""
        if self.pruner is None:
            return
        self.pruner.step(
            _paired(self._task, batch), output if isinstance(output, Tensor) else cast(Tensor, self._unseen)
        )

    def end_epoch(self) -> PruneEvent | None:
        """An epoch is over."""
        if self.pruner is None:
            return None
        self.ended += 1
        event = self.pruner.epoch_end()
        if event is not None:
            log.info("%s", event)
        return event

    def row(self) -> dict[str, float]:
        """What to log of the epoch that ended last: the signals' values, and the density that is left."""
        if self.pruner is None:
            return {}
        told = {"density": self.pruner.savings().density if self.pruner.pruned else 1.0}
        if self.pruner.log and self.pruner.log[-1][0].epoch == self._before + self.ended:
            told |= {n: float(v) for n, v in self.pruner.log[-1][1].items() if isinstance(v, int | float)}
        return {f"pruning/{name}": value for name, value in told.items()}

    def state_dict(self) -> dict[str, Any]:
        """The pruner's ``tensors`` and ``meta``, and how many epochs it was told of; nothing before there is one."""
        return {} if self.pruner is None else {**self.pruner.state_dict(), "ended": self.ended, "before": self._before}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        if self.pruner is not None:
            self.pruner.load_state_dict({name: state[name] for name in ("tensors", "meta")})
            self.ended, self._before = state["ended"], state["before"]


class _Pairs(Iterable[Any]):
    """Batches given to measure on, made pairs where they are dictionaries; may be iterated again."""

    def __init__(self, task: Task, batches: Iterable[Any]) -> None:
        self._task, self._batches = task, batches

    def __iter__(self) -> Iterator[Any]:
        for batch in self._batches:
            yield _paired(self._task, batch)


def _paired(task: Task, batch: object) -> object:
    """A dictionary with labels as the task's pair; anything else as it is, for the pruner to judge."""
    known = isinstance(batch, Mapping) and "labels" in batch
    return task.pair(cast(Mapping[str, Any], batch)) if known and isinstance(task, Pairs) else batch


class _Unseen:
    """Stands for an output that no one showed; only signals that follow the training steps look at it."""

    def __init__(self, remedy: str) -> None:
        self._remedy = remedy

    def detach(self) -> Tensor:
        raise SignalError(
            f"EarlyPruning: a signal follows the outputs of the training steps, and none was seen: {self._remedy}"
        )


def torch_optimizer(optimizer: Optimizer) -> Optimizer:
    """torch's own optimiser inside the trainer's (accelerate's, for instance).

    >>> import torch
    >>> sgd = torch.optim.SGD(nn.Linear(1, 1).parameters())
    >>> torch_optimizer(sgd) is sgd
    True
    """
    while isinstance(inside := getattr(optimizer, "optimizer", None), Optimizer):
        optimizer = inside
    return optimizer
