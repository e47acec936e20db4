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

Options = Mapping[str, tuple[Any, Any]]
"""Option -> its type and its default, which is ``...`` where it has none."""


def parameters_of(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """A function's or class's parameters as options, ``**options`` left out.

    >>> def grow(width: int, depth: int = 2) -> None: ...
    >>> parameters_of(grow)
    {'width': (<class 'int'>, Ellipsis), 'depth': (<class 'int'>, 2)}
    """
    plain = inspect.isroutine(function)
    hinted: Any = function if plain else function.__init__ if inspect.isclass(function) else type(function).__call__
    hints = typing.get_type_hints(hinted, include_extras=True)
    return {
        each.name: (hints.get(each.name, Any), ... if each.default is each.empty else each.default)
        for each in inspect.signature(function).parameters.values()
        if each.kind is not each.VAR_KEYWORD
    }


def options_model(
    name: str, options: Options, given: frozenset[str], extra: Mapping[str, Any], nested: Mapping[str, Any]
) -> type[BaseModel]:
    """A pydantic model of what may be chosen about a part: its ``options`` less those ``given`` by the program."""
    fields: dict[str, Any] = {"name": (Literal[name], name), **extra}
    for option, (kind, default) in options.items():
        if option in nested:
            fields[option] = (nested[option], Field(default, validate_default=True))
        elif option not in given:
            fields[option] = (kind, default)
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
        options: what may be chosen about an entry of the table; by default its parameters.
    """

    def __init__(
        self,
        table: Mapping[str, Callable[..., Any]],
        *,
        given: tuple[str, ...] = (),
        extra: Mapping[str, Any] | None = None,
        build: Callable[[Spec], object] | None = None,
        nested: Mapping[str, Any] | None = None,
        options: Callable[[Callable[..., Any]], Options] = parameters_of,
    ) -> None:
        self._build = build
        self.variants = tuple(
            options_model(name, options(function), frozenset(given), extra or {}, nested or {})
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
