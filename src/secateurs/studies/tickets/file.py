"""A ticket as a file that needs no secateurs: rewound weights and their mask; and what the search for it came to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from secateurs.core import StoreError, is_matching, under
from secateurs.how import Mask
from secateurs.jobs import Entry, Store
from secateurs.jobs.files import write_tensors
from secateurs.measure.costs import Emissions
from secateurs.studies.charged import emissions_of
from secateurs.studies.tickets.plan import TicketCell, TicketsPlan

TICKET_FILE, TICKET_RESULT = "ticket.safetensors", "ticket.json"

MASK_PREFIX = "mask."
"""What the names of masks begin with in the file; the names of weights and buffers are those of the ``state_dict``."""


@dataclass(frozen=True)
class LevelResult:
    """What one level came to, on validation data; level 0 is the dense network.

    Attributes:
        density: what was asked for.
        kept, total: prunable weights; None where the network diverged before a mask could be found.
        accuracy: on validation data, a fraction; None where the run diverged.
        difference: to the dense network's, as a fraction; None of the dense network.
        matching: whether it is at most ``matching_within`` below the dense network's.
        empty_layers: in which nothing is left.
        diverged: the moment after which the loss was no longer finite.
    """

    level: int
    density: float
    kept: int | None
    total: int | None
    accuracy: float | None
    difference: float | None
    matching: bool | None
    empty_layers: tuple[str, ...]
    diverged: str | None


@dataclass(frozen=True)
class Ticket:
    """A ticket that was found, and the way to it.

    Attributes:
        mask: of the last level; None where the network diverged before it could be found.
        weights: W_k by the names of the network's ``state_dict``, buffers included, zero where the mask drops; none
            where there is no mask.
        levels: the dense network and every level.
        test: accuracies on test data of ``dense`` and of ``ticket``; looked at for nothing but to be told.
        summary: of the ticket's training, as the job has it.
        rewind, steps: k, and in optimiser steps.
        emissions: energy and CO2eq of all jobs; None unless all were measured.
    """

    mask: Mask | None
    weights: dict[str, Tensor]
    levels: tuple[LevelResult, ...]
    test: dict[str, float | None]
    summary: dict[str, Any]
    rewind: str
    steps: int
    emissions: Emissions | None

    def tensors(self) -> dict[str, Tensor]:
        """What the file holds: weights and buffers by their names, then ``mask.<name>``, bool, true where kept.

        Raises:
            StoreError: when the network has tensors whose own names begin so.
        """
        taken = [name for name in self.weights if name.startswith(MASK_PREFIX)]
        if taken:
            raise StoreError(
                f"ticket: the network's {taken[0]!r} would be taken for a mask, whose names begin with "
                f"{MASK_PREFIX!r}: give that part of the network another name"
            )
        mask = {} if self.mask is None else {f"{MASK_PREFIX}{name}": self.mask[name] for name in self.mask}
        return {**self.weights, **mask}

    def write(self, path: Path) -> bool:
        """Write the file where there is a ticket. Whether there is one.

        Raises:
            StoreError: when the system refuses, or names clash.
        """
        if self.mask is None:
            return False
        write_tensors(path, self.tensors())
        return True


def ticket_of(plan: TicketsPlan, store: Store) -> Ticket:
    """The ticket that a finished study of one ticket and one seed found: that of its last level.

    Raises:
        StoreError: when the study is not finished, or is of several tickets or seeds.
    """
    dense, *cells = sorted(plan.cells(), key=lambda cell: cell.level)
    if len({cell.level for cell in plan.cells()}) < len(plan.cells()) or not cells or cells[-1].rewind is None:
        raise StoreError(f"{plan.recipe.title}: there is more than one ticket, or none that is rewound")
    k = cells[-1].rewind
    masks = [_mask(cell, store) for cell in cells]
    total = next((mask.total for mask in masks if mask is not None), None)
    ends = [store.entry(cell.run) for cell in cells]
    begin = store.entry(dense.run)
    reference, within = _accuracy(begin, "validation"), plan.recipe.matching_within
    levels = [LevelResult(0, 1.0, total, total, reference, None, None, (), begin.summary["diverged"])]
    for cell, mask, end in zip(cells, masks, ends, strict=True):
        accuracy = _accuracy(end, "validation")
        levels.append(
            LevelResult(
                level=cell.level,
                density=cell.density,
                kept=None if mask is None else mask.kept,
                total=total,
                accuracy=accuracy,
                difference=None if accuracy is None or reference is None else accuracy - reference,
                matching=None if reference is None else is_matching(accuracy, reference, within),
                empty_layers=() if mask is None else mask.empty_layers(),
                diverged=end.summary["diverged"],
            )
        )
    weights: dict[str, Tensor] = {}
    if masks[-1] is not None:
        weights = under("model", store.entry(plan.starts[dense.seed, k]).tensors("state"))
        weights |= {name: weights[name].masked_fill(~kept, 0) for name, kept in masks[-1].items()}
    return Ticket(
        mask=masks[-1],
        weights=weights,
        levels=tuple(levels),
        test={"dense": _accuracy(begin, "test"), "ticket": _accuracy(ends[-1], "test")},
        summary=dict(ends[-1].summary),
        rewind=str(k),
        steps=k.steps,
        emissions=emissions_of(*(store.entry(job) for job in plan.graph().jobs)),
    )


def _mask(cell: TicketCell, store: Store) -> Mask | None:
    """None where the network diverged before it could be found."""
    if cell.mask is None:
        return None
    found = store.entry(cell.mask)
    return None if found.summary["diverged"] is not None else Mask.from_tensors(found.tensors("mask"))


def _accuracy(run: Entry, part: str) -> float | None:
    """None where the run diverged."""
    accuracy: float | None = run.summary.get(f"{part}_accuracy")
    return None if run.summary["diverged"] is not None else accuracy
