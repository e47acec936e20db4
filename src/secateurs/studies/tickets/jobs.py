"""The jobs of a study of lottery tickets, each made once: what two tickets share is one job."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, NamedTuple

from secateurs.core import Moment, Spec, derive_seed
from secateurs.jobs import Job
from secateurs.procedures.instability import After
from secateurs.studies.plan import Planner, left_to_train
from secateurs.studies.runs import MomentConfig
from secateurs.studies.schema import LooksRecipe, TicketRecipe, Tickets
from secateurs.studies.schema.pruning import score_parts
from secateurs.studies.tickets.compared import ComparedConfig, ThroughoutConfig
from secateurs.studies.tickets.runs import LevelMaskConfig, TicketConfig
from secateurs.train import Seeds

_LOSS = (Spec("loss"),)  # all that the dense runs watch
_RANDOM = Spec("random")
_SHORT = 0.1  # what a job counts in progress bars that trains nothing, in epochs
_PASS = 0.2  # a pass over training and test data


class Network(NamedTuple):
    """What is trained in the study: a ticket at a level, from a moment k, with a seed.

    Attributes:
        name: of the ticket; for people.
        said: the ticket; None is the dense network.
        level: 0 is the dense network's.
        at: k; None of weights that are not rewound.
    """

    name: str
    said: TicketRecipe | None
    level: int
    at: Moment | None
    seed: int

    @property
    def told(self) -> str:
        """What it is called while it is worked on, without its seed."""
        level = "" if self.said is None else f", level {self.level}"
        return f"{self.name}{level}" + ("" if self.at is None else f", from {self.at}")


@dataclass(frozen=True)
class TicketJobs:
    """Makes the jobs of one setting of a recipe.

    Attributes:
        densities: of levels 0, 1, ...
    """

    recipe: Tickets
    planner: Planner
    densities: tuple[float, ...]
    _made: dict[tuple[Any, ...], Job] = field(default_factory=dict)
    _chains: dict[tuple[Any, ...], list[Job]] = field(default_factory=dict)

    def dense(self, seed: int) -> Job:
        """The dense run of a seed."""
        return self._once(("dense", seed), lambda: self.planner.dense(seed, _LOSS, looks=self._looks))

    def start(self, seed: int, at: Moment) -> Job:
        """The dense run's state at a moment; at step 0 no run is needed for that."""

        def make() -> Job:
            config = MomentConfig(**self._shared(seed, seed), at=str(at))
            dense = {"dense": self.dense(seed)} if at.steps else {}
            return self.planner.job("state_at", config, dense, {}, f"state at {at}, seed {seed}", _SHORT)

        return self._once(("start", seed, at), make)

    def mask(self, network: Network) -> Job | None:
        """What finds a ticket's mask; None of the dense network."""
        said, level, seed = network.said, network.level, network.seed
        if said is None:
            return None
        if said.search == "random":
            return self._mask(level, seed, None, f"level {level}, random")
        if said.search == "one_shot":
            return self._mask(level, seed, self.dense(seed), f"level {level}" + (", one shot" if level > 1 else ""))
        return self._next_mask(network, level)

    def run(self, network: Network) -> Job:
        """What trains it; of the dense network, the dense run."""
        if network.said is None:
            return self.dense(network.seed)
        if network.said.is_chain:
            return self._ended(network, network.level)
        earlier = self.dense(network.seed) if network.said.weights == "trained" else None
        return self._trained(network, self.mask(network), earlier)

    def compared(self, network: Network, after: After) -> tuple[Job, ...]:
        """What compares copies of it at their end, one job for every pair; its run in the study is the first copy."""
        copies = self.recipe.instability.copies
        after = "continue" if network.at is not None and not network.at.steps else after  # that is the same
        runs = [self._copy(network, after, copy) for copy in range(copies)]
        begins = self._begins(network, self.mask(network))
        jobs = []
        for pair in combinations(range(copies), 2):
            config = ComparedConfig(**self._comparing(network, pair), after=after)
            which = f", copies {pair[0] + 1} and {pair[1] + 1}" if copies > 2 else ""
            label = f"instability of {network.told}{which}" + (", replayed" if after == "replay" else "")
            inputs = {**{str(place): runs[copy] for place, copy in enumerate(pair)}, **begins}
            jobs.append(self._job("compared_run", config, inputs, label, network.seed, self._comparison))
        return tuple(jobs)

    def throughout(self, network: Network, moments: tuple[Moment, ...]) -> Job:
        """What trains copies of it side by side and compares them at each of the moments."""
        copies = range(self.recipe.instability.copies)
        config = ThroughoutConfig(**self._comparing(network, copies), moments=tuple(map(str, moments)))
        pairs = len(list(combinations(copies, 2)))
        cost = len(copies) * self._left(network, "continue") + len(moments) * pairs * self._comparison
        label = f"instability throughout of {network.told}"
        return self._job("throughout_run", config, self._begins(network, self.mask(network)), label, network.seed, cost)

    def dilated(self, network: Network, factor: float) -> Job:
        """What trains it from step 0 in so many times the time; by a factor of 1 that is its run."""
        train = self.recipe.train.dilated(factor, self.planner.steps_per_epoch)
        if train == self.recipe.train:
            return self.run(network)
        config = TicketConfig(**{**self._training(network, 0), "train": train}, numbers_only=True)
        inputs = self._begins(network, self.mask(network))
        return self._job("ticket_run", config, inputs, f"{network.told}, x {factor:.3g}", network.seed, train.epochs)

    def _copy(self, network: Network, after: After, copy: int) -> Job:
        if after == "continue" and copy == 0:
            return self.run(network)
        config = TicketConfig(**self._training(network, copy), after=after)
        label = f"copy {copy + 1} of {network.told}" + (", replayed" if after == "replay" else "")
        inputs = self._begins(network, self.mask(network))
        return self._job("ticket_run", config, inputs, label, network.seed, self._left(network, after))

    def _ended(self, network: Network, level: int) -> Job:
        """The run of a level whose end the next level goes on from: the dense run at 0, then IMP's, or the ticket's."""
        link = _link(network)
        trained = network.at is None
        runs = self._chains.setdefault((network.at, network.seed), [self.dense(network.seed)])
        for below in range(len(runs), level + 1):
            mask, earlier = self._next_mask(link, below), runs[-1] if trained else None
            runs.append(self._trained(link._replace(level=below), mask, earlier))
        return runs[level]

    def _next_mask(self, network: Network, level: int) -> Job:
        """The mask of a level of a chain; the first one is found in one shot, whatever the chain."""
        told = _link(network)._replace(level=level).told if level > 1 else f"level {level}"
        return self._mask(level, network.seed, self._ended(network, level - 1), told)

    def _trained(self, network: Network, mask: Job | None, earlier: Job | None) -> Job:
        said = network.said
        key = ("run", said and (said.weights, said.shuffled), mask, earlier, network.at, network.seed)

        def make() -> Job:
            config = TicketConfig(**self._training(network, 0), looks=self._looks)
            inputs = self._begins(network, mask, earlier)
            return self._job("ticket_run", config, inputs, network.told, network.seed, self._left(network, "continue"))

        return self._once(key, make)

    def _mask(self, level: int, seed: int, earlier: Job | None, told: str) -> Job:
        def make() -> Job:
            settings = self.recipe.prune.at_density(self.densities[level], None if earlier else _RANDOM)
            config = LevelMaskConfig(**self._shared(seed, seed), mask=settings)
            inputs = {"earlier": earlier} if earlier else {}
            label = f"mask of {told}, seed {seed}"
            return self.planner.job("ticket_mask", config, inputs, score_parts(settings), label, _SHORT)

        return self._once(("mask", level, seed, earlier), make)

    def _begins(self, network: Network, mask: Job | None, earlier: Job | None = None) -> dict[str, Job]:
        """The jobs that a network is begun from."""
        start = {} if network.at is None else {"start": self.start(network.seed, network.at)}
        return start | ({"mask": mask} if mask else {}) | ({"earlier": earlier} if earlier else {})

    def _training(self, network: Network, copy: int) -> dict[str, Any]:
        """What the training of a copy of a network follows from; copy 0 has the order of the dense run."""
        order = _order(network.seed, copy)
        said = {} if network.said is None else {"weights": network.said.weights, "shuffled": network.said.shuffled}
        return {**self._shared(network.seed, order), **said}

    def _comparing(self, network: Network, copies: Iterable[int]) -> dict[str, Any]:
        """What a comparison of copies follows from."""
        orders = tuple(_order(network.seed, copy) for copy in copies)
        return {**self._training(network, 0), "order_seeds": orders, "points": self.recipe.instability.points}

    def _shared(self, seed: int, order: int) -> dict[str, Any]:
        """What every run follows from."""
        r, seeds = self.recipe, Seeds(init=seed, order=order, pruning=seed)
        return {"model": r.model, "data": r.data, "train": r.train, "seeds": seeds}

    def _left(self, network: Network, after: After) -> float:
        """Epochs that follow."""
        epochs = self.recipe.train.epochs
        return epochs if network.at is None else left_to_train(after, network.at, epochs)

    @property
    def _comparison(self) -> float:
        """What comparing two copies counts in progress bars, in epochs."""
        return _PASS * self.recipe.instability.points

    @property
    def _looks(self) -> LooksRecipe | None:
        asked = self.recipe.looks
        if asked is None:
            return None
        every = Moment.parse(asked.every, self.planner.steps_per_epoch)
        return asked.model_copy(update={"every": str(every)})

    def _job(
        self, name: str, config: TicketConfig, inputs: Mapping[str, Job], label: str, seed: int, cost: float
    ) -> Job:
        return self.planner.job(name, config, inputs, {}, f"{label}, seed {seed}", cost)

    def _once(self, key: tuple[Any, ...], make: Callable[[], Job]) -> Job:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def _order(seed: int, copy: int) -> int:
    """The order of data of a copy; copy 0 has that of the dense run."""
    return derive_seed("instability", seed, copy) if copy else seed


def _link(network: Network) -> Network:
    """The chain that a network's masks come from: its own, or IMP's with its k."""
    if network.said is not None and network.said.is_chain:
        return network
    return network._replace(name="IMP", said=TicketRecipe())
