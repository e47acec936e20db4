"""What differs between two recipes, as a person would say it: the path of each setting, and its two values."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml


@dataclass(frozen=True)
class Change:
    """One thing that differs; None on the side that does not have it. ``path`` is "" for a bare line of text."""

    path: str
    a: str | None
    b: str | None


def changes(a: str, b: str) -> tuple[Change, ...]:
    """What differs between two recipes given as YAML text, in the order of the first, then of the second.

    The order of keys and the way the text is written do not count. Entries of a list that have a
    name are told by it. Text that is no YAML mapping is compared line by line.

    >>> for change in changes("train: {lr: 0.1, epochs: 30}", "train: {epochs: 30, lr: 0.3}\\nseeds: [0, 1]"):
    ...     print(change)
    Change(path='train.lr', a='0.1', b='0.3')
    Change(path='seeds', a=None, b='[0, 1]')
    """
    first, second = _mapping(a), _mapping(b)
    if first is None or second is None:
        return tuple(_lines(a, b))
    left, right = dict(_leaves(first)), dict(_leaves(second))
    paths = dict.fromkeys([*left, *right])
    return tuple(Change(path, left.get(path), right.get(path)) for path in paths if left.get(path) != right.get(path))


def _mapping(text: str) -> dict[str, Any] | None:
    try:
        loaded: Any = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    return loaded if isinstance(loaded, dict) else None


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif (named := _by_name(value)) is not None:
        for name, inner in named.items():
            yield f"{path}[{name}]", "present"
            yield from _leaves(inner, f"{path}[{name}]") if inner else ()
    else:
        # Flow style on one line, however long; a bare scalar ends with YAML's "...", which says nothing.
        text: str = yaml.safe_dump(value, default_flow_style=True, width=10**6, sort_keys=False, allow_unicode=True)
        yield path, text.removesuffix("...\n").strip()


def _by_name(value: Any) -> dict[str, dict[str, Any]] | None:
    """The entries of a list by their name, when each has one of its own."""
    if not isinstance(value, list) or not value:
        return None
    if not all(isinstance(entry, dict) and "name" in entry for entry in value):
        return None
    named = {str(entry["name"]): {key: inner for key, inner in entry.items() if key != "name"} for entry in value}
    return named if len(named) == len(value) else None


def _lines(a: str, b: str) -> Iterator[Change]:
    for line in difflib.ndiff(a.splitlines(), b.splitlines()):
        if line.startswith("- "):
            yield Change("", line[2:], None)
        elif line.startswith("+ "):
            yield Change("", None, line[2:])
