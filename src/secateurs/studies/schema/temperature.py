"""The temperatures of a study of regimes: what makes the training of dense networks noisy (P4 section 2.1)."""

from __future__ import annotations

import math
import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from secateurs.core import DataError, Moment, TrainingError
from secateurs.studies.schema.common import no_repeats, outside
from secateurs.train import Settings, TrainSettings
from secateurs.train.schedules import Constant, Step

_IN_STEPS = re.compile(r"(\d+)it")

Values = Annotated[tuple[Annotated[int, Field(gt=0)], ...], Field(min_length=1)]


class _Temperature(Settings):
    """What all have in common: ``values``, in any order, each once."""

    _no_value_twice = field_validator("values", check_fields=False)(no_repeats)

    @abstractmethod
    def training(self, train: TrainSettings, value: float, examples: int) -> TrainSettings:
        """How the dense network of one temperature is trained, on so many examples; it may be stopped before its end.

        Raises:
            TrainingError: when that cannot be.
            DataError: when a batch is larger than the data.
        """

    def stop(self, train: TrainSettings, value: float) -> str:
        """The moment of that training at which the network is pruned: its end, but for epochs and batch sizes."""
        del value
        return f"{train.epochs}ep"

    def faults(self, train: TrainSettings) -> Iterator[str]:
        """What does not go together with ``train``, each with its path in the recipe."""
        del train
        yield from ()


class StoppingEpochs(_Temperature):
    """The epoch after which the training of one dense run is broken off; fewer epochs are hotter.

    The schedule is that of the whole run, whose length no stop changes: one run serves all of them.
    """

    name: Literal["epochs"] = "epochs"
    values: Values

    def training(self, train: TrainSettings, value: float, examples: int) -> TrainSettings:
        """The recipe's, whatever the temperature.

        >>> train = TrainSettings(epochs=160)
        >>> stops = StoppingEpochs(values=(10, 160))
        >>> stops.training(train, 10, 50_000) == train, stops.stop(train, 10)
        (True, '10ep')
        """
        del value, examples
        return train

    def stop(self, train: TrainSettings, value: float) -> str:
        """That epoch."""
        del train
        return f"{value:g}ep"

    def faults(self, train: TrainSettings) -> Iterator[str]:
        """Epochs that the run does not have."""
        for value in self.values:
            if fault := outside(value, train.epochs):
                yield f"temperature.values: {fault}: stop earlier, or raise train.epochs"


class BatchSizes(_Temperature):
    """The batch size, in runs of one number of steps each; smaller batches are hotter.

    Attributes:
        iterations: optimiser steps of every dense run; 62,400 in P4, which are 160 epochs of batches of 128.
            Batches are full ones (``drop_last``), and a run ends within an epoch where the steps say so. Its schedule
            is constant, or falls at milestones in steps.
    """

    name: Literal["batch_size"] = "batch_size"
    values: Values
    iterations: int = Field(gt=0)

    def training(self, train: TrainSettings, value: float, examples: int) -> TrainSettings:
        """The recipe's in batches of another size, in as many epochs as the steps take.

        >>> sizes = BatchSizes(values=(16, 128), iterations=62_400)
        >>> [sizes.training(TrainSettings(epochs=160), size, 50_000).epochs for size in sizes.values]
        [20, 160]
        >>> sizes.stop(TrainSettings(epochs=160), 16)
        '62400it'
        """
        if value > examples:
            raise DataError(
                f"temperature.values: a batch of {value:g} is larger than the {examples} training examples: "
                f"take at most {examples}"
            )
        epochs = math.ceil(self.iterations / (examples // int(value)))
        return _changed(train, batch_size=int(value), drop_last=True, epochs=epochs)

    def stop(self, train: TrainSettings, value: float) -> str:
        """After so many steps."""
        del train, value
        return f"{self.iterations}it"

    def faults(self, train: TrainSettings) -> Iterator[str]:
        """What follows from epochs, which are of another number of steps for each batch size, and what comes too late.

        Schedules that fall by epochs, or end with the run's last epoch, would be others for each batch size.
        """
        remedy = f"epochs of other batch sizes are of other lengths, and every run has {self.iterations} steps"
        schedule = train.schedule
        if isinstance(schedule, Step):
            told = f"say them in steps, as '{self.iterations // 2}it'"
            yield from self._not_in_steps("train.schedule.milestones", schedule.milestones, f"{remedy}: {told}")
        elif not isinstance(schedule, Constant):
            yield (
                f"train.schedule: {schedule.name} follows epochs, or ends with the last one; {remedy}: choose step, "
                "with milestones in steps, or constant"
            )
        if Moment.parse(train.warm_up, 1).steps:
            yield from self._not_in_steps("train.warm_up", [train.warm_up], f"{remedy}: say it in steps, as '500it'")

    def _not_in_steps(self, field: str, moments: Sequence[str | int], fault: str) -> Iterator[str]:
        """What is wrong with moments that are to be ``"500it"``, within the run."""
        steps = [_IN_STEPS.fullmatch(str(each).strip()) for each in moments]
        if None in steps:
            yield f"{field}: {fault}"
        elif late := [each[0] for each in steps if each is not None and int(each[1]) > self.iterations]:
            yield f"{field}: {late[0]} lies outside the run of {self.iterations} steps (temperature.iterations)"


class Neighbourhoods(_Temperature):
    """SAM's neighbourhood size rho; larger ones are hotter. 0 is the optimiser without SAM (P4 section 4.3).

    Attributes:
        adaptive: the neighbourhood grows with each weight (ASAM); P4's does not.
    """

    name: Literal["rho"] = "rho"
    values: tuple[Annotated[float, Field(ge=0)], ...] = Field(min_length=1)
    adaptive: bool = False

    def training(self, train: TrainSettings, value: float, examples: int) -> TrainSettings:
        """The recipe's, with SAM unless rho is 0.

        >>> sizes = Neighbourhoods(values=(0.0, 0.1))
        >>> [sizes.training(TrainSettings(epochs=1), rho, 100).sam for rho in sizes.values]
        [None, SamSettings(rho=0.1, adaptive=False)]
        """
        del examples
        return _changed(train, sam={"rho": value, "adaptive": self.adaptive} if value else None)

    def faults(self, train: TrainSettings) -> Iterator[str]:
        """A rho that is said elsewhere, and training that SAM does not go with."""
        if train.sam is not None:
            yield "train.sam: the temperature says which rho: leave it out"
            return
        try:
            for value in self.values:
                self.training(train, value, 1)
        except TrainingError as error:
            yield f"train: {str(error).removeprefix('TrainSettings: ')}"


class LearningRates(_Temperature):
    """The maximum learning rate of dense training; larger ones are hotter (not varied in P4)."""

    name: Literal["lr"] = "lr"
    values: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)

    def training(self, train: TrainSettings, value: float, examples: int) -> TrainSettings:
        """The recipe's at another rate.

        >>> LearningRates(values=(0.1, 0.5)).training(TrainSettings(epochs=1), 0.5, 100).lr
        0.5
        """
        del examples
        return _changed(train, lr=value)


def _changed(train: TrainSettings, **changes: Any) -> TrainSettings:
    """The settings with changes, checked as if they had been written."""
    return type(train)(**{**dict(train), **changes})


Temperature = Annotated[StoppingEpochs | BatchSizes | Neighbourhoods | LearningRates, Field(discriminator="name")]
"""One of the four, by its name."""

__all__ = ["BatchSizes", "LearningRates", "Neighbourhoods", "StoppingEpochs", "Temperature"]
