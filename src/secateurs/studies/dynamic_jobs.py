"""The jobs of a cell of dynamic sparsity: one run of RigL or SET, or the phases of dynamic IMP and their masks."""

from __future__ import annotations

from secateurs.core import Moment
from secateurs.jobs import Job
from secateurs.studies.cell_parts import SCORING, CellParts, Made, named
from secateurs.studies.cells import Pruning
from secateurs.studies.dynamic_imp_runs import PhaseConfig, PhaseMaskConfig
from secateurs.studies.dynamic_runs import RegrowthConfig
from secateurs.studies.mask_runs import MaskConfig
from secateurs.studies.schema import DynamicImpRecipe, RegrowthRecipe


def regrown_cell(parts: CellParts, pruning: Pruning, settings: RegrowthRecipe, seed: int) -> Made:
    """The one run of a method whose mask moves on the way."""
    config = RegrowthConfig(**parts.trained(seed), regrowth=settings)
    label = f"{named(pruning)}, seed {seed}"
    run = parts.job("dynamic_run", config, {}, label, parts.recipe.train.epochs, settings.mask)
    return Made(Moment(0, parts.planner.steps_per_epoch), None, run)


def dynamic_imp_cell(parts: CellParts, pruning: Pruning, settings: DynamicImpRecipe, seed: int) -> Made:
    """Phase by phase: dense training, the mask, sparse training; the last one is the cell's run."""
    epochs = parts.recipe.train.epochs
    phases = settings.phases(epochs, parts.planner.steps_per_epoch)
    before: list[Job] = []
    scored = phases[0][1] if settings.first == "imp" else phases[0][0]
    found = MaskConfig(**parts.shared(seed), mask=settings.mask, at=str(scored))
    label = f"first mask of {named(pruning)}, scored at {scored}, seed {seed}"
    before.append(parts.job("mask_run", found, parts.dense_at(scored, seed), label, SCORING, settings.mask))
    earlier: dict[str, Job] = {}
    for number, (start, until) in enumerate(phases, 1):
        where = f"{named(pruning)}, phase {number} of {len(phases)}"
        cost = max((until.steps - start.steps) / until.steps_per_epoch, 0.5)
        config = PhaseConfig(**parts.trained(seed), at=str(start), until=str(until))
        if earlier:
            label = f"{where}, densely, seed {seed}"
            dense = parts.job("dynamic_phase", config, earlier, label, cost)
            asked = PhaseMaskConfig(**parts.shared(seed), dynamic=settings)
            inputs = {"dense": dense, **earlier}
            label = f"mask of {where}, seed {seed}"
            before += [dense, parts.job("phase_mask", asked, inputs, label, SCORING, settings.mask)]
            config = config.model_copy(update={"again": settings.reinitialise})
        label = f"{where}, seed {seed}"
        run = parts.job("dynamic_phase", config, {**earlier, "mask": before[-1]}, label, cost)
        before.append(run)
        earlier = {"earlier": run}
    return Made(scored, None, before[-1], tuple(before[:-1]))
