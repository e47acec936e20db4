"""The loads of a study of regimes: how much is asked of what is left of a network after pruning (P4 section 2.1)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from secateurs.core import Spec, did_you_mean
from secateurs.studies.parts import parameters_of
from secateurs.studies.schema.common import no_repeats
from secateurs.train import Settings
from secateurs.zoo import MODELS

Density = Annotated[float, Field(gt=0, le=1)]


class _Load(Settings):
    """What all have in common: ``values``, in any order, each once."""

    _no_value_twice = field_validator("values", check_fields=False)(no_repeats)


class Densities(_Load):
    """Kept / total over the prunable weights; sparser networks bear more load."""

    name: Literal["density"] = "density"
    values: tuple[Density, ...] = Field(min_length=1)

    def model(self, model: Spec, value: float) -> Spec:
        """The recipe's network, whatever the density."""
        del value
        return model

    def density_of(self, value: float) -> float:
        """The load is the density."""
        return value

    def faults(self, model: Spec) -> Iterator[str]:
        """None."""
        del model
        yield from ()


class Widths(_Load):
    """Factors of the network's option ``width``, pruned to one density; narrower networks bear more load.

    P4 (table 1) takes 0.5 to 8 at a density of 5 %.
    """

    name: Literal["width"] = "width"
    values: tuple[Annotated[float, Field(gt=0)], ...] = Field(min_length=1)
    density: Density

    def model(self, model: Spec, value: float) -> Spec:
        """The network so many times as wide.

        >>> Widths(values=(0.5,), density=0.05).model(Spec("preresnet20", {"width": 16}), 0.5).options["width"]
        8
        """
        return _with(model, width=round(model.options["width"] * value))

    def density_of(self, value: float) -> float:
        """The same for all widths."""
        del value
        return self.density

    def faults(self, model: Spec) -> Iterator[str]:
        """A network that has no width, and factors that come to no whole number of channels."""
        width = model.options.get("width")
        if width is None:
            yield _lacks(model, "width")
            return
        for value in self.values:
            channels = width * value
            if round(channels) < 1 or abs(channels - round(channels)) > 1e-6:
                yield (
                    f"load.values: {value:g} times the width {width} are {channels:g} channels: "
                    "choose factors that come to whole ones"
                )


class Depths(_Load):
    """The network's option ``depth``, pruned to one density. P4 (table 2) takes 20 to 152 at a density of 5 %."""

    name: Literal["depth"] = "depth"
    values: tuple[Annotated[int, Field(gt=0)], ...] = Field(min_length=1)
    density: Density

    def model(self, model: Spec, value: float) -> Spec:
        """The network of that depth.

        >>> Depths(values=(32,), density=0.05).model(Spec("preresnet", {"depth": 20}), 32).options["depth"]
        32
        """
        return _with(model, depth=int(value))

    def density_of(self, value: float) -> float:
        """The same for all depths."""
        del value
        return self.density

    def faults(self, model: Spec) -> Iterator[str]:
        """A network whose depth is no option."""
        if "depth" not in model.options:
            yield _lacks(model, "depth")


def _with(model: Spec, **options: Any) -> Spec:
    return Spec(model.name, {**model.options, **options})


def _lacks(model: Spec, option: str) -> str:
    able = [name for name, network in MODELS.items() if option in parameters_of(network)]
    others = did_you_mean(model.name, able)
    return f"load.name: the network {model.name!r} has no option {option!r}; take another one{others}"


Load = Annotated[Densities | Widths | Depths, Field(discriminator="name")]
"""One of the three, by its name."""

__all__ = ["Densities", "Depths", "Load", "Widths"]
