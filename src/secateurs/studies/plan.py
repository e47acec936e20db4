"""What the plans of all kinds of study have in common: their face, and how they make jobs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from secateurs.core import Moment, Spec, TrainingError, version_of
from secateurs.jobs import REGISTRY, Entry, Graph, Job, Numerics, Store
from secateurs.procedures import ChannelSettings, MaskSettings
from secateurs.studies.dense_runs import DenseConfig
from secateurs.studies.runs import identity_and_place, load_data
from secateurs.studies.schema import LooksRecipe, StudyRecipe
from secateurs.studies.schema.common import END
from secateurs.studies.schema.pruning import signal_parts
from secateurs.studies.suiting import check_pruning
from secateurs.train import Seeds, Settings, TrainSettings, check_precision
from secateurs.zoo import AUGMENTATIONS, DATASETS, MODELS, Dataset

_TRAINS_NOTHING = frozenset(
    ("state_at", "given_state", "ticket_mask", "mask_run", "shuffled_mask", "regime_pair", "compared_run")
)
"""Jobs whose cost is not that of steps of their own, which SAM makes twice as dear."""


class Plan(Protocol):
    """One setting of a recipe as a graph of jobs, for a kind of device.

    A class of plans takes ``(recipe, device, setting)`` and refuses, as it is made, what cannot be run.
    """

    @property
    def recipe(self) -> StudyRecipe: ...

    @property
    def setting(self) -> str:
        """Its label; ``""`` in a recipe without settings."""
        ...

    @property
    def steps_per_epoch(self) -> int: ...

    @property
    def epochs(self) -> float:
        """Epochs of training in the plan, as far as it is known beforehand."""
        ...

    @property
    def later(self) -> int:
        """The most jobs that finished ones may add."""
        ...

    def graph(self) -> Graph:
        """The jobs that are known beforehand; it grows as they are done."""
        ...

    def grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        """The jobs that a finished one adds."""
        ...

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs that are wanted, with those that the finished ones in ``store`` added."""
        ...


class ForeseenPlan(ABC):
    """What plans have in common whose jobs are all known beforehand: nothing that is found asks for more of them."""

    @abstractmethod
    def graph(self) -> Graph:
        """All jobs."""

    def grow(self, job: Job, entry: Entry) -> Iterable[Job]:
        """Nothing: what is found chooses no runs."""
        del job, entry
        return ()

    def jobs(self, store: Store) -> tuple[Job, ...]:
        """All jobs of the plan."""
        del store
        return self.graph().jobs

    @property
    def epochs(self) -> float:
        """Epochs of training in the plan, twice as many with SAM; what trains nothing counts by the work it is."""
        return sum(job.cost for job in self.graph().jobs)

    @property
    def later(self) -> int:
        """No job is added later."""
        return 0


@dataclass(frozen=True)
class Planner:
    """Makes the jobs of one setting of a recipe: fills in network, data, versions, numerics and what is for display.

    Raises:
        TrainingError: when the device lacks the precision.
        DataError: when the data cannot be used.
    """

    recipe: StudyRecipe
    device: str
    setting: str

    def __post_init__(self) -> None:
        check_precision(self.recipe.train.precision, torch.device(self.device))
        load_data(self.recipe.data)

    @property
    def data(self) -> Dataset:
        """The data set."""
        return load_data(self.recipe.data)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe.

        Raises:
            DataError: when a batch is larger than the data.
        """
        return self.recipe.train.steps_per_epoch(self.data.train)

    def check_pruning(self, settings: Mapping[str, MaskSettings | ChannelSettings], densities: Iterable[float]) -> None:
        """:func:`~secateurs.studies.suiting.check_pruning` of the setting's network and data."""
        check_pruning(self.recipe.model, self.data, settings, densities)

    def moment(self, text: str | int, where: str) -> Moment:
        """A moment of the run; ``"end"`` is its last.

        Raises:
            TrainingError: when it lies outside the run, with ``where`` the recipe says it.
        """
        per_epoch, epochs = self.steps_per_epoch, self.recipe.train.epochs
        moment = Moment.parse(epochs if text == END else text, per_epoch)
        if moment.steps > epochs * per_epoch:
            raise TrainingError(f"{where}: {text} lies outside the run of {epochs} epochs of {per_epoch} steps")
        return moment

    def dense(
        self,
        seed: int,
        signals: tuple[Spec, ...],
        *,
        curves: bool = False,
        looks: LooksRecipe | None = None,
        until: str | int | None = None,
    ) -> Job:
        """The dense run of a seed, with the signals that watch it; ``curves`` and ``looks`` log more.

        Args:
            until: the moment that it ends at; None, like the run's last: when all epochs are over.

        Raises:
            TrainingError: when ``until`` lies outside the run.
        """
        r = self.recipe
        end, last = (self.moment(text, "until") for text in (END if until is None else until, END))
        config = DenseConfig(
            model=r.model,
            data=r.data,
            train=r.train,
            seeds=Seeds(init=seed, order=seed, pruning=0),
            signals=signals,
            checkpoint_every=r.checkpoint_every,
            curves=curves,
            looks=looks,
            until=None if end == last else str(end),
        )
        return self.job("dense_run", config, {}, signal_parts(signals), f"dense, seed {seed}", end.epochs)

    def job(
        self,
        name: str,
        config: Settings,
        inputs: Mapping[str, Job],
        parts: Mapping[str, int],
        label: str,
        cost: float,
    ) -> Job:
        """A job of this setting.

        Args:
            config: where it says how it trains (``train``), that counts, else what the recipe says.
            parts: versions of what it uses beside network, data and training.
            cost: epochs of training; where the job trains, one with SAM, which passes over the data twice, counts as
                two.
        """
        r = self.recipe
        train: TrainSettings = getattr(config, "train", r.train)
        everywhere = {
            f"model/{r.model.name}": version_of(MODELS[r.model.name]),
            f"data/{r.data.name}": version_of(DATASETS[r.data.name]),
            f"augment/{train.augment}": version_of(AUGMENTATIONS[train.augment]),
            f"optimizer/{train.optimizer.name}": version_of(train.optimizer),
            f"schedule/{train.schedule.name}": version_of(train.schedule),
        }
        if train.sam is not None:
            everywhere["sam"] = version_of(train.sam)
        identity, places = identity_and_place(r.data)
        return Job(
            name=name,
            version=REGISTRY[name].version,
            config={**config.model_dump(mode="json"), "data": identity},
            where=places,
            inputs=inputs,
            parts={**parts, **everywhere},
            data=self.data.digest,
            numerics=Numerics(device=self.device, dtype=train.precision, threads=r.threads),
            label=f"{self.setting}: {label}" if self.setting else label,
            group=self.setting,
            cost=cost if name in _TRAINS_NOTHING else cost * train.passes_per_step,
        )


def left_to_train(after: str, at: Moment, epochs: int) -> float:
    """Epochs that follow pruning at a moment, for the progress bar: at least 0.5, since measuring takes time, too."""
    return epochs if after == "replay" else max(epochs - at.epochs, 0.5)
