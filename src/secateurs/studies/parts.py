"""Named parts in recipes: a name from a table, and options checked against the part's own signature.

``Annotated[Spec, Part(MODELS)]`` is a pydantic type that reads ``"digits_resnet"`` or
``{"name": "digits_resnet", "width": 8}``, refuses what the part does not take, fills in every
default (so that a changed default is a changed key) and yields a :class:`~secateurs.core.Spec`.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    create_model,
)
from pydantic_core import CoreSchema

from secateurs.core import SecateursError, Spec


def options_model(
    name: str,
    function: Callable[..., Any],
    given: frozenset[str],
    extra: Mapping[str, Any],
    nested: Mapping[str, Any],
) -> type[BaseModel]:
    """A pydantic model of what may be chosen about ``function``: its parameters less those ``given`` by the program."""
    hints = typing.get_type_hints(function.__init__ if inspect.isclass(function) else function, include_extras=True)
    hints |= nested
    fields: dict[str, Any] = {"name": (Literal[name], name), **extra}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name not in given:
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            default = Field(default, validate_default=True) if parameter.name in nested else default
            fields[parameter.name] = (hints.get(parameter.name, Any), default)
    config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    return create_model(f"{name} options", __config__=config, **fields)


class Part:
    """Makes ``Annotated[Spec, Part(table)]`` the type of a recipe's field that names an entry of ``table``.

    Args:
        table: name -> function or dataclass.
        given: parameters that the program fills in, not the recipe.
        extra: options that every entry takes beside its own parameters, as pydantic fields.
        build: makes the part from its spec, to see at once whether it accepts its options.
        nested: parameter -> the pydantic type to read it as, where it is a named part itself.
    """

    def __init__(
        self,
        table: Mapping[str, Callable[..., Any]],
        *,
        given: tuple[str, ...] = (),
        extra: Mapping[str, Any] | None = None,
        build: Callable[[Spec], object] | None = None,
        nested: Mapping[str, Any] | None = None,
    ) -> None:
        self._build = build
        self.variants = tuple(
            options_model(name, function, frozenset(given), extra or {}, nested or {})
            for name, function in table.items()
        )

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read a name or a mapping, check it, hand on a Spec; write it as a flat mapping."""
        del source
        union: Any = typing.Union[self.variants]  # noqa: UP007 - made at run time
        chosen = union if len(self.variants) == 1 else Annotated[union, Field(discriminator="name")]
        return handler.generate_schema(
            Annotated[
                chosen,
                BeforeValidator(_spelled_out),
                AfterValidator(self._checked),
                PlainSerializer(_flat),
            ]
        )

    def _checked(self, chosen: BaseModel) -> Spec:
        values = dict(chosen)
        spec = Spec(values.pop("name"), values)
        if self._build is not None:
            try:
                self._build(spec)
            except SecateursError as error:
                raise ValueError(str(error)) from error
        return spec


def _spelled_out(value: Any) -> Any:
    if isinstance(value, str):
        return {"name": value}
    return _flat(value) if isinstance(value, Spec) else value


def _flat(spec: Spec) -> dict[str, Any]:
    return {"name": spec.name, **{key: _flat_value(value) for key, value in spec.options.items()}}


def _flat_value(value: Any) -> Any:
    if isinstance(value, tuple) and any(isinstance(each, Spec) for each in value):
        return [_flat_value(each) for each in value]
    return _flat(value) if isinstance(value, Spec) else value
