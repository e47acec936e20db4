"""What every group of settings is: frozen, complete, and strict about its keys."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from secateurs.core import Moment, SecateursError, TrainingError, did_you_mean


class Settings(BaseModel):
    """Frozen; an unknown key is an error.

    Raises:
        SecateursError: the class's ``refusal``, with one line for each fault. What is read with
            ``model_validate`` raises pydantic's own, for whoever reads it to say where it stands.

    >>> class Bread(Settings):
    ...     minutes: int
    >>> Bread(minuts=3.5)
    Traceback (most recent call last):
    ...
    secateurs.core.errors.TrainingError: Bread: minutes: Field required
    Bread: minuts: unknown key; choices: minutes; did you mean 'minutes'?
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    refusal: ClassVar[type[SecateursError]] = TrainingError

    def __init__(self, /, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise self.refusal(_told(error, type(self))) from None

    # So that pydantic, where it reads settings within settings, goes its own way and collects all faults.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]


def _told(error: ValidationError, kind: type[BaseModel]) -> str:
    lines = []
    for fault in error.errors():
        path = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            told = f"unknown key{did_you_mean(path, kind.model_fields) if path == fault['loc'][0] else ''}"
        elif fault["type"] == "value_error":
            told = str(fault["ctx"]["error"])
        else:
            told = fault["msg"] if fault["type"] == "missing" else f"{fault['msg']} (got {fault['input']!r})"
        lines.append(": ".join(part for part in (kind.__name__, path, told) if part))
    return "\n".join(lines)


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
