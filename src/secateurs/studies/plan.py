"""What the plans of all kinds of study have in common: their face, and how they make jobs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch

from secateurs.core import DataError, Moment, PruningError, Spec, TrainingError, prunable, version_of
from secateurs.how import survivors
from secateurs.jobs import REGISTRY, Entry, Graph, Job, Numerics, Store
from secateurs.procedures import MaskSettings
from secateurs.studies.dense_runs import DenseConfig
from secateurs.studies.runs import identity_and_place, load_data
from secateurs.studies.schema import StudyRecipe
from secateurs.studies.schema.common import END
from secateurs.train import Seeds, Settings, check_precision
from secateurs.what import SCORES, WITHOUT_EXAMPLES
from secateurs.when import SIGNALS
from secateurs.zoo import AUGMENTATIONS, DATASETS, MODELS, Dataset, build_model


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

    def check_pruning(self, settings: Mapping[str, MaskSettings], densities: Iterable[float]) -> None:
        """See at once whether network and data have what is needed to prune as ``settings`` say, by their paths.

        Raises:
            TrainingError: when the network does not suit the data.
            PruningError: when it has no part of an excluded name, or nothing else, or one of the ``densities``
                keeps not one of its weights; one line for each path.
            DataError: when a class has fewer examples than a score is to see; one line for each path.
        """
        with torch.device("meta"):  # takes no memory
            network = build_model(self.recipe.model, self.data.input_shape, self.data.num_classes, seed=0)
        faults: list[str] = []
        densities = tuple(densities)
        for path, each in settings.items():
            try:
                total = sum(weight.numel() for weight in prunable(network, each.exclude).values())
            except PruningError as error:
                faults.append(f"{path}.{error}")
            else:
                none = [density for density in densities if not survivors(density, total)]
                faults += [f"{path}: density {density:g} keeps none of its {total} weights" for density in none]
        if faults:
            raise PruningError("\n".join(faults))
        counts = torch.bincount(self.data.train.targets.cpu())
        least = int(counts[counts > 0].min())
        few = [
            f"{path}.examples_per_class: {each.examples_per_class} are asked for, but the smallest class has {least} "
            f"training examples: set it to at most {least}"
            for path, each in settings.items()
            if each.score.name not in WITHOUT_EXAMPLES and each.examples_per_class > least
        ]
        if few:
            raise DataError("\n".join(few))

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

    def dense(self, seed: int, signals: tuple[Spec, ...]) -> Job:
        """The dense run of a seed, with the signals that watch it."""
        r = self.recipe
        config = DenseConfig(
            model=r.model,
            data=r.data,
            train=r.train,
            seeds=Seeds(init=seed, order=seed, pruning=0),
            signals=signals,
            checkpoint_every=r.checkpoint_every,
        )
        parts = {f"signal/{spec.name}": version_of(SIGNALS[spec.name]) for spec in signals}
        scores = [option for spec in signals for option in spec.options.values() if isinstance(option, Spec)]
        parts |= {f"score/{spec.name}": version_of(SCORES[spec.name]) for spec in scores}
        return self.job("dense_run", config, {}, parts, f"dense, seed {seed}", r.train.epochs)

    def job(
        self,
        name: str,
        config: Settings,
        inputs: Mapping[str, Job],
        parts: Mapping[str, int],
        label: str,
        cost: float,
    ) -> Job:
        """A job of this setting; ``parts`` are the versions of what it uses beside network, data and training."""
        r = self.recipe
        everywhere = {
            f"model/{r.model.name}": version_of(MODELS[r.model.name]),
            f"data/{r.data.name}": version_of(DATASETS[r.data.name]),
            f"augment/{r.train.augment}": version_of(AUGMENTATIONS[r.train.augment]),
            f"optimizer/{r.train.optimizer.name}": version_of(r.train.optimizer),
            f"schedule/{r.train.schedule.name}": version_of(r.train.schedule),
        }
        identity, places = identity_and_place(r.data)
        return Job(
            name=name,
            version=REGISTRY[name].version,
            config={**config.model_dump(mode="json"), "data": identity},
            where=places,
            inputs=inputs,
            parts={**parts, **everywhere},
            data=self.data.digest,
            numerics=Numerics(device=self.device, dtype=r.train.precision, threads=r.threads),
            label=f"{self.setting}: {label}" if self.setting else label,
            group=self.setting,
            cost=cost,
        )


def left_to_train(after: str, at: Moment, epochs: int) -> float:
    """Epochs that follow pruning at a moment, for the progress bar: at least 0.5, since measuring takes time, too."""
    return epochs if after == "replay" else max(epochs - at.epochs, 0.5)
