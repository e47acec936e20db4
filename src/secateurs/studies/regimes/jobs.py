"""The jobs of a study of regimes, each made once: what two cells share is one job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from secateurs.core import Moment, Spec, derive_seed
from secateurs.jobs import Job
from secateurs.studies.plan import Planner
from secateurs.studies.regimes.pairs import At, RegimePairConfig
from secateurs.studies.regimes.runs import RegimeConfig
from secateurs.studies.runs import MomentConfig
from secateurs.studies.schema import Regimes
from secateurs.studies.schema.pruning import score_parts
from secateurs.studies.tickets.runs import LevelMaskConfig
from secateurs.train import Seeds, TrainSettings

_LOSS = (Spec("loss"),)  # all that the dense runs watch
_SHORT = 0.1  # what a job counts in progress bars that trains nothing, in epochs
_PASS = 1 / 3  # of an epoch of training is a pass over its data


class Trained(NamedTuple):
    """A dense network as it is pruned: at a moment of a training that may go on.

    Attributes:
        model, train: the network, and the whole training.
        stop: when it is pruned.
        until: when its training ends, where that is before the end of ``train``: at ``stop``.
        seed: of its initial weights and the order of its data.
        training, told: what the training, and the network that is pruned, are called while they are worked on.
    """

    model: Spec
    train: TrainSettings
    stop: Moment
    until: Moment | None
    seed: int
    training: str
    told: str


class Pruned(NamedTuple):
    """A network that is pruned and retrained in copies.

    Attributes:
        model: what it is built from.
        dense: its training before; in the key of its mask alone.
        density: kept / total of its prunable weights.
        seed: of the dense network; the orders of the copies follow from it.
        told: what it is called while it is worked on.
    """

    model: Spec
    dense: TrainSettings
    density: float
    seed: int
    told: str


@dataclass(frozen=True)
class RegimeJobs:
    """Makes the jobs of one setting of a recipe.

    Dense networks need not come from :meth:`start`: any job will do that leaves the tensors of a network as
    ``state_at`` does, and says ``diverged`` and ``state`` in its summary.
    """

    recipe: Regimes
    planner: Planner
    _made: dict[tuple[Any, ...], Job] = field(default_factory=dict)

    def trained(self, temperature: float, load: float, seed: int) -> Trained:
        """The dense network of a temperature, for a load.

        Raises:
            TrainingError: when it cannot be trained so.
            DataError: when a batch is larger than the data.
        """
        r, images = self.recipe, self.planner.data.train
        train = r.temperature.training(r.train, temperature, len(images))
        per_epoch = train.steps_per_epoch(images)
        stop, end = (Moment.parse(at, per_epoch) for at in (r.temperature.stop(r.train, temperature), train.epochs))
        hot = f"{r.temperature.name} {temperature:.12g}"
        wide = "" if r.load.name == "density" else f"{r.load.name} {load:.12g}"
        broken_off = r.temperature.name == "epochs"
        return Trained(
            r.load.model(r.model, load),
            train,
            stop,
            None if broken_off or stop == end else stop,
            seed,
            _listed("" if broken_off else hot, wide, f"seed {seed}"),
            _listed(hot, wide, f"seed {seed}"),
        )

    def pruned(self, temperature: float, load: float, seed: int) -> Pruned:
        """The network of a temperature, pruned to a load.

        Raises:
            TrainingError, DataError: as :meth:`trained`.
        """
        dense, density = self.trained(temperature, load, seed), self.recipe.load.density_of(load)
        told = _listed(f"{self.recipe.temperature.name} {temperature:.12g}", f"{self.recipe.load.name} {load:.12g}")
        return Pruned(dense.model, dense.train, density, seed, _listed(told, f"seed {seed}"))

    def dense(self, network: Trained) -> Job:
        """The run that trains it, and maybe on."""

        def make() -> Job:
            until = None if network.until is None else str(network.until)
            planner = self._planner(network.model, network.train)
            job = planner.dense(network.seed, _LOSS, until=until)
            return replace(job, label=self._label(f"dense, {network.training}"))

        return self._once(("dense", repr(network.model), network.train, network.until, network.seed), make)

    def start(self, network: Trained) -> Job:
        """Its state when it is pruned."""
        dense = self.dense(network)

        def make() -> Job:
            config = MomentConfig(
                **_shared(network.model, self.planner, network.train, network.seed), at=str(network.stop)
            )
            planner = self._planner(network.model, network.train)
            at_end = network.until is not None or network.stop.epoch == network.train.epochs
            again = 0.0 if at_end else network.stop.epochs % self.recipe.checkpoint_every
            cost = again * network.train.passes_per_step + _SHORT
            return planner.job(
                "state_at", config, {"dense": dense}, {}, f"state at {network.stop}, {network.told}", cost
            )

        return self._once(("start", dense, network.stop), make)

    def mask(self, network: Pruned, start: Job) -> Job:
        """What finds its mask in the dense network ``start``."""

        def make() -> Job:
            settings = self.recipe.prune.at_density(network.density)
            config = LevelMaskConfig(**_shared(network.model, self.planner, network.dense, network.seed), mask=settings)
            planner = self._planner(network.model, network.dense)
            label = f"mask of {network.told}"
            return planner.job("ticket_mask", config, {"earlier": start}, score_parts(settings), label, _SHORT)

        return self._once(("mask", start, network.density), make)

    def run(self, network: Pruned, start: Job, mask: Job, copy: int) -> Job:
        """What retrains a copy of it, to the end or only to the probe."""

        def make() -> Job:
            train, probe = self.recipe.retraining, self.probe
            until = probe if self.recipe.probe_only else None
            shared = _shared(network.model, self.planner, train, network.seed, order_of(network.seed, copy))
            config = RegimeConfig(
                **shared,
                last_epochs=self.recipe.last_epochs,
                probe=None if probe is None else str(probe),
                until=None if until is None else str(until),
            )
            cost = train.epochs if until is None else until.epochs
            label = f"copy {copy + 1} of {network.told}"
            planner = self._planner(network.model, train)
            return planner.job("regime_run", config, {"start": start, "mask": mask}, {}, label, cost)

        return self._once(("run", start, mask, copy), make)

    def pair(self, network: Pruned, runs: tuple[Job, Job], copies: tuple[int, int], at: At) -> Job:
        """What compares two copies of it, at the end or at the probe."""

        def make() -> Job:
            r = self.recipe
            config = RegimePairConfig(
                **_shared(network.model, self.planner, r.retraining, network.seed),
                order_seeds=tuple(order_of(network.seed, copy) for copy in copies),
                at=at,
                **r.compare.of_networks(),
            )
            label = f"copies {copies[0] + 1} and {copies[1] + 1} of {network.told}, at the {at}"
            planner = self._planner(network.model, r.retraining)
            inputs = {str(place): run for place, run in enumerate(runs)}
            return planner.job("regime_pair", config, inputs, {}, label, _PASS * 2 * r.compare.points)

        return self._once(("pair", runs, at), make)

    @property
    def probe(self) -> Moment | None:
        """The moment of retraining at which copies are looked at on their way; None: they are not."""
        said = self.recipe.compare.probe
        if said is None:
            return None
        return Moment.parse(said, self.recipe.retraining.steps_per_epoch(self.planner.data.train))

    @property
    def probes_the_end(self) -> bool:
        """Whether the probe is the end of retraining."""
        probe = self.probe
        return probe is not None and probe == Moment.parse(self.recipe.retraining.epochs, probe.steps_per_epoch)

    def _planner(self, model: Spec, train: TrainSettings) -> Planner:
        """The planner of jobs of another network, or of other training."""
        recipe = self.planner.recipe.model_copy(update={"model": model, "train": train})
        return replace(self.planner, recipe=recipe)

    def _label(self, text: str) -> str:
        return f"{self.planner.setting}: {text}" if self.planner.setting else text

    def _once(self, key: tuple[Any, ...], make: Callable[[], Job]) -> Job:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def order_of(seed: int, copy: int) -> int:
    """The order of data of a copy; the same for every network of a seed."""
    return derive_seed("retraining", seed, copy)


def _shared(model: Spec, planner: Planner, train: TrainSettings, seed: int, order: int | None = None) -> dict[str, Any]:
    """What every run follows from."""
    seeds = Seeds(init=seed, order=seed if order is None else order, pruning=seed)
    return {"model": model, "data": planner.recipe.data, "train": train, "seeds": seeds}


def _listed(*parts: str) -> str:
    return ", ".join(part for part in parts if part)
