"""What every group of settings is: frozen, complete, and strict about its keys."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from secateurs.core import Moment, TrainingError


class Settings(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def readable_moment(value: Any) -> Any:
    """The value as it is, when it is a moment as a person writes it.

    Raises:
        ValueError: when it is not.
    """
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ValueError(f"a moment is written 12, '12ep' or '500it', got {value!r}")
    try:
        Moment.parse(value, 1)
    except TrainingError as error:
        raise ValueError(str(error)) from error
    return value


MomentText = Annotated[int | str, BeforeValidator(readable_moment)]
"""A moment as a person writes it: epochs, or ``"12ep"``, ``"500it"``; resolved once the steps per epoch are known."""


def named(value: Any) -> Any:
    """``"adam"`` as ``{"name": "adam"}``: a part that is chosen by name alone keeps its defaults."""
    return {"name": value} if isinstance(value, str) else value
