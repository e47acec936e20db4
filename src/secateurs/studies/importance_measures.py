"""P3's measures of importance at one moment of a dense run, and how they go together.

The definitions, where the paper leaves a choice:

* **Units.** A filter is an output channel of a convolution, each by itself, also where residual adds couple
  it with others (the paper prunes layers of a residual module by different shares). Single weights are
  those of the same convolutions.
* **Change** (figures 2, 31, 35). At the end of epoch t, ``|s_t (s_t - s_{t-1})|`` with s the scale gamma of
  the batch norm that follows the filter, or the weight itself: the epoch just passed is the one whose two
  masks are compared. It is correlated with loss preservation at t, ``|sum theta g|`` over the filter (eq. 3),
  or ``|theta g|`` of a weight. For filters two more coefficients stand beside it: with ``sum |theta g|``,
  which the tables of P3 were made with, and with ``|gamma g_gamma|`` of the scale alone, of which eq. 10 speaks.
* **Masks.** Of all these s together, those with the largest ``|s|`` stay; the distance is that of the masks
  at t - 1 and t, differing entries / all entries (You et al. 2020, consecutive epochs).
* **Flow** (figures 3, 13-15, 32-34, 36-38). ``theta' Hg`` against ``theta' g`` at one moment, with signs.
* g and H are those of the mean loss (temperature 1, running statistics) over a balanced draw of training
  examples, with respect to all prunable weights that are not excluded; the coefficient is Pearson's, over
  the units of all layers at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from secateurs.core import generator_for
from secateurs.how import keep_top
from secateurs.measure import pearson
from secateurs.studies.schema.importance import Unit
from secateurs.what import Products, filter_sums


@dataclass(frozen=True)
class Looked:
    """What is looked at in a network: weights of convolutions by name, and the scale that follows each, by theirs."""

    weights: tuple[str, ...]
    scales: Mapping[str, str]

    def sizes(self, unit: Unit) -> dict[str, str]:
        """Weight that says the importance -> parameter that says the magnitude: the scale, or the weight itself."""
        if unit == "weights":
            return {name: name for name in self.weights}
        return {name: self.scales[name] for name in self.weights if name in self.scales}


@dataclass(frozen=True)
class Change:
    """How the change of magnitude over an epoch goes with loss preservation at its end.

    Attributes:
        mask_distance: of the masks at the epoch's beginning and end.
        entries: units that were compared.
        correlation: with ``|sum theta g|`` of a filter (P3 eq. 3), ``|theta g|`` of a weight; None where one
            side is constant.
        of_sums: with ``sum |theta g|`` (filters).
        of_scales: with ``|gamma g_gamma|`` (filters).
    """

    mask_distance: float
    entries: int
    correlation: float | None
    of_sums: float | None = None
    of_scales: float | None = None


@dataclass(frozen=True)
class Flow:
    """How theta' Hg goes with theta' g at a moment: Pearson's coefficient over all units, and some of the pairs."""

    correlation: float | None
    entries: int
    points: Tensor
    """``[n, 2]`` float32: theta' g, theta' Hg; drawn without repetition, in the order of the units."""


def kept_back(model: nn.Module, looked: Looked, units: Iterable[Unit]) -> dict[str, Tensor]:
    """Copies of what says the magnitudes, to be compared with an epoch later."""
    parameters = dict(model.named_parameters())
    names = dict.fromkeys(name for unit in units for name in looked.sizes(unit).values())
    return {name: parameters[name].detach().clone() for name in names}


def change(
    before: Mapping[str, Tensor], now: Mapping[str, Tensor], found: Products, looked: Looked, unit: Unit, density: float
) -> Change:
    """Compare two ends of epochs, see the definitions above.

    Args:
        before, now: as :func:`kept_back` gives them, one epoch apart.
        found: at the end of the epoch, of the weights and, for filters, of the scales.
        density: kept / total of the masks.
    """
    sizes = looked.sizes(unit)
    moved = flat({name: now[size] * (now[size] - before[size]) for name, size in sizes.items()}).abs()
    masks = [keep_top({name: at[size].abs() for name, size in sizes.items()}, density) for at in (before, now)]
    apart = masks[0].distance(masks[1])
    first = {name: found.first[name] for name in sizes}
    if unit == "weights":
        return Change(apart, moved.numel(), pearson(moved, flat(first).abs()))
    of_filters, of_sums = filter_sums(first), filter_sums({name: each.abs() for name, each in first.items()})
    of_scales = {size: found.first[size] for size in sizes.values()}
    coefficients = [pearson(moved, flat(each).abs()) for each in (of_filters, of_sums, of_scales)]
    return Change(apart, moved.numel(), *coefficients)


def flow(found: Products, looked: Looked, unit: Unit, points: int, seed: int) -> Flow:
    """Compare both products, see the definitions above; the pairs kept are of the same units at every moment."""
    first, second = ({name: of[name] for name in looked.weights} for of in (found.first, found.second))
    if unit == "channels":
        first, second = filter_sums(first), filter_sums(second)
    x, y = flat(first), flat(second)
    order = torch.randperm(x.numel(), generator=generator_for("scatter", seed, unit))
    chosen = order[:points].sort().values
    return Flow(pearson(x, y), x.numel(), torch.stack([x[chosen], y[chosen]], 1).float().contiguous())


def flat(values: Mapping[str, Tensor]) -> Tensor:
    """All entries in one row, on the CPU.

    >>> flat({"a": torch.ones(1, 2), "b": torch.zeros(1)}).tolist()
    [1.0, 1.0, 0.0]
    """
    return torch.cat([each.detach().flatten().cpu() for each in values.values()])
