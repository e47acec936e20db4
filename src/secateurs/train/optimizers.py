"""Optimisers as data: every option that changes a number stands here."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from torch import nn
from torch.optim import Optimizer

from secateurs.train.frozen import Settings, named

Beta = Annotated[float, Field(ge=0, lt=1)]


class Sgd(Settings):
    """Stochastic gradient descent with momentum; weight decay on all parameters (P0 appendix A).

    ``weight_decay`` is L2: w times the weight is added to its gradient, so momentum carries it.
    """

    name: Literal["sgd"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    nesterov: bool = False
    decay_norms_and_biases: bool = True

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Sgd:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum > 0")
        return self

    def build(self, model: nn.Module, lr: float) -> Optimizer:
        """The optimiser over all parameters of ``model``."""
        return torch.optim.SGD(
            _groups(model, self.decay_norms_and_biases),
            lr=lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
        )


class _Fused(Settings):
    """What both kinds of Adam share: one pass over the weights, or torch's own choice.

    ``fused`` is torch's kernel that does a step in one pass: the same formula, rounded otherwise. On a CPU it is
    faster, above all under a mask, since torch's square root of a zero takes longer than that of another number.
    Only what says so has it: the keys of other jobs are what they would be without.
    """

    fused: bool = False

    @model_serializer(mode="wrap")
    def _fused_where_it_is_asked_for(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = whole(self)
        return said if self.fused else {name: value for name, value in said.items() if name != "fused"}


class Adam(_Fused):
    """Adam (Kingma & Ba 2015), with bias correction.

    ``weight_decay`` is L2: w times the weight is added to its gradient and goes through both
    moments, so that weights with large gradients are decayed less. ``fused`` steps in one pass, which is
    faster, above all under a mask, and rounds otherwise.
    """

    name: Literal["adam"] = "adam"
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    decay_norms_and_biases: bool = True

    def build(self, model: nn.Module, lr: float) -> Optimizer:
        """The optimiser over all parameters of ``model``."""
        groups = _groups(model, self.decay_norms_and_biases)
        return torch.optim.Adam(
            groups, lr=lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=self.fused or None
        )


class AdamW(_Fused):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    ``weight_decay`` shrinks each weight by the factor 1 - lr * w before the step and never
    enters the moments. ``fused`` is as in :class:`Adam`.
    """

    name: Literal["adamw"] = "adamw"
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    decay_norms_and_biases: bool = True

    def build(self, model: nn.Module, lr: float) -> Optimizer:
        """The optimiser over all parameters of ``model``."""
        groups = _groups(model, self.decay_norms_and_biases)
        return torch.optim.AdamW(
            groups, lr=lr, betas=self.betas, eps=self.eps, weight_decay=self.weight_decay, fused=self.fused or None
        )


class SamSettings(Settings):
    """Sharpness-aware minimisation around the optimiser, as :class:`~secateurs.train.SAM` does it.

    Attributes:
        rho: radius of the neighbourhood whose worst loss is made small, above 0; without any there is no SAM.
        adaptive: ASAM's neighbourhood, which grows with each weight (Kwon et al. 2021). It wants a rho ten times
            as large or more.
    """

    rho: float = Field(0.05, gt=0)
    adaptive: bool = False


def _groups(model: nn.Module, decay_norms_and_biases: bool) -> list[dict[str, Any]]:
    """All parameters in one group, or those with fewer than two dimensions in a second one without decay."""
    parameters = list(model.parameters())
    if decay_norms_and_biases:
        return [{"params": parameters}]
    matrices, vectors = [p for p in parameters if p.ndim > 1], [p for p in parameters if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]


def _sgd_unless_named(value: Any) -> Any:
    return {"name": "sgd", **value} if isinstance(value, dict) else value


OptimizerSettings = Annotated[
    Sgd | Adam | AdamW,
    Field(discriminator="name"),
    BeforeValidator(_sgd_unless_named),
    BeforeValidator(named),
]
"""An optimiser by name (alone, or with options); options without a name are SGD's."""
