"""The settings of a training run, as frozen data with every default in sight."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import nn
from torch.optim import SGD, Optimizer

from secateurs.core import Moment
from secateurs.zoo.data import Augmentation


class Settings(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Sgd(Settings):
    """Stochastic gradient descent with momentum; weight decay on all parameters (P0 appendix A)."""

    name: Literal["sgd"] = "sgd"
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    nesterov: bool = False

    @model_validator(mode="after")
    def _nesterov_needs_momentum(self) -> Sgd:
        if self.nesterov and not self.momentum:
            raise ValueError("nesterov needs momentum > 0")
        return self

    def build(self, model: nn.Module, lr: float) -> Optimizer:
        """The optimiser over all parameters of ``model``."""
        return SGD(
            model.parameters(),
            lr=lr,
            momentum=self.momentum,
            weight_decay=self.weight_decay,
            nesterov=self.nesterov,
        )


class Exponential(Settings):
    """The rate is multiplied by ``gamma`` after every epoch."""

    name: Literal["exponential"] = "exponential"
    gamma: float = Field(0.97, gt=0, le=1)

    def factor(self, start: int, now: int, end: int) -> float:
        """Rate at epoch ``now`` relative to epoch ``start``, in a schedule that ends at ``end``."""
        del end
        return float(self.gamma ** (now - start))


class Cosine(Settings):
    """Half a cosine from the start of the schedule to 0 at the run's end."""

    name: Literal["cosine"] = "cosine"

    def factor(self, start: int, now: int, end: int) -> float:
        """Rate at epoch ``now`` relative to epoch ``start``, in a schedule that ends at ``end``."""
        return (1 + math.cos(math.pi * (now - start) / max(1, end - start))) / 2


class Linear(Settings):
    """A straight line from the start of the schedule to 0 at the run's end."""

    name: Literal["linear"] = "linear"

    def factor(self, start: int, now: int, end: int) -> float:
        """Rate at epoch ``now`` relative to epoch ``start``, in a schedule that ends at ``end``."""
        return 1 - (now - start) / max(1, end - start)


class Step(Settings):
    """The rate is multiplied by ``gamma`` at each milestone (epochs of the whole run)."""

    name: Literal["step"] = "step"
    milestones: tuple[int, ...]
    gamma: float = Field(0.1, gt=0, le=1)

    def factor(self, start: int, now: int, end: int) -> float:
        """Rate at epoch ``now`` relative to epoch ``start``, in a schedule that ends at ``end``."""
        del end
        return float(self.gamma ** sum(start < milestone <= now for milestone in self.milestones))


class Constant(Settings):
    """The rate stays."""

    name: Literal["constant"] = "constant"

    def factor(self, start: int, now: int, end: int) -> float:
        """Always 1."""
        del start, now, end
        return 1.0


Schedule = Annotated[Exponential | Cosine | Linear | Step | Constant, Field(discriminator="name")]


class TrainSettings(Settings):
    """How a network is trained: P0's settings (appendix A) are the defaults where it has them."""

    epochs: int = Field(gt=0)
    batch_size: int = Field(128, gt=0)
    lr: float = Field(0.1, gt=0)
    optimizer: Sgd = Sgd()
    schedule: Schedule = Exponential()
    augment: Augmentation = "none"

    def lr_at(self, now: Moment, start: Moment, max_lr: float) -> float:
        """The learning rate of the epoch that ``now`` lies in, for a schedule anchored at ``start`` with ``max_lr``.

        At the start of a run the anchor is step 0 and ``lr``; after pruning at t it is t and
        max(Lambda, LR(t)), and the same family goes on over the remaining epochs (P0 section 3).

        >>> settings = TrainSettings(epochs=4, lr=1.0, schedule={"name": "linear"})
        >>> [settings.lr_at(Moment(step, 1), Moment(0, 1), 1.0) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
        """
        return max_lr * self.schedule.factor(start.epoch, now.epoch, self.epochs)


class Seeds(Settings):
    """Three kinds of randomness that never mix: initial weights, data order with augmentation, pruning."""

    init: int = 0
    order: int = 0
    pruning: int = 0
