"""Plain mappings laid on one another: how scales, settings, methods and overrides change what lies below them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` laid on ``base``, mapping by mapping; a mapping with another ``name`` replaces the one below.

    A null stays: :func:`without_nulls` takes its key away in the end, so that the default holds again.

    >>> merge({"train": {"lr": 1, "epochs": 2}}, {"train": {"lr": 3}})
    {'train': {'lr': 3, 'epochs': 2}}
    >>> merge({"score": {"name": "snip", "bn": "batch"}}, {"score": "snip"})
    {'score': {'name': 'snip', 'bn': 'batch'}}
    """
    merged = dict(base)
    for key, value in over.items():
        below: Any = merged.get(key)
        if isinstance(value, str) and isinstance(below, Mapping) and "name" in below:
            value = {"name": value}  # said again, a name keeps the options below it
        below = {"name": below} if isinstance(below, str) else below
        joins = isinstance(below, Mapping) and isinstance(value, Mapping)
        same = joins and value.get("name", below.get("name")) == below.get("name")
        merged[key] = merge(below, value) if same else value
    return merged


def without_nulls(raw: Mapping[str, Any], changes: Collection[str] = ()) -> dict[str, Any]:
    """The mapping without the keys that were set to null.

    Under the keys that ``changes`` names stand changes, by label, that are yet to be laid on something:
    a null inside one of them stays, to take away what will lie below it.

    >>> without_nulls({"triggers": {"halfway": None, "early": {"name": "at"}}})
    {'triggers': {'early': {'name': 'at'}}}
    >>> without_nulls({"settings": {"long": {"figure": None}, "short": None}}, changes=["settings"])
    {'settings': {'long': {'figure': None}}}
    """
    kept: dict[str, Any] = {}
    for key, value in raw.items():
        if isinstance(value, Mapping):
            kept[key] = _present(value) if key in changes else without_nulls(value)
        elif value is not None:
            kept[key] = value
    return kept


def _present(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if value is not None}


def common_paths(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """The dotted paths that both mappings set.

    >>> common_paths({"train": {"lr": 1, "epochs": 2}, "seeds": [0]}, {"train": {"lr": 3}})
    ['train.lr']
    """
    found = []
    for key in a.keys() & b.keys():
        both = isinstance(a[key], Mapping) and isinstance(b[key], Mapping)
        found += [f"{key}.{below}" for below in common_paths(a[key], b[key])] if both else [key]
    return sorted(found)
