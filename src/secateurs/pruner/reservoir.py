"""Examples to measure on: a uniform sample of those that the loop has seen, or of data given for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from secateurs.core import Batch, DataError, Examples, PruningError, generator_for
from secateurs.pruner.wrappers import device_of

_PASS = 128  # examples a pass where there are no classes


class Reservoir:
    """A uniform sample without replacement of the examples shown until it is closed (Algorithm R).

    Random numbers are the host's own, and what they choose is copied on the examples' device: no
    step waits for it. It is a set of examples itself (``core.Examples``), in a fixed random order.

    Args:
        capacity: examples that are kept.
        seed: of the sample and of its order.
        model: where the examples are needed.
    """

    def __init__(self, capacity: int, seed: int, model: nn.Module) -> None:
        self._capacity, self._seed, self._model = capacity, seed, model
        self._generator = generator_for("reservoir", seed)
        self._inputs: Tensor | None = None
        self._targets: Tensor | None = None
        self._seen = 0
        self.open = True

    def __len__(self) -> int:
        return min(self._seen, self._capacity)

    @torch.no_grad()
    def add(self, batch: object) -> None:
        """Show it a batch.

        Raises:
            PruningError: when the batch is no pair of tensors, or its examples have another shape than those before.
        """
        inputs, targets = self._checked(batch)
        if self._inputs is None or self._targets is None:
            self._inputs = inputs.new_empty(self._capacity, *inputs.shape[1:])
            self._targets = targets.new_empty(self._capacity, *targets.shape[1:])
        first, count = self._seen, len(inputs)
        filling = min(count, max(0, self._capacity - first))
        self._seen += count
        if filling:
            self._inputs[first : first + filling].copy_(inputs[:filling])
            self._targets[first : first + filling].copy_(targets[:filling])
        if filling == count:
            return
        positions = torch.arange(first + filling, first + count, dtype=torch.float64)
        drawn = torch.rand(len(positions), generator=self._generator, dtype=torch.float64)
        slots = (drawn * (positions + 1)).long().tolist()
        # Of two examples for one slot the later stays.
        chosen = {slot: row for row, slot in enumerate(slots, filling) if slot < self._capacity}
        if chosen:
            for store, source in ((self._inputs, inputs), (self._targets, targets)):
                index = torch.tensor([[*chosen], [*chosen.values()]]).to(source.device, non_blocking=True)
                store.index_copy_(0, index[0], source.index_select(0, index[1]))

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        """The first ``limit`` examples in their order, ``size`` at a time."""
        order = self._order()[:limit]
        for part in order.split(size):
            yield self._at(part)

    def balanced(self, per_class: int) -> tuple[Batch, ...]:
        """One batch of up to ``per_class`` examples of each class; without classes everything, in batches of 128."""
        order = self._order()
        if self._targets is None or self._targets.ndim != 1 or self._targets.is_floating_point():
            return tuple(self.batches(_PASS))
        labels = self._targets.cpu()[order]
        chosen = [(labels == label).nonzero().flatten()[:per_class] for label in labels.unique()]
        return (self._at(order[torch.cat(chosen)]),)

    def repeated(self, size: int) -> Batch:
        """A batch of ``size`` of the examples, which come round again where they are too few."""
        order = self._order()
        return self._at(order[torch.arange(size) % len(order)])

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The sample and where its random numbers stand, as tensors and JSON."""
        tensors = {"generator": self._generator.get_state()}
        if self._inputs is not None and self._targets is not None:
            tensors |= {"inputs": self._inputs[: len(self)], "targets": self._targets[: len(self)]}
        return tensors, {"seen": self._seen, "open": self.open}

    def restore(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        self._generator.set_state(tensors["generator"].cpu())
        self._seen, self.open = meta["seen"], meta["open"]
        self._inputs = self._targets = None
        if "inputs" in tensors:
            self._inputs, self._targets = (self._roomy(tensors[name]) for name in ("inputs", "targets"))

    def _roomy(self, kept: Tensor) -> Tensor:
        store = kept.new_empty(self._capacity, *kept.shape[1:], device=device_of(self._model))
        store[: len(self)] = kept
        return store

    def _order(self) -> Tensor:
        return torch.randperm(len(self), generator=generator_for("reservoir order", self._seed))

    def _at(self, index: Tensor) -> Batch:
        device = device_of(self._model)
        if self._inputs is None or self._targets is None:
            raise PruningError("no example was seen yet")
        here = index.to(self._inputs.device)
        return Batch(self._inputs[here].to(device), self._targets[here].to(device))

    def _checked(self, batch: object) -> tuple[Tensor, Tensor]:
        pair = isinstance(batch, tuple | list) and len(batch) == 2
        if not pair or not all(isinstance(part, Tensor) for part in cast(Sequence[object], batch)):
            raise PruningError(
                f"batch: expected a pair of tensors (inputs, targets) to keep examples of, got {type(batch).__name__}: "
                "pass such a pair to step(), or give the pruner data= to measure on"
            )
        inputs, targets = (part.detach() for part in cast(Sequence[Tensor], batch))
        shapes = (inputs.shape[1:], targets.shape[1:])
        if len(inputs) != len(targets) or (self._shapes is not None and shapes != self._shapes):
            raise PruningError(
                f"batch: inputs of shape {list(inputs.shape)} and targets of shape {list(targets.shape)} do not fit "
                "each other, or those of earlier batches: give the pruner data= to measure on"
            )
        return inputs, targets

    @property
    def _shapes(self) -> tuple[torch.Size, torch.Size] | None:
        """Of one example."""
        if self._inputs is None or self._targets is None:
            return None
        return self._inputs.shape[1:], self._targets.shape[1:]


def sample(data: Examples | Iterable[Any], capacity: int, seed: int, model: nn.Module) -> Reservoir:
    """Examples of ``data``: of a set with a length a uniform sample, of other batches the first ones.

    Raises:
        DataError: when there are none.
    """
    reservoir = Reservoir(capacity, seed, model)
    for batch in data.batches(2 * _PASS) if isinstance(data, Examples) else data:
        reservoir.add(batch)
        if len(reservoir) == capacity and not isinstance(data, Examples):
            break
    if not len(reservoir):
        raise DataError("data: there is no example in it: an iterator that was used before gives nothing any more")
    reservoir.open = False
    return reservoir
