"""Every callable type, named once: scores, signals, triggers, observers, and parts as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import torch
from torch import Tensor, nn

from secateurs.core.moment import Moment
from secateurs.core.tasks import Batch, Examples, Task

Scores = Mapping[str, Tensor]
"""Parameter name -> score of the parameter's shape. Higher = keep, always."""


class ScoreFn(Protocol):
    """A criterion: which weights matter. Pure: the model is left exactly as it was."""

    def __call__(
        self,
        model: nn.Module,
        task: Task | None = None,
        batches: Iterable[Batch] = (),
        *,
        names: Sequence[str] | None = None,
        mask: Mapping[str, Tensor] | None = None,
        generator: torch.Generator | None = None,
    ) -> Scores: ...


@dataclass(frozen=True)
class Spec:
    """A named part with its options, as data: ``Spec("peak", {"signal": "fisher_trace"})``."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


def version_of(part: object) -> int:
    """The version of a named part (score, signal, model, ...): its ``version`` attribute, else 1.

    It is hashed into the key of every job that uses the part, so that a change of meaning
    never meets old results.
    """
    return int(getattr(part, "version", 1))


@dataclass(frozen=True)
class Observation:
    """What a signal may look at; nothing in it may be changed.

    At ``boundary="step"`` the optimiser has just stepped: ``batch`` and ``output`` are those of
    the step (training mode, before temperature), ``loss`` is its mean loss, and gradients still
    stand. At ``"epoch"`` the three are None. ``probe`` holds fixed unaugmented training examples.
    """

    moment: Moment
    boundary: Literal["step", "epoch"]
    model: nn.Module
    task: Task
    batch: Batch | None = None
    output: Tensor | None = None
    loss: Tensor | None = None
    probe: Examples | None = None
    seed: int = 0


SignalState = dict[str, Any]
TriggerState = dict[str, Any]


class Signal(Protocol):
    """A quantity that is followed during training. All state is explicit.

    ``every`` says which boundary it looks at, ``reads`` what of the observation it needs there
    (``"output"``, ``"loss"``, ``"gradients"``, ``"probe"``); ``details`` are the scalar entries of
    its state that are logged beside the value.
    """

    @property
    def name(self) -> str: ...

    @property
    def every(self) -> Literal["step", "epoch"]: ...

    @property
    def reads(self) -> frozenset[str]: ...

    @property
    def details(self) -> tuple[str, ...]: ...

    def init(self, model: nn.Module) -> SignalState: ...

    def update(self, state: SignalState, observation: Observation) -> tuple[SignalState, Tensor | None]:
        """Take one observation in; a value (a tensor, not yet a number) when one is due."""
        ...


class Trigger(Protocol):
    """Decides, measurement by measurement, whether now is the moment. State is JSON-ready."""

    @property
    def needs(self) -> frozenset[str]:
        """Names of the signals it reads."""
        ...

    def init(self) -> TriggerState: ...

    def update(self, state: TriggerState, moment: Moment, values: Mapping[str, float]) -> tuple[TriggerState, bool]: ...


Log = Sequence[tuple[Moment, Mapping[str, float]]]
"""The measurements of a run, in order: what a trigger would have seen."""


class Observer(Protocol):
    """Looks at a run as it goes; never changes it."""

    def __call__(self, observation: Observation) -> None: ...
