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
    Signal,
    SignalError,
    SignalState,
    Spec,
    did_you_mean,
    evaluating,
    prunable,
)
from secateurs.when.mask_distance import MaskDistance
from secateurs.when.traces import EmpiricalFisherTrace, FisherTrace
from secateurs.when.weight_change import WeightChange

Boundary = Literal["step", "epoch"]


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
    "weight_change": WeightChange,
    "mask_distance": MaskDistance,
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
