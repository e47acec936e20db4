"""The vocabulary: every type that more than one room speaks of is named here, once.

Nothing in this file computes anything about pruning; it says what a batch, a moment, a score,
a signal, a trigger and a training state *are*, and how an error tells its remedy.
"""

from __future__ import annotations

import copy
import difflib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import total_ordering
from typing import Any, Literal, NamedTuple, Protocol, Self, cast, runtime_checkable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

# --------------------------------------------------------------------------------------------
# Errors: what is wrong, where, and the remedy.
# --------------------------------------------------------------------------------------------


class SecateursError(Exception):
    """Base of every error that this library raises on purpose."""


class DataError(SecateursError):
    """Data that cannot be used as they are: a missing class, a label out of range, too few examples."""


class PruningError(SecateursError):
    """A score, mask, density or enforcement that cannot be computed or does not fit the model."""


class SignalError(SecateursError):
    """A signal or trigger that lacks what it needs."""


class TrainingError(SecateursError):
    """Training settings that contradict each other, the data or the state."""


class RecipeError(SecateursError):
    """A recipe that does not say something valid; the message has one line per fault, with its path."""


class StoreError(SecateursError):
    """A store of results that cannot be read or written."""


class JobError(SecateursError):
    """One or more jobs of a graph failed; what was finished is kept."""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Return ``; choices: a, b; did you mean 'a'?`` for error messages about an unknown name.

    >>> did_you_mean("magnitud", ["magnitude", "random"])
    "; choices: magnitude, random; did you mean 'magnitude'?"
    """
    known = sorted(choices)
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"; choices: {', '.join(known) or 'none'}{hint}"


# --------------------------------------------------------------------------------------------
# Moments: time is a value.
# --------------------------------------------------------------------------------------------

_MOMENT = re.compile(r"^(?:(?P<ep>\d+)ep)?(?:(?P<it>\d+)it)?$")


@total_ordering
@dataclass(frozen=True)
class Moment:
    """A moment of a run: optimiser steps done so far, and how many make an epoch.

    >>> Moment.parse("12ep", steps_per_epoch=10)
    Moment(steps=120, steps_per_epoch=10)
    >>> str(Moment.parse("125it", steps_per_epoch=10))
    '12ep5it'
    >>> Moment.parse("3ep", 10) < Moment.parse("31it", 10)
    True
    """

    steps: int
    steps_per_epoch: int

    def __post_init__(self) -> None:
        if self.steps < 0 or self.steps_per_epoch < 1:
            raise TrainingError(
                f"a moment needs steps >= 0 and steps_per_epoch >= 1, got {self.steps} and {self.steps_per_epoch}"
            )

    @classmethod
    def parse(cls, text: str | int | Moment, steps_per_epoch: int) -> Moment:
        """Resolve ``"12ep"``, ``"500it"``, ``"12ep50it"`` or a bare number of epochs.

        Raises:
            TrainingError: when the text is none of these forms.
        """
        if isinstance(text, Moment):
            return text
        if isinstance(text, int):
            return cls(text * steps_per_epoch, steps_per_epoch)
        match = _MOMENT.match(text.strip())
        if not match or not text.strip():
            raise TrainingError(f"moment {text!r} is not understood: write '12ep', '500it' or '12ep50it'")
        epochs, steps = int(match["ep"] or 0), int(match["it"] or 0)
        return cls(epochs * steps_per_epoch + steps, steps_per_epoch)

    @property
    def epoch(self) -> int:
        """Whole epochs done."""
        return self.steps // self.steps_per_epoch

    @property
    def step(self) -> int:
        """Steps done inside the current epoch."""
        return self.steps % self.steps_per_epoch

    @property
    def epochs(self) -> float:
        """The moment as a fractional number of epochs."""
        return self.steps / self.steps_per_epoch

    def __add__(self, steps: int) -> Moment:
        return Moment(self.steps + steps, self.steps_per_epoch)

    def __lt__(self, other: Moment) -> bool:
        if self.steps_per_epoch != other.steps_per_epoch:
            raise TrainingError(
                f"moments of different runs cannot be compared: {self.steps_per_epoch} and "
                f"{other.steps_per_epoch} steps per epoch"
            )
        return self.steps < other.steps

    def __str__(self) -> str:
        return f"{self.epoch}ep" + (f"{self.step}it" if self.step else "")


# --------------------------------------------------------------------------------------------
# Data, tasks, models.
# --------------------------------------------------------------------------------------------


class Batch(NamedTuple):
    """One batch: inputs ``[N, ...]`` and targets ``[N, ...]`` on one device."""

    inputs: Tensor
    targets: Tensor


class Distribution(Protocol):
    """The predictive distribution p(y | x; theta) of a batch, differentiable in the output it came from."""

    def sample(self, generator: torch.Generator) -> Tensor:
        """Draw one y per example, ``[N, ...]``, with a CPU generator."""
        ...

    def log_prob(self, y: Tensor) -> Tensor:
        """Return log p(y | x), shape ``[N]``."""
        ...


class Task(Protocol):
    """What the network is for: its loss, its predictive distribution, its metrics."""

    def output(self, model: nn.Module, batch: Batch) -> Tensor: ...

    def losses(self, output: Tensor, batch: Batch) -> Tensor:
        """Loss of each example, ``[N]``."""
        ...

    def loss(self, output: Tensor, batch: Batch) -> Tensor:
        """Mean loss of the batch, a scalar."""
        ...

    def size(self, batch: Batch) -> int: ...

    def metrics(self, output: Tensor, batch: Batch) -> dict[str, Tensor]:
        """Sums over the batch, e.g. ``{"loss": ..., "correct": ...}``."""
        ...


@runtime_checkable
class Predicts(Protocol):
    """A task with a predictive distribution; without one, Fisher and KL-uniform are refused by name."""

    def predictive(self, output: Tensor) -> Distribution: ...


@runtime_checkable
class Classifies(Protocol):
    """A task whose output is logits over classes; without them, label smoothing and temperature are refused by name."""

    def smoothed_loss(self, output: Tensor, batch: Batch, smoothing: float) -> Tensor:
        """Mean loss of the batch against targets of which a share ``smoothing`` is spread evenly over all classes."""
        ...


@runtime_checkable
class Examples(Protocol):
    """A finite set of examples in a fixed order, unaugmented."""

    def __len__(self) -> int: ...

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        """Iterate over the first ``limit`` examples in batches of at most ``size``."""
        ...


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode for the time of the block; afterwards every module's mode is as it was.

    >>> net = nn.Sequential(nn.Dropout(), nn.Dropout().eval())
    >>> with evaluating(net):
    ...     [m.training for m in net]
    [False, False]
    >>> [m.training for m in net]
    [True, False]
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield model
    finally:
        for module, mode in modes:
            module.training = mode


_PRUNABLE = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def prunable(model: nn.Module, exclude: Sequence[str] = ()) -> dict[str, nn.Parameter]:
    """The weights that may be pruned, by name in the model's own order: those of Conv and Linear layers.

    Never biases nor normalisation parameters. ``exclude`` takes names of parameters or modules,
    each of which must exist; frozen parameters (``requires_grad=False``) are left out.

    Raises:
        PruningError: when an excluded name does not exist, or nothing is left to prune.

    >>> net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    >>> list(prunable(net))
    ['0.weight', '2.weight']
    >>> list(prunable(net, exclude=["2"]))
    ['0.weight']
    """
    found: dict[str, nn.Parameter] = {}
    seen: set[int] = set()
    for module_name, module in model.named_modules():
        if not isinstance(module, _PRUNABLE) or id(module.weight) in seen or not module.weight.requires_grad:
            continue
        seen.add(id(module.weight))
        found[f"{module_name}.weight" if module_name else "weight"] = cast(nn.Parameter, module.weight)
    known = {name for name, _ in model.named_modules()} | {name for name, _ in model.named_parameters()}
    for name in exclude:
        if name not in known:
            raise PruningError(f"exclude: the model has no module or parameter {name!r}{did_you_mean(name, found)}")
        found = {key: p for key, p in found.items() if key != name and not key.startswith(f"{name}.")}
    if not found:
        raise PruningError(
            "the model has no prunable weights: Linear or Conv layers with requires_grad=True that are not excluded"
        )
    return found


# --------------------------------------------------------------------------------------------
# What, when.
# --------------------------------------------------------------------------------------------

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


# --------------------------------------------------------------------------------------------
# Training state.
# --------------------------------------------------------------------------------------------


@dataclass
class TrainState:
    """Everything that training goes on from. ``train`` and ``prune`` consume it; ``fork`` copies it.

    ``schedule_start`` and ``max_lr`` anchor the learning-rate schedule: at the start of the run
    they are step 0 and the recipe's rate, after pruning the moment of pruning and
    ``max(Lambda, LR(t))`` (P0 section 3). ``mask`` (name -> bool, True = kept) is enforced by
    whoever trains. ``diverged`` is the moment after which the loss was no longer finite;
    ``scaler`` the state of float16's loss scale, in JSON's terms.
    """

    model: nn.Module
    optimizer: Optimizer
    moment: Moment
    schedule_start: Moment
    max_lr: float
    mask: Mapping[str, Tensor] | None = None
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

    def _with(self, *, consume: bool, **changes: Any) -> Self:
        if self.consumed:
            raise TrainingError(
                "this training state was already consumed by train() or prune(): use the state they "
                "returned, or fork() before"
            )
        successor = copy.copy(self)
        for name, value in changes.items():
            setattr(successor, name, value)
        self.consumed = consume
        return successor


# --------------------------------------------------------------------------------------------
# Randomness: explicit, and independent of who asks first.
# --------------------------------------------------------------------------------------------


def derive_seed(*parts: str | int) -> int:
    """A 63-bit seed that follows from ``parts`` alone, e.g. ``derive_seed("order", 3, epoch)``."""
    text = "\x1f".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator_for(*parts: str | int) -> torch.Generator:
    """A CPU generator seeded by :func:`derive_seed`; the global random state is not touched."""
    return torch.Generator().manual_seed(derive_seed(*parts))
