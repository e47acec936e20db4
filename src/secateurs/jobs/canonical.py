"""Canonical JSON: one value, one text, so that a hash of the text names the value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Literal

from secateurs.core import JobError


def plain(value: object, where: str = "value", *, non_finite: Literal["refuse", "null"] = "refuse") -> Any:
    """A deep copy of ``value`` made of dicts, lists, strings, numbers, booleans and None alone.

    Tuples become lists and any mapping a dict. A non-finite float is refused, or becomes None where
    ``non_finite="null"`` (JSON has no word for it).

    Raises:
        JobError: with the path of whatever JSON cannot say: another type, a key that is no string.

    >>> plain({"lr": 0.1, "milestones": (80, 120)})
    {'lr': 0.1, 'milestones': [80, 120]}
    >>> plain({"train": {"lr": float("nan")}}, "config")
    Traceback (most recent call last):
    secateurs.core.errors.JobError: config.train.lr: nan has no JSON; give a finite number or None
    """
    match value:
        case None | bool():
            return value
        case str():
            return str(value)
        case int():
            return int(value)
        case float() if math.isfinite(value):
            return float(value)
        case float() if non_finite == "null":
            return None
        case float():
            raise JobError(f"{where}: {float(value)} has no JSON; give a finite number or None")
        case list() | tuple():
            return [plain(item, f"{where}[{i}]", non_finite=non_finite) for i, item in enumerate(value)]
        case Mapping():
            for key in value:
                if not isinstance(key, str):
                    raise JobError(f"{where}: the key {key!r} is no string; JSON has no other keys")
            return {str(key): plain(item, f"{where}.{key}", non_finite=non_finite) for key, item in value.items()}
        case _:
            raise JobError(
                f"{where}: a {type(value).__name__} has no JSON; give a number, string, list, mapping or None "
                "(float(x) for a tensor, str(x) for a moment)"
            )


def canonical(value: object, where: str = "value") -> str:
    """The one JSON text of a value: keys sorted, no white space, ASCII, shortest round-trip floats.

    The integer 1 and the float 1.0 are different values with different texts: where both may be
    meant, convert before (a recipe's schema does).

    Raises:
        JobError: as :func:`plain`.

    >>> canonical({"b": (1, 2.5), "a": None})
    '{"a":null,"b":[1,2.5]}'
    >>> canonical(1), canonical(1.0)
    ('1', '1.0')
    """
    return json.dumps(plain(value, where), sort_keys=True, separators=(",", ":"), allow_nan=False)
