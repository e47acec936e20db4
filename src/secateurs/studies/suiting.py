"""Whether a network and its data have what is needed to prune as a recipe says: seen before anything is run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import torch
from torch import nn

from secateurs.core import DataError, Group, PruningError, Spec, TrainingError, prunable
from secateurs.how import channel_groups, keep_top_channels, layer_counts, survivors
from secateurs.how.channels.choice import Scope
from secateurs.how.channels.counting import Counted
from secateurs.procedures import ChannelSettings, MaskSettings, RegrowthSettings
from secateurs.procedures.tickets import kept_by_level
from secateurs.what import CHANNELS_WITHOUT_EXAMPLES, WITHOUT_EXAMPLES
from secateurs.zoo import Dataset, build_model

Settings = MaskSettings | ChannelSettings


def check_pruning(model: Spec, data: Dataset, settings: Mapping[str, Settings], densities: Iterable[float]) -> None:
    """See at once whether network and data have what is needed to prune as ``settings`` say, by their paths.

    Raises:
        TrainingError: when the network does not suit the data.
        PruningError: when it has no part of an excluded name, or nothing else, or one of the ``densities``
            keeps not one of its weights, or cannot be reached by removing channels; one line for each path.
        DataError: when a class has fewer examples than a score is to see; one line for each path.
    """
    dense = _Dense(model.name, tuple(sorted(model.options.items())), data.input_shape, data.num_classes)
    network = dense.network()
    densities = tuple(densities)
    faults: list[str] = []
    for path, each in settings.items():
        try:
            if isinstance(each, ChannelSettings):
                found: Iterable[str] = (_unreachable(dense, _Ask.of(each), density) for density in densities)
            else:
                found = _kept_none(network, each, densities)
            faults += [f"{path}: {fault}" for fault in found if fault]
        except PruningError as error:
            faults.append(f"{path}.{error}")
    if faults:
        raise PruningError("\n".join(faults))
    _check_examples(data, settings)


def check_levels(
    model: Spec,
    data: Dataset,
    exclude: tuple[str, ...],
    scope: Literal["global", "layer", "erk"],
    densities: tuple[float, ...],
) -> None:
    """See that each level has something to drop, and leaves something.

    Raises:
        PruningError: naming the first level that does not.
    """
    dense = _Dense(model.name, tuple(sorted(model.options.items())), data.input_shape, data.num_classes)
    if densities:
        kept_by_level(prunable(dense.network(), exclude), densities, scope)


def check_layers(
    model: Spec, data: Dataset, settings: Mapping[str, RegrowthSettings], densities: Iterable[float]
) -> None:
    """See at once that no layer is empty whose mask would move: nothing is ever grown there.

    Raises:
        PruningError: naming the layers; one line for each path and density.
    """
    network = _Dense(model.name, tuple(sorted(model.options.items())), data.input_shape, data.num_classes).network()
    faults: list[str] = []
    for path, each in settings.items():
        weights = prunable(network, each.exclude)
        found = (each.model_copy(update={"density": density}).leaves_empty(weights) for density in densities)
        faults += [f"{path}: {fault}" for fault in found if fault]
    if faults:
        raise PruningError("\n".join(faults))


def check_weights_left(
    model: Spec, data: Dataset, exclude: tuple[str, ...], scope: Literal["global", "layer", "erk"], density: float
) -> None:
    """See that every layer that is pruned has a weight left, where how many it keeps does not follow from the weights.

    Raises:
        TrainingError: when the network does not suit the data.
        PruningError: naming the smallest layer that has none, and the least density, rounded up, at which all have.
    """
    if scope == "global":
        return
    dense = _Dense(model.name, tuple(sorted(model.options.items())), data.input_shape, data.num_classes)
    weights = prunable(dense.network(), exclude)

    def none_left(density: float) -> list[str]:
        return [name for name, kept in layer_counts(weights, density, scope).items() if not kept]

    empty = sorted(none_left(density), key=lambda name: weights[name].numel())
    if empty:
        least = next(each for each in _two_digits_from(density) if not none_left(each))
        layers = [name.removesuffix(".weight") for name in empty]
        among = f" and {len(empty) - 1} more layers" if len(empty) > 1 else ""
        raise PruningError(
            f"density: {density:g} leaves no weight in {layers[0]} (of {weights[empty[0]].numel()}){among}: ask for at "
            f"least {least:g}, leave what is empty alone with prune.exclude=[{','.join((*exclude, *layers))}], or say "
            "prune.scope=global"
        )


def _two_digits_from(density: float) -> Iterator[float]:
    """Densities of two digits, from the first that is no less than a given one up to 1.

    >>> list(_two_digits_from(0.961)), next(_two_digits_from(0.00613))
    ([0.97, 0.98, 0.99, 1.0], 0.0062)
    """
    exponent = math.floor(math.log10(density)) - 1
    digits = math.ceil(Fraction(density) / Fraction(10) ** exponent - Fraction(1, 10**6))
    while (value := digits * Fraction(10) ** exponent) <= 1:
        yield float(value)
        digits += 1
        if digits == 100:
            exponent, digits = exponent + 1, 10


class _Dense(NamedTuple):
    """What a dense network is built from; the many settings of a recipe share a few of them."""

    name: str
    options: tuple[tuple[str, Any], ...]
    input_shape: tuple[int, ...]
    num_classes: int

    def network(self) -> nn.Module:
        """Its shapes; they take no memory.

        Raises:
            TrainingError: when it does not suit the data, or no tensor is as large as one of its.
        """
        try:
            with torch.device("meta"):
                return build_model(Spec(self.name, dict(self.options)), self.input_shape, self.num_classes, seed=0)
        except (RuntimeError, TypeError, OverflowError) as error:
            if "overflow" not in str(error).lower():
                raise
            raise TrainingError(f"model: {self.name} has layers larger than any tensor: make it smaller") from error


class _Ask(NamedTuple):
    """What is asked of a choice of channels, besides how much is left."""

    exclude: tuple[str, ...]
    counted: Counted
    scope: Scope
    minimum: float
    multiple_of: int

    @classmethod
    def of(cls, settings: ChannelSettings) -> _Ask:
        return cls(*(getattr(settings, name) for name in cls._fields))


@lru_cache(maxsize=16)
def _groups(dense: _Dense, exclude: tuple[str, ...]) -> tuple[Group, ...]:
    example = torch.zeros(1, *dense.input_shape, device="meta")
    return tuple(channel_groups(dense.network(), example, exclude=exclude))


@lru_cache(maxsize=256)
def _unreachable(dense: _Dense, ask: _Ask, density: float) -> str:
    """Why a density cannot be reached by removing channels, whatever their scores; empty when it can."""
    groups = _groups(dense, ask.exclude)
    equal = {group.name: torch.zeros(group.units) for group in groups}
    try:
        keep_top_channels(
            groups,
            equal,
            density,
            counted=ask.counted,
            scope=ask.scope,
            minimum=ask.minimum,
            multiple_of=ask.multiple_of,
        )
    except PruningError as error:
        return str(error)
    return ""


def _kept_none(network: nn.Module, settings: MaskSettings, densities: tuple[float, ...]) -> Iterator[str]:
    total = sum(weight.numel() for weight in prunable(network, settings.exclude).values())
    for density in densities:
        if not survivors(density, total):
            yield f"density {density:g} keeps none of its {total} weights"


def _check_examples(data: Dataset, settings: Mapping[str, Settings]) -> None:
    counts = torch.bincount(data.train.targets.cpu())
    least = int(counts[counts > 0].min())
    few = [
        f"{path}.examples_per_class: {each.examples_per_class} are asked for, but the smallest class has {least} "
        f"training examples: set it to at most {least}"
        for path, each in settings.items()
        if _looks_at_examples(each) and each.examples_per_class > least
    ]
    if few:
        raise DataError("\n".join(few))


def _looks_at_examples(settings: Settings) -> bool:
    of_channels = isinstance(settings, ChannelSettings)
    return settings.score.name not in (CHANNELS_WITHOUT_EXAMPLES if of_channels else WITHOUT_EXAMPLES)
