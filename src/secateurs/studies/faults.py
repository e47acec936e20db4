"""pydantic's faults in words: one line each, with the dotted path, the choices and the nearest match."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from secateurs.core import did_you_mean
from secateurs.studies.parts import Part

_WORDS = {
    "float_parsing": "expected a number",
    "float_type": "expected a number",
    "int_parsing": "expected a whole number",
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "bool_parsing": "expected true or false",
    "bool_type": "expected true or false",
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping of keys",
    "model_attributes_type": "expected a mapping of keys",
    "greater_than": "expected a number greater than {gt}",
    "greater_than_equal": "expected a number of at least {ge}",
    "less_than": "expected a number less than {lt}",
    "less_than_equal": "expected a number of at most {le}",
    "literal_error": "expected {expected}",
    "too_short": "expected at least {min_length}",
    "finite_number": "expected a finite number",
}


def describe(error: ValidationError, model: type[BaseModel], source: str) -> str:
    """One line for each fault: ``recipe demo: train.lr: expected a number, got 'fast'``."""
    return "\n".join(f"recipe {source}: {line}" for line in lines(error, model))


def lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """The faults one by one, without their source: ``train.lr: expected a number, got 'fast'``."""
    # A list with a wrong item is said to be too short as well.
    faults = [f for f in error.errors() if f["type"] != "too_short" or len(f["input"]) < f["ctx"]["min_length"]]
    return list(dict.fromkeys(line for fault in faults for line in _line(fault, model).split("\n")))


def _line(fault: Any, model: type[BaseModel]) -> str:
    path, holder, expected, others = _walk(fault["loc"], model)
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "extra_forbidden":
        return f"{path}: {_unknown(path.rsplit('.', 1)[-1], holder, others)}"
    if kind == "missing":
        return f"{path}: is missing"
    if kind == "union_tag_invalid" and "'" not in context["discriminator"]:  # ways to prune, told apart by how
        choices = [tag.strip(" '") for tag in context["expected_tags"].split(",")]
        return f"{path}.how: unknown way {context['tag']!r}{did_you_mean(context['tag'], choices)}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        if kind == "union_tag_not_found":
            choices = [tag for tag in map(_tag, _variants(expected)) if tag]
            return f"{path}: expected a name, or a mapping with one, got {fault['input']!r}{did_you_mean('', choices)}"
        choices = [tag.strip(" '") for tag in context.get("expected_tags", "").split(",") if tag]
        return f"{path}: unknown name {context['tag']!r}{did_you_mean(context['tag'], choices)}"
    if kind == "literal_error" and fault["loc"] and fault["loc"][-1] == "name":
        choices = [tag.strip(" '") for tag in context.get("expected", "").replace(" or ", ",").split(",")]
        return f"{path}: unknown name {fault['input']!r}{did_you_mean(str(fault['input']), choices)}"
    if kind == "value_error":
        text = str(context.get("error", fault["msg"]))
        return f"{path}: {text}" if path else text
    words = _WORDS.get(kind, fault["msg"]).format(**context)
    one = kind == "tuple_type" and isinstance(fault["input"], str | int | float)
    return f"{path}: {words}, got {fault['input']!r}" + (f": say [{fault['input']}]" if one else "")


def _unknown(key: str, holder: type[BaseModel] | None, others: list[Any]) -> str:
    """What is said of a key that is not its ``holder``'s: one of the ``others`` may have it."""
    own = _way(holder)
    if own is None:
        known = [name for name in holder.model_fields if name != "name"] if holder else []
        return f"unknown key{did_you_mean(key, known)}"
    for other in others:
        if key in other.model_fields:
            verb = "are" if key.endswith("s") else "is"
            remedy = f" (how: {_way(other)})" if verb == "is" else f": leave out how: {own}, or say how: {_way(other)}"
            return f"{key} {verb} for {_way(other)}{remedy}"
    fields = {**(holder.model_fields if holder else {}), "how": None}
    of_study = hasattr(holder, "at_density")  # then the density is the study's to say
    known = [name for name in fields if name != "density" or not of_study]
    return f"unknown key{did_you_mean(key, known)}"


def _walk(
    location: tuple[str | int, ...], model: type[BaseModel]
) -> tuple[str, type[BaseModel] | None, Any, list[Any]]:
    """The dotted path as a person wrote it (without pydantic's tags of unions), its key's model, and its type.

    Last come the models that the key's own was chosen among.
    """
    shown: list[str] = []
    others: list[Any] = []
    holder: type[BaseModel] | None = model
    kind: Any = model
    for step in location:
        variants = _variants(kind)
        tagged = [v for v in variants if _tag(v) == step]
        if tagged and len(variants) > 1:
            kind = holder = tagged[0]
            others = [variant for variant in variants if variant is not holder]
            continue
        shown.append(str(step))
        here = next((v for v in variants if isinstance(v, type) and issubclass(v, BaseModel)), None)
        if here is not None:
            holder = here
            field = here.model_fields.get(str(step))
            kind = _kind(field) if field else None
        else:
            arguments = [a for a in typing.get_args(kind) if a is not Ellipsis]
            kind = arguments[-1] if arguments else None
    return ".".join(shown), holder, kind, others


def _kind(field: FieldInfo) -> Any:
    """A field's type with what was annotated to it, which pydantic keeps apart."""
    parts = [note for note in field.metadata if isinstance(note, Part)]
    return typing.Union[parts[0].variants] if parts else field.annotation  # noqa: UP007 - made at run time


def _variants(kind: Any) -> list[Any]:
    if typing.get_origin(kind) is typing.Annotated:
        inner, *notes = typing.get_args(kind)
        parts = [note for note in notes if isinstance(note, Part)]
        return list(parts[0].variants) if parts else _variants(inner)
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return [v for member in typing.get_args(kind) for v in _variants(member)]
    return [kind]


def _way(variant: Any) -> Any:
    """The way to prune that a model is of, if it is of one."""
    return getattr(variant, "tag", None)


def _tag(variant: Any) -> Any:
    if _way(variant) is not None:
        return _way(variant)
    if isinstance(variant, type) and issubclass(variant, BaseModel) and "name" in variant.model_fields:
        return variant.model_fields["name"].default
    return None
