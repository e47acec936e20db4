"""A trigger for one run, as a person names it on the command line, and the signals that it needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from secateurs.core import RecipeError, Spec, Trigger, did_you_mean
from secateurs.studies.faults import lines
from secateurs.studies.recipe import parse_overrides
from secateurs.studies.schema import EarlyPeriods
from secateurs.studies.schema.common import TriggerPart
from secateurs.studies.yaml_text import read_yaml
from secateurs.train import Settings
from secateurs.when import TRIGGERS, At
from secateurs.when.combine import Together

DEFAULT = "default"
_FORMS = "write 'peak signal=loss patience=3', or a mapping as in a recipe, '{name: peak, signal: loss, patience: 3}'"


class _Chosen(Settings):
    trigger: TriggerPart


def named_trigger(text: str | None, recipe: EarlyPeriods) -> tuple[str, Spec]:
    """The trigger that ``text`` names, and what to call it.

    Args:
        text: one of the recipe's triggers by its name; or a name from ``TRIGGERS``, alone or with
            options (``"peak signal=kl_uniform patience=3"``), or a mapping as in a recipe
            (``"{name: below, signal: loss, threshold: 0.5}"``); None: ``"default"``, which is the recipe's
            own trigger of that name if it has one, else the documented default.
        recipe: whose triggers have names.

    Raises:
        RecipeError: when there is no such trigger, or its options are not its own.
    """
    text = DEFAULT if text is None else text
    if text in recipe.triggers:
        return text, recipe.triggers[text]
    given = _read(text)
    name = str(given.get("name", text))
    if name not in TRIGGERS:
        raise RecipeError(f"trigger {text!r}: unknown name{did_you_mean(name, {*recipe.triggers, *TRIGGERS})}")
    try:
        return name, _Chosen.model_validate({"trigger": given}).trigger
    except ValidationError as error:
        faults = [f"trigger {text!r}: {re.sub(r'^trigger[.:] *', '', line)}" for line in lines(error, _Chosen)]
        raise RecipeError("\n".join(faults)) from None


def _read(text: str) -> Mapping[str, Any]:
    """``peak patience=3``, or ``{name: peak, patience: 3}``."""
    try:
        if text.lstrip().startswith("{"):
            mapping = read_yaml(text, f"trigger {text!r}")
            return mapping if isinstance(mapping, dict) else {}
        words = shlex.split(text)
    except RecipeError as error:
        raise RecipeError(f"{error}: {_FORMS}") from None
    except ValueError as error:
        raise RecipeError(f"trigger {text!r}: not understood ({error}): {_FORMS}") from None
    options = [word for word in words[1:] if "=" in word]
    if not words or len(options) < len(words) - 1:
        return {"name": text}
    return {**parse_overrides(options, f"trigger {text!r}"), "name": words[0]}


def with_trigger(recipe: EarlyPeriods, name: str, trigger: Spec, signals: tuple[Spec, ...]) -> EarlyPeriods:
    """The recipe with this one trigger, and these signals.

    Raises:
        RecipeError: when they do not fit it: a bound that lies outside the run, for one.
    """
    raw = recipe.model_dump(mode="json", exclude={"signals", "triggers", "settings"})
    try:
        return type(recipe).model_validate({**raw, "signals": signals, "triggers": {name: trigger}})
    except ValidationError as error:
        faults = [line.replace(f"triggers.{name}.", f"trigger {name!r}: ", 1) for line in lines(error, type(recipe))]
        raise RecipeError("\n".join(faults)) from None


def moments_of(trigger: Trigger) -> Iterator[str | int]:
    """The moments that a trigger names, bounds included.

    >>> from secateurs.when import Peak, no_later_than
    >>> list(moments_of(no_later_than(Peak("loss"), "5ep")))
    ['5ep']
    """
    if isinstance(trigger, At):
        yield trigger.moment
    elif isinstance(trigger, Together):
        for inner in trigger.triggers:
            yield from moments_of(inner)
