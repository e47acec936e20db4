"""Signals: quantities followed during training that may tell when to prune.

Each is a frozen value with explicit state: ``init(model) -> state``, ``update(state, observation)
-> (state, value or None)``. Values stay tensors until an epoch ends, so that no step waits for
the device.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from secateurs.core import (
    Observation,
    Predicts,
    Signal,
    SignalError,
    SignalState,
    Spec,
    did_you_mean,
    evaluating,
    generator_for,
    prunable,
)
from secateurs.what import Labels, PerSample

Boundary = Literal["step", "epoch"]


@dataclass(frozen=True)
class _Trace:
    """What the two traces share. Abstract: ``name`` and ``labels`` are their own."""

    samples: int = 512
    batch_size: int = 128

    name: ClassVar[str]
    labels: ClassVar[Labels]
    every: ClassVar[Boundary] = "epoch"
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
            SignalError: without a probe of at least 2 examples, or a task without a predictive distribution.
        """
        if observation.boundary != "epoch":
            return state, None
        return _trace(self.name, self.labels, self.samples, self.batch_size, observation)


@dataclass(frozen=True)
class FisherTrace(_Trace):
    """tr(F) = E_x E_{y~p} [ ||grad log p(y|x; theta)||^2 ] over all trainable parameters (P0 eq. 3, 4).

    Per-sample norms over the first ``samples`` probe examples (the same every epoch,
    unaugmented), in evaluation mode, one y per example drawn from the model with a seed that
    follows from (seed, moment). Units: nats squared per parameter unit squared; >= 0. The
    state's ``standard_error`` is that of the mean over the examples.
    """

    name: ClassVar[str] = "fisher_trace"
    labels: ClassVar[Labels] = "sampled"


@dataclass(frozen=True)
class EmpiricalFisherTrace(_Trace):
    """E_(x,y) [ ||grad log p(y|x; theta)||^2 ] over the data's own labels y, all trainable parameters.

    The trace of the empirical Fisher: another quantity than :class:`FisherTrace`, whose y are
    drawn from the model; it vanishes as the training data are fitted. Examples, mode, units and
    ``standard_error`` are those of :class:`FisherTrace`; nothing is drawn.
    """

    name: ClassVar[str] = "fisher_trace_empirical"
    labels: ClassVar[Labels] = "true"


def _trace(name: str, labels: Labels, samples: int, batch_size: int, o: Observation) -> tuple[SignalState, Tensor]:
    """Mean and standard error of the squared norms of per-sample gradients."""
    if not isinstance(o.task, Predicts):
        raise SignalError(f"{name}: {type(o.task).__name__} has no predictive distribution p(y | x)")
    if o.probe is None or len(o.probe) < 2:
        raise SignalError(f"{name}: needs a probe of at least 2 training examples")
    names = [name for name, p in o.model.named_parameters() if p.requires_grad]
    generator = generator_for("fisher_trace", o.seed, o.moment.steps)
    per_sample = PerSample(o.model, o.task, names, labels=labels, generator=generator)
    norms = torch.cat([per_sample.squared_norms(batch) for batch in o.probe.batches(batch_size, limit=samples)])
    return {"standard_error": norms.std() / math.sqrt(len(norms))}, norms.mean()


@dataclass(frozen=True)
class KLUniform:
    """KL(uniform || p) = E_x [logsumexp(z) - mean(z)] - log C over logits z (P0 eq. 5), in nats, >= 0.

    Args:
        source: ``"training"`` streams the logits that the training steps have anyway and gives
            their mean over the epoch, at no extra pass; ``"probe"`` evaluates the model as it
            stands at the epoch's end, in evaluation mode, on the first ``samples`` probe
            examples (None: all), as P0's figures do.
    """

    source: Literal["training", "probe"] = "training"
    samples: int | None = None
    batch_size: int = 512

    name: ClassVar[str] = "kl_uniform"
    details: ClassVar[tuple[str, ...]] = ()

    @property
    def every(self) -> Boundary:
        """The boundary it looks at."""
        return "step" if self.source == "training" else "epoch"

    @property
    def reads(self) -> frozenset[str]:
        """What it needs of an observation."""
        return frozenset({"output" if self.source == "training" else "probe"})

    def init(self, model: nn.Module) -> SignalState:
        """An empty sum."""
        del model
        return {"sum": None, "count": 0}

    def update(self, state: SignalState, observation: Observation) -> tuple[SignalState, Tensor | None]:
        """Take a step's logits in, or give the epoch's value.

        Raises:
            SignalError: when there is no probe, or the output is not logits ``[N, C]`` with C >= 2.
        """
        if self.source == "probe":
            return state, self._measured(observation) if observation.boundary == "epoch" else None
        if observation.boundary == "step" and observation.output is not None:
            values = kl_uniform(observation.output)
            total = values.sum() if state["sum"] is None else state["sum"] + values.sum()
            return {"sum": total, "count": state["count"] + len(values)}, None
        if observation.boundary == "epoch" and state["count"]:
            return self.init(observation.model), state["sum"] / state["count"]
        return state, None

    def _measured(self, o: Observation) -> Tensor:
        if o.probe is None or len(o.probe) == 0:
            raise SignalError('kl_uniform(source="probe"): needs a probe of training examples')
        with torch.no_grad(), evaluating(o.model):
            batches = o.probe.batches(self.batch_size, limit=self.samples)
            return torch.cat([kl_uniform(o.task.output(o.model, batch)) for batch in batches]).mean()


