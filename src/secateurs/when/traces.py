"""tr(F), the trace of the Fisher information, by three estimators; and the empirical one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call

from secateurs.core import (
    Batch,
    Observation,
    Predicts,
    PruningError,
    SignalError,
    SignalState,
    Task,
    did_you_mean,
    evaluating,
    generator_for,
)
from secateurs.what import Labels, PerSample

Estimator = Literal["per_sample", "batch", "exact"]

_LABELS: dict[str, Labels] = {"per_sample": "sampled", "exact": "exact"}


@dataclass(frozen=True)
class _Trace(ABC):
    """What the two traces share; ``name`` is their own, too."""

    samples: int = 512
    batch_size: int = 128

    name: ClassVar[str]
    version: ClassVar[int] = 2
    every: ClassVar[Literal["epoch"]] = "epoch"
    reads: ClassVar[frozenset[str]] = frozenset({"probe"})
    details: ClassVar[tuple[str, ...]] = ("standard_error",)

    def __post_init__(self) -> None:
        if self.samples < 2 or self.batch_size < 1:
            raise SignalError(f"{self.name}: samples must be at least 2 and batch_size at least 1")

    def init(self, model: nn.Module) -> SignalState:
        """Nothing is carried from epoch to epoch but the last standard error."""
        del model
        return {"standard_error": None}

    def update(self, state: SignalState, observation: Observation) -> tuple[SignalState, Tensor | None]:
        """Measure at an epoch's end.

        Raises:
            SignalError: without a probe of at least 2 examples, with a task without a predictive
                distribution (for ``"exact"``: one without factors), or with parameters that are not real.
        """
        if observation.boundary != "epoch":
            return state, None
        try:
            value, standard_error = self._measured(observation)
        except PruningError as error:
            raise SignalError(f"{self.name}: {error}") from error
        return {"standard_error": standard_error}, value

    @abstractmethod
    def _measured(self, o: Observation) -> tuple[Tensor, Tensor]:
        """The trace and its standard error."""

    def _per_sample(self, o: Observation, labels: Labels) -> tuple[Tensor, Tensor]:
        """Mean of the squared norms of per-sample gradients, and its standard error over the examples."""
        batches = self._batches(o)
        per_sample = PerSample(o.model, o.task, _trainable(o.model), labels=labels, generator=_generator(o))
        norms = torch.cat([per_sample.squared_norms(batch) for batch in batches])
        return norms.mean(), norms.std() / math.sqrt(len(norms))

    def _batches(self, o: Observation) -> Sequence[Batch]:
        if not isinstance(o.task, Predicts):
            raise SignalError(f"{self.name}: {type(o.task).__name__} has no predictive distribution p(y | x)")
        if o.probe is None or len(o.probe) < 2:
            raise SignalError(f"{self.name}: needs a probe of at least 2 training examples")
        return [*o.probe.batches(self.batch_size, limit=self.samples)]


@dataclass(frozen=True)
class FisherTrace(_Trace):
    """tr(F) = E_x E_{y~p} [ ||grad log p(y|x; theta)||^2 ] over all trainable parameters (P0 eq. 3, 4).

    Over the first ``samples`` probe examples (the same every epoch, unaugmented), in evaluation
    mode. Units: nats squared per parameter unit squared; >= 0. All three estimators have the same
    mean; the state's ``standard_error`` tells how far the value may be off.

    Args:
        estimator: ``"per_sample"``: the mean of each example's squared norm, one y per example
            drawn from the model with a seed that follows from (seed, moment); standard error over
            the examples. ``"exact"``: the same with the expectation over y written out, for one
            forward and C - 1 backward passes with C classes; standard error over the examples.
            ``"batch"``: ||sum_i grad log p(y_i|x_i)||^2 / n of a batch of n with the same y, for one
            ordinary pass: unbiased, since the expected gradient of each example is zero, but several
            times noisier; averaged over the batches, standard error over them.

    Raises:
        SignalError: for options that cannot be; ``"batch"`` needs at least two batches.
    """

    estimator: Estimator = "per_sample"

    name: ClassVar[str] = "fisher_trace"

    def __post_init__(self) -> None:
        super().__post_init__()
        choices = ("per_sample", "batch", "exact")
        if self.estimator not in choices:
            raise SignalError(
                f"{self.name}: unknown estimator {self.estimator!r}{did_you_mean(self.estimator, choices)}"
            )
        if self.estimator == "batch" and self.samples <= self.batch_size:
            raise SignalError(self._too_few)

    @property
    def _too_few(self) -> str:
        return (
            f'{self.name}: estimator="batch" takes its standard error from at least two batches: '
            "choose a smaller batch_size or more samples"
        )

    def _measured(self, o: Observation) -> tuple[Tensor, Tensor]:
        if self.estimator != "batch":
            return self._per_sample(o, _LABELS[self.estimator])
        batches, generator = self._batches(o), _generator(o)
        if len(batches) < 2:
            raise SignalError(self._too_few)
        values = torch.stack([batch_trace(o.model, o.task, batch, generator) for batch in batches])
        share = torch.tensor([float(len(batch.inputs)) for batch in batches], dtype=values.dtype, device=values.device)
        share /= share.sum()
        mean = (share * values).sum()
        variance = (share * (values - mean)).square().sum() * len(batches) / (len(batches) - 1)
        return mean, variance.sqrt()


@dataclass(frozen=True)
class EmpiricalFisherTrace(_Trace):
    """E_(x,y) [ ||grad log p(y|x; theta)||^2 ] over the data's own labels y, all trainable parameters.

    The trace of the empirical Fisher: another quantity than :class:`FisherTrace`, whose y are
    drawn from the model; it vanishes as the training data are fitted. Examples, mode, units and
    ``standard_error`` are those of :class:`FisherTrace`; nothing is drawn.
    """

    name: ClassVar[str] = "fisher_trace_empirical"

    def _measured(self, o: Observation) -> tuple[Tensor, Tensor]:
        return self._per_sample(o, "true")


def batch_trace(model: nn.Module, task: Task, batch: Batch, generator: torch.Generator) -> Tensor:
    """One unbiased draw of tr(F) by one ordinary pass: ||sum_i grad log p(y_i|x_i)||^2 / n, y_i drawn from the model.

    A scalar, over all trainable parameters, in evaluation mode; the model is left as it was.

    Raises:
        SignalError: when the task has no predictive distribution.
    """
    if not isinstance(task, Predicts):
        raise SignalError(f"fisher_trace: {type(task).__name__} has no predictive distribution p(y | x)")
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    parameters |= {name: parameters[name].clone().requires_grad_() for name in _trainable(model)}
    buffers = dict(model.named_buffers())

    def network(x: Tensor) -> Tensor:
        output: Tensor = functional_call(model, {**parameters, **buffers}, (x,))
        return output

    wanted = [p for p in parameters.values() if p.requires_grad]
    with evaluating(model), torch.enable_grad():
        p = task.predictive(task.output(network, batch))  # type: ignore[arg-type]
        found = torch.autograd.grad(p.log_prob(p.sample(generator)).sum(), wanted, materialize_grads=True)
    return torch.stack([g.square().sum() for g in found]).sum() / len(batch.inputs)


def _trainable(model: nn.Module) -> list[str]:
    return [name for name, p in model.named_parameters() if p.requires_grad]


def _generator(o: Observation) -> torch.Generator:
    return generator_for("fisher_trace", o.seed, o.moment.steps)
