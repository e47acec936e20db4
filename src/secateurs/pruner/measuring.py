"""What a pruner looks at: signals, fed step by step, and the examples that they and the scores see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Examples, Moment, Observation, Signal, Task, derive_seed, under
from secateurs.pruner.reservoir import Reservoir, sample
from secateurs.pruner.state import snapshot
from secateurs.pruner.wrappers import device_of, undisturbed
from secateurs.when import Watch


@dataclass(frozen=True)
class Sampling:
    """Where the examples come from that are measured on.

    Attributes:
        needed: whether any are.
        data: given for it; None: what the loop shows.
        capacity: how many at most.
        seed: of the sample, and of what signals draw.
    """

    needed: bool
    data: Examples | Iterable[Any] | None
    capacity: int
    seed: int


class Measuring:
    """Feeds the signals from the loop and gives a row of their values at each epoch's end."""

    def __init__(self, model: nn.Module, task: Task, signals: Sequence[Signal], sampling: Sampling) -> None:
        self._model, self._task = model, task
        at_steps = [signal for signal in signals if signal.every == "step"]
        self._at_steps, self._reads_loss = bool(at_steps), any("loss" in signal.reads for signal in at_steps)
        self._reservoir: Reservoir | None = None
        self._given = sampling.data is not None
        self._set_size = len(sampling.data) if isinstance(sampling.data, Examples) else 0
        if sampling.needed and sampling.data is None:
            self._reservoir = Reservoir(sampling.capacity, sampling.seed, model)
        elif sampling.needed and sampling.data is not None:
            with undisturbed(model):  # a loader shuffles by the global random state: to the same order in every process
                torch.default_generator.manual_seed(derive_seed("data", sampling.seed))
                self._reservoir = sample(sampling.data, sampling.capacity, sampling.seed, model)
        self._seed, self._usual_size = sampling.seed, 0
        self._watch = Watch(signals, model, probe=self._reservoir, seed=self._seed)

    def step(self, batch: object, output: Tensor, moment: Moment) -> None:
        """The optimiser has stepped: never waits for the device."""
        if self._reservoir is not None and self._reservoir.open:
            self._reservoir.add(batch)
        if self._reservoir is not None and not self._usual_size and isinstance(_as_batch(batch), Batch):
            self._usual_size = self._task.size(_as_batch(batch))
        if not self._at_steps:
            return
        pair = _as_batch(batch)
        with torch.no_grad():
            output = output.detach()
            loss = self._task.loss(output, pair) if self._reads_loss else None
            here = Observation(moment, "step", self._model, self._task, pair, output, loss, self._reservoir, self._seed)
            self._watch(here)

    def epoch_end(self, moment: Moment) -> dict[str, Any]:
        """The row of the epoch that is over: values, their details, and ``seconds/<signal>``."""
        if self._reservoir is not None:
            self._reservoir.open = False  # signals look at the same examples at every epoch
        self._watch(Observation(moment, "epoch", self._model, self._task))
        return {name: value for name, value in self._watch.rows.pop().items() if name not in ("epoch", "moment")}

    def to_score(self, per_class: int) -> tuple[Batch, ...]:
        """What a score sees: up to ``per_class`` examples of each class; nothing where none are kept or seen."""
        return self._reservoir.balanced(per_class) if self._reservoir else ()

    @property
    def usual(self) -> Batch | None:
        """Kept examples, as many as the loop's batches have; None where none are kept or seen."""
        return self._reservoir.repeated(self._usual_size) if self._reservoir and self._usual_size else None

    @property
    def pass_of_data(self) -> int | None:
        """Steps of a pass over the set of examples that was given; None where that is not known."""
        return -(-self._set_size // self._usual_size) or None if self._usual_size else None

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """As tensors and JSON; examples only where they came from the loop."""
        seen, plain = self._watch.state()
        beside = [name for name, value in seen.items() if value.device == device_of(self._model)]
        tensors = snapshot(seen, "watch")
        meta: dict[str, Any] = {"watch": plain, "beside the model": beside, "usual size": self._usual_size}
        if self._reservoir is not None and not self._given:
            kept, meta["reservoir"] = self._reservoir.state()
            tensors |= snapshot(kept, "reservoir")
        return tensors, meta

    def restore(self, tensors: dict[str, Tensor], meta: dict[str, Any]) -> None:
        """Take up what :meth:`state` gave."""
        beside, device = meta["beside the model"], device_of(self._model)
        self._usual_size = meta["usual size"]
        seen = {name: value.to(device if name in beside else "cpu") for name, value in under("watch", tensors).items()}
        self._watch.restore(seen, meta["watch"])
        if self._reservoir is not None and not self._given:
            self._reservoir.restore(under("reservoir", tensors), meta["reservoir"])


def _as_batch(batch: object) -> Batch:
    return Batch(*batch) if isinstance(batch, tuple | list) and len(batch) == 2 else cast(Batch, batch)