@torch.no_grad()
def kl_uniform(logits: Tensor) -> Tensor:
    """KL(uniform || softmax(z)) of each row of logits ``[N, C]``, shape ``[N]``, in nats.

    Raises:
        SignalError: when the logits are not ``[N, C]`` with C >= 2.

    >>> kl_uniform(torch.zeros(1, 10)).abs().item() < 1e-6
    True
    """
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise SignalError(f"kl_uniform: needs logits [N, C] with C >= 2, got shape {list(logits.shape)}")
    z = logits if logits.dtype == torch.float64 else logits.float()
    # logsumexp(z) - mean(z), from differences to the largest logit: exact wherever the logits stand.
    return (-z.log_softmax(-1).mean(-1) - math.log(z.shape[-1])).clamp_min(0)


@dataclass(frozen=True)
class GradientNorms:
    """L2 norm of the training gradient, averaged over the epoch's steps; >= 0.

    Args:
        layerwise: one value for each prunable weight (in the model's order, a ``[L]`` tensor
            logged as ``gradient_norms``; P3 figure 21) instead of one over all trainable
            parameters (``gradient_norm``).
    """

    layerwise: bool = False

    every: ClassVar[Boundary] = "step"
    reads: ClassVar[frozenset[str]] = frozenset({"gradients"})
    details: ClassVar[tuple[str, ...]] = ()

    @property
    def name(self) -> str:
        """``gradient_norms`` when layer-wise, else ``gradient_norm``."""
        return "gradient_norms" if self.layerwise else "gradient_norm"

    def init(self, model: nn.Module) -> SignalState:
        """An empty sum."""
        del model
        return {"sum": None, "count": 0}

    def update(self, state: SignalState, observation: Observation) -> tuple[SignalState, Tensor | None]:
        """Take a step's gradients in, or give the epoch's mean."""
        if observation.boundary == "epoch":
            return self.init(observation.model), state["sum"] / state["count"] if state["count"] else None
        parameters = prunable(observation.model).values() if self.layerwise else observation.model.parameters()
        with torch.no_grad():
            norms = [
                torch.zeros((), device=p.device) if p.grad is None else torch.linalg.vector_norm(p.grad)
                for p in parameters
            ]
            value = torch.stack(norms)
            value = value if self.layerwise else torch.linalg.vector_norm(value)
        return {"sum": value if state["sum"] is None else state["sum"] + value, "count": state["count"] + 1}, None


@dataclass(frozen=True)
class TrainLoss:
    """Mean training loss over the epoch's steps, as optimised."""

    name: ClassVar[str] = "loss"
    every: ClassVar[Boundary] = "step"
    reads: ClassVar[frozenset[str]] = frozenset({"loss"})
    details: ClassVar[tuple[str, ...]] = ()

    def init(self, model: nn.Module) -> SignalState:
        """An empty sum."""
        del model
        return {"sum": None, "count": 0}

    def update(self, state: SignalState, observation: Observation) -> tuple[SignalState, Tensor | None]:
        """Take a step's loss in, or give the epoch's mean."""
        if observation.boundary == "epoch":
            return self.init(observation.model), state["sum"] / state["count"] if state["count"] else None
        if observation.loss is None or observation.batch is None:
            return state, None
        n = observation.task.size(observation.batch)
        loss = observation.loss.detach() * n
        return {"sum": loss if state["sum"] is None else state["sum"] + loss, "count": state["count"] + n}, None


SIGNALS: dict[str, type[Signal]] = {
    "fisher_trace": FisherTrace,
    "fisher_trace_empirical": EmpiricalFisherTrace,
    "kl_uniform": KLUniform,
    "gradient_norms": GradientNorms,
    "loss": TrainLoss,
}
"""The only place where a name means a signal."""


def signal_of(spec: Spec) -> Signal:
    """The signal that ``spec`` names.

    >>> signal_of(Spec("kl_uniform", {"source": "probe"})).every
    'epoch'
    """
    if spec.name not in SIGNALS:
        raise SignalError(f"unknown signal {spec.name!r}{did_you_mean(spec.name, SIGNALS)}")
    return SIGNALS[spec.name](**spec.options)
