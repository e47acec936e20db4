"""A study of lottery tickets as a graph of jobs: levels x tickets x moments k x replicates (P2 chapters 3 and 4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from secateurs.core import Moment
from secateurs.jobs import Graph, Job
from secateurs.procedures.instability import After
from secateurs.studies.plan import ForeseenPlan, Planner
from secateurs.studies.schema import Tickets
from secateurs.studies.schema.ticket import DENSE
from secateurs.studies.suiting import check_levels
from secateurs.studies.tickets.jobs import Network, TicketJobs


@dataclass(frozen=True)
class TicketCell:
    """One network of the study: a ticket at a level, from a moment k, with a seed, and its jobs.

    Cells may share jobs: IMP's first level is one-shot pruning, and the dense run is the dense network of every k.

    Attributes:
        ticket: its name in the recipe; ``"dense"`` is the network without a mask.
        level, density: 0 and 1.0 of the dense network.
        rewind: k; None of weights that are not rewound.
        mask: finds what is kept, before it is shuffled; None of the dense network.
        run: trains it.
        compared: compares copies of it at their end, by what they do after k, one job for each pair: copies 0 and 1,
            0 and 2, ..., 1 and 2, ...; empty where that is not asked for.
        throughout: compares copies on the way, where that is asked for.
        dilated: trains it from step 0 in so many times the time. Epochs are whole: the factor is the one that they
            come to.
    """

    ticket: str
    level: int
    density: float
    rewind: Moment | None
    seed: int
    mask: Job | None
    run: Job
    compared: Mapping[After, tuple[Job, ...]] = field(default_factory=dict)
    throughout: Job | None = None
    dilated: Mapping[float, Job] = field(default_factory=dict)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """What is wanted for it."""
        pairs = (job for jobs in self.compared.values() for job in jobs)
        wanted = (self.mask, self.run, *pairs, self.throughout, *self.dilated.values())
        return tuple(job for job in wanted if job is not None)


@dataclass(frozen=True)
class TicketsPlan(ForeseenPlan):
    """The plan of one setting of a recipe on a kind of device.

    Attributes:
        dense: the dense run of each seed.
        starts: the job that keeps the dense run's state at k, by seed and k.

    Raises:
        TrainingError: when a moment lies outside the run, the device lacks the precision, or the network does not
            suit the data.
        PruningError: when ``prune.exclude`` names what the network has not, or there is a level at which nothing
            can be dropped, or nothing is left.
        DataError: when the data cannot be used, or a batch is larger than they are.
    """

    recipe: Tickets
    device: str = "cpu"
    setting: str = ""
    dense: Mapping[int, Job] = field(init=False)
    starts: Mapping[tuple[int, Moment], Job] = field(init=False)

    def __post_init__(self) -> None:
        r = self.recipe
        self._planner.check_pruning({"prune": r.prune.at_density(1.0)}, ())
        check_levels(r.model, self._planner.data, r.prune.exclude, r.prune.scope, r.level_densities)
        moments = sorted({moment for each in self._moments.values() for moment in each})
        object.__setattr__(self, "dense", {seed: self._jobs.dense(seed) for seed in r.seeds})
        starts = {(seed, at): self._jobs.start(seed, at) for seed in r.seeds for at in moments}
        object.__setattr__(self, "starts", starts)

    @property
    def steps_per_epoch(self) -> int:
        """Optimiser steps in one epoch of the recipe."""
        return self._planner.steps_per_epoch

    def cells(self) -> tuple[TicketCell, ...]:
        """All networks: seed by seed the dense one at each k, then ticket by ticket, k by k, level by level."""
        return self._cells

    def graph(self) -> Graph:
        """Dense runs, states at k, and what is found, trained and compared; all is known beforehand."""
        wanted = (job for cell in self._cells for job in cell.jobs)
        return Graph((*self.dense.values(), *self.starts.values(), *wanted))

    @cached_property
    def _planner(self) -> Planner:
        return Planner(self.recipe, self.device, self.setting)

    @cached_property
    def _jobs(self) -> TicketJobs:
        return TicketJobs(self.recipe, self._planner, self._densities)

    @cached_property
    def _densities(self) -> tuple[float, ...]:
        """Of levels 0, 1, ..."""
        return (1.0, *self.recipe.level_densities)

    @cached_property
    def _moments(self) -> dict[str, tuple[Moment, ...]]:
        """By name of a ticket, or ``dense``, the moments k that it starts from, each once."""
        found = {}
        for name in (DENSE, *self.recipe.tickets):
            own = name != DENSE and self.recipe.tickets[name].rewind is not None
            where = f"tickets.{name}.rewind" if own else "rewind"
            moments = (self._planner.moment(text, where) for text in self.recipe.rewind_of(name))
            found[name] = tuple(dict.fromkeys(moments))
        return found

    @cached_property
    def _cells(self) -> tuple[TicketCell, ...]:
        return tuple(self._cell(network) for seed in self.recipe.seeds for network in self._networks(seed))

    def _networks(self, seed: int) -> Iterator[Network]:
        for name in (DENSE, *self.recipe.tickets):
            for at in self._moments[name] or (None,):
                for level in self.recipe.levels_of(name):
                    yield Network(name, self.recipe.tickets.get(name), level, at, seed)

    def _cell(self, network: Network) -> TicketCell:
        jobs, wanted, dilation = self._jobs, self.recipe.instability, self.recipe.dilation
        compares = network.name in wanted.of and network.level in (0, *wanted.levels)
        dilates = network.name in dilation.of and network.level in (0, *dilation.levels)
        dilates = dilates and network.at is not None and not network.at.steps
        on_the_way = self._on_the_way(network.at) if compares else ()
        return TicketCell(
            ticket=network.name,
            level=network.level,
            density=self._densities[network.level],
            rewind=network.at,
            seed=network.seed,
            mask=jobs.mask(network),
            run=jobs.run(network),
            compared={after: jobs.compared(network, after) for after in wanted.after} if compares else {},
            throughout=jobs.throughout(network, on_the_way) if on_the_way else None,
            dilated={factor: jobs.dilated(network, factor) for factor in self._factors} if dilates else {},
        )

    @cached_property
    def _factors(self) -> tuple[float, ...]:
        """What the factors of dilation come to in whole epochs, rising."""
        return tuple(sorted({self.recipe.train.dilation(factor) for factor in self.recipe.dilation.factors}))

    def _on_the_way(self, at: Moment | None) -> tuple[Moment, ...]:
        """Where copies that are made at k are compared on their way: at multiples of ``throughout``, and at the end."""
        every = self.recipe.instability.throughout
        if every is None or at is None:
            return ()
        step = Moment.parse(every, at.steps_per_epoch).steps
        end = self.recipe.train.epochs * at.steps_per_epoch
        steps = [*range(step * (at.steps // step + 1), end, step), end] if at.steps < end else []
        return tuple(Moment(each, at.steps_per_epoch) for each in steps)


__all__ = ["TicketCell", "TicketsPlan"]
