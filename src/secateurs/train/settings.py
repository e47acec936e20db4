"""The settings of a training run, as frozen data with every default in sight."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, Self

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from secateurs.core import Moment
from secateurs.train.dilation import dilated_epochs, dilated_moment, dilated_schedule
from secateurs.train.frozen import MomentText, Settings
from secateurs.train.optimizers import OptimizerSettings, SamSettings, Sgd
from secateurs.train.schedules import Exponential, OneCycle, Schedule, highest_factor
from secateurs.zoo.data import Augmentation, ImageSet

Precision = Literal["float32", "bfloat16", "float16"]


class TrainSettings(Settings):
    """How a network is trained: P0's settings (appendix A) are the defaults where it has them.

    Attributes:
        epochs, batch_size, augment: how much is seen, and how.
        drop_last: leave out the examples that do not fill a last batch; others each epoch.
        lr, optimizer, schedule: the maximum rate, and what becomes of it.
        warm_up: the rate at step s is multiplied by s / W during the first W steps of the run, so
            that the first step is one of rate 0 (as P2's authors have it). Epochs, or ``"30000it"``.
            Steps are those of the run: pruning starts it again only where the whole schedule is replayed.
        label_smoothing: this share of each target is spread evenly over all classes.
        temperature: the training loss is taken of logits / temperature (P3). Observers, signals
            and evaluation see the logits themselves.
        clip_norm: the gradient over all parameters is scaled down to this L2 norm; with a mask it
            is the norm of what is left. Signals see the clipped gradient.
        precision: of activations and gradients on the way (autocast); weights, the optimiser and
            the loss stay in float32, and so do evaluation and signals. float16 scales its loss, and skips
            steps that overflow.
        channels_last: memory layout of weights and images; the same numbers up to rounding.
        sam: sharpness-aware minimisation: two gradients a step, so twice the work of each epoch. ``clip_norm`` clips
            the second, which the optimiser steps with. Only settings that say so have it: what follows from others
            has the keys that it would have without.
    """

    epochs: int = Field(gt=0)
    batch_size: int = Field(128, gt=0)
    lr: float = Field(0.1, gt=0)
    optimizer: OptimizerSettings = Sgd()
    schedule: Schedule = Exponential()
    augment: Augmentation = "none"
    warm_up: MomentText = 0
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    temperature: float = Field(1.0, gt=0)
    clip_norm: float | None = Field(None, gt=0)
    precision: Precision = "float32"
    channels_last: bool = False
    drop_last: bool = False
    sam: SamSettings | None = None

    @model_serializer(mode="wrap")
    def _sam_where_it_is_asked_for(self, whole: SerializerFunctionWrapHandler) -> dict[str, Any]:
        said: dict[str, Any] = whole(self)
        return said if self.sam is not None else {name: value for name, value in said.items() if name != "sam"}

    @model_validator(mode="after")
    def _warm_up_fits(self) -> Self:
        if Moment.parse(self.warm_up, 1).steps and isinstance(self.schedule, OneCycle):
            raise ValueError("warm_up: schedule one_cycle has its own rise (pct_start): leave warm_up at 0")
        if "it" not in str(self.warm_up) and Moment.parse(self.warm_up, 1).steps > self.epochs:
            raise ValueError(f"warm_up: {self.warm_up} is longer than the run of {self.epochs} epochs")
        return self

    @model_validator(mode="after")
    def _sam_has_its_range(self) -> Self:
        if self.sam is not None and self.precision == "float16":
            raise ValueError(
                "sam: float16 scales its loss and skips steps that overflow, which a step of two gradients is not made "
                "for: use precision bfloat16 or float32"
            )
        return self

    @property
    def passes_per_step(self) -> int:
        """Forward and backward passes that a step takes: 2 with SAM, else 1. Work is steps times that.

        >>> TrainSettings(epochs=1).passes_per_step, TrainSettings(epochs=1, sam={"rho": 0.1}).passes_per_step
        (1, 2)
        """
        return passes_per_step(self.sam)

    def steps_per_epoch(self, examples: ImageSet) -> int:
        """Optimiser steps in one epoch of ``examples``.

        Raises:
            DataError: when a batch is larger than the data.
        """
        steps = examples.steps_per_epoch(self.batch_size)
        return len(examples) // self.batch_size if self.drop_last else steps

    def lr_at(self, now: Moment, start: Moment, max_lr: float) -> float:
        """The learning rate of the step after ``now``, for a schedule anchored at ``start`` with ``max_lr``.

        At the start of a run the anchor is step 0 and ``lr``; after pruning at t it is t and
        max(Lambda, LR(t)), and the same family goes on over the remaining epochs (P0 section 3).

        >>> settings = TrainSettings(epochs=4, lr=1.0, schedule={"name": "linear"})
        >>> [settings.lr_at(Moment(step, 1), Moment(0, 1), 1.0) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
        """
        rate = max_lr * self.schedule.factor(start, now, self._end(now))
        warm_up = Moment.parse(self.warm_up, now.steps_per_epoch).steps
        return rate * now.steps / warm_up if now.steps < warm_up else rate

    def highest_lr_from(self, now: Moment, start: Moment, max_lr: float) -> float:
        """LR(t) as P0's max(Lambda, LR(t)) means it, a maximum: the highest rate from ``now`` = t on.

        For a schedule that only falls it is the rate at t. Before the top of a one-cycle it is the
        top's, and warm-up is left out: whoever is pruned on the way up goes on up, on the same way.

        >>> settings = TrainSettings(epochs=4, lr=1.0, schedule="linear", warm_up=2)
        >>> now, start = Moment(1, 1), Moment(0, 1)
        >>> settings.lr_at(now, start, 1.0), settings.highest_lr_from(now, start, 1.0)
        (0.375, 0.75)
        """
        return max_lr * highest_factor(self.schedule, start, now, self._end(now))

    def dilated(self, factor: float, steps_per_epoch: int | None = None) -> Self:
        """The same training in ``factor`` times the time, its schedule stretched alike (P2 section 3.3.6).

        Epochs are whole: there are round(factor * epochs), at least 1, and :meth:`dilation` says which factor that
        really is. Milestones and warm-up are scaled by that one, to the nearest step; gamma of an exponential
        schedule is bent to ``gamma ** (1 / factor)``; the other schedules end with the run anyway. Where the number
        of epochs stays, so do the settings.

        Args:
            steps_per_epoch: needed where milestones or the warm-up are said in epochs and would come to lie within one.

        Raises:
            TrainingError: when the factor is not positive, or ``steps_per_epoch`` is needed.

        >>> settings = TrainSettings(epochs=160, schedule={"name": "step", "milestones": ("32000it", 120)})
        >>> half = settings.dilated(0.5)
        >>> half.epochs, half.schedule.milestones
        (80, ('16000it', 60))
        """
        ratio = Fraction(dilated_epochs(self.epochs, factor), self.epochs)
        if ratio == 1:
            return self
        changes = {
            "epochs": int(ratio * self.epochs),
            "schedule": dilated_schedule(self.schedule, ratio, steps_per_epoch),
            "warm_up": dilated_moment(self.warm_up, ratio, steps_per_epoch),
        }
        return type(self)(**{**dict(self), **changes})

    def dilation(self, factor: float) -> float:
        """The factor that :meth:`dilated` comes to with whole epochs.

        >>> TrainSettings(epochs=3).dilation(0.5), TrainSettings(epochs=160).dilation(0.5)
        (0.6666666666666666, 0.5)
        """
        return dilated_epochs(self.epochs, factor) / self.epochs

    def _end(self, now: Moment) -> Moment:
        return Moment(self.epochs * now.steps_per_epoch, now.steps_per_epoch)


def passes_per_step(sam: object | None) -> int:
    """Forward and backward passes of a step, from the ``sam`` of a run's settings, or of a job's config."""
    return 1 if sam is None else 2


class Seeds(Settings):
    """Three kinds of randomness that never mix: initial weights, data order with augmentation, pruning."""

    init: int = 0
    order: int = 0
    pruning: int = 0
