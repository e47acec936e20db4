"""What every method of a study of methods is: a change that is laid on what is common, written down as it was said."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Self

from pydantic import PrivateAttr, field_validator, model_serializer

from secateurs.core import Trigger
from secateurs.train import Settings


class AsWritten(Settings):
    """Its density is the study's to say.

    It is written down again as it was written, without what it inherited and what was filled in: a
    setting that changes the study's ``prune`` then changes every method that does not say otherwise.
    """

    _written: dict[str, Any] = PrivateAttr(default_factory=dict)

    @abstractmethod
    def at_density(self, density: float) -> Settings:
        """The method at one density, as jobs take it."""

    @abstractmethod
    def faults(self, densities: tuple[float, ...], epochs: int) -> Iterator[str]:
        """What does not fit together, or into a run of so many epochs, each with the field that says it."""

    def trigger(self, density: float, epochs: int, seed: int = 0) -> Trigger | None:
        """What decides when it is pruned to a density in a run of a seed; None where no trigger does.

        Raises:
            SignalError: when the run does not suit it.
        """
        del density, epochs, seed
        return None

    def remembering(self, written: Any) -> Self:
        """Itself, to be written down again as ``written``."""
        if isinstance(written, Mapping):
            self._written = dict(written)
        return self

    @field_validator("density", mode="before", check_fields=False)
    @classmethod
    def _density_is_the_study_s(cls, density: Any) -> Any:
        raise ValueError(f"densities are the study's: put {density} among its densities")

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return self._written
