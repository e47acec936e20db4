"""Triggers by name, as recipes give them, for a run of so many epochs, pruned to a density, with a seed."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import torch

from secateurs.core import SignalError, Spec, Trigger, did_you_mean, generator_for
from secateurs.when.combine import At, all_of, any_of, no_earlier_than, no_later_than
from secateurs.when.default import default_trigger
from secateurs.when.published import early_bird_trigger, early_crop_trigger
from secateurs.when.triggers import Below, Peak, Settled

OF_THE_RUN = ("epochs", "density", "seed")
"""What a trigger may follow from that is the run's to say, not the trigger's options'."""

MOMENTS = ("moment", "no_earlier_than", "no_later_than")
"""Options that are moments; a share of the run, ``"10%"``, may stand for one."""


def random_trigger(epochs: int, density: float, seed: int) -> Trigger:
    """Prunes at an epoch drawn uniformly from 0 to ``epochs`` - 1: what a trigger must beat to be worth anything.

    The draw follows from the arguments alone: a run pruned to another density draws anew.

    Raises:
        SignalError: when there is no epoch to draw.

    >>> random_trigger(epochs=30, density=0.1, seed=0) == random_trigger(epochs=30, density=0.1, seed=0)
    True
    >>> len({random_trigger(epochs=30, density=0.1, seed=seed) for seed in range(300)})
    30
    """
    if epochs < 1:
        raise SignalError(f"random_trigger: epochs must be at least 1, got {epochs!r}")
    generator = generator_for("random trigger", epochs, repr(float(density)), seed)
    return At(f"{int(torch.randint(epochs, (1,), generator=generator))}ep")


def any_of_these(of: Sequence[Trigger]) -> Trigger:
    """:func:`~secateurs.when.combine.any_of` of a list."""
    return any_of(*of)


def all_of_these(of: Sequence[Trigger]) -> Trigger:
    """:func:`~secateurs.when.combine.all_of` of a list."""
    return all_of(*of)


COMBINATIONS: dict[str, Callable[..., Trigger]] = {"any_of": any_of_these, "all_of": all_of_these}

TRIGGERS: dict[str, Callable[..., Trigger]] = {
    "peak": Peak,
    "below": Below,
    "settled": Settled,
    "at": At,
    "random": random_trigger,
    "early_crop": early_crop_trigger,
    "early_bird": early_bird_trigger,
    "default": default_trigger,
    **COMBINATIONS,
}
"""The only place where a name means a trigger. Parameters that stand in :data:`OF_THE_RUN` are filled in."""


def trigger_of(spec: Spec, *, epochs: int | None = None, density: float | None = None, seed: int = 0) -> Trigger:
    """The trigger that ``spec`` names, for a run; the options ``no_earlier_than`` and ``no_later_than`` bound it.

    Moments may be shares of the run: ``"10%"`` is rounded to a whole epoch (halves up). The specs in
    the option ``of`` of ``any_of`` and ``all_of`` are resolved in turn.

    Args:
        spec: name and options.
        epochs: of the run; needed for shares of it, and where the trigger follows from it.
        density: to which is pruned; needed where the trigger follows from it (EarlyCroP's threshold).
        seed: the run's.

    Raises:
        SignalError: for an unknown name, for options that are unknown, missing or out of their range, or when
            what the trigger follows from is not given.

    >>> trigger_of(Spec("peak", {"signal": "kl_uniform", "no_later_than": "60ep"})).needs
    frozenset({'kl_uniform'})
    >>> trigger_of(Spec("at", {"moment": "10%"}), epochs=25)
    At(moment='3ep')
    """
    if not isinstance(spec, Spec):
        raise SignalError(f"a trigger by name is a Spec with its options, such as Spec('early_bird'), got {spec!r}")
    if spec.name not in TRIGGERS:
        raise SignalError(f"unknown trigger {spec.name!r}{did_you_mean(str(spec.name), TRIGGERS)}")
    _check_options(spec)
    options = {key: _moment(key, value, epochs) if key in MOMENTS else value for key, value in spec.options.items()}
    lower, upper = options.pop("no_earlier_than", None), options.pop("no_later_than", None)
    if spec.name in COMBINATIONS:
        of = options["of"]
        if not isinstance(of, Sequence) or isinstance(of, str):
            raise SignalError(f"trigger {spec.name!r}: of: expected a list of Specs, got {of!r}")
        options["of"] = tuple(trigger_of(each, epochs=epochs, density=density, seed=seed) for each in of)
    made = TRIGGERS[spec.name]
    known: dict[str, Any] = {"epochs": epochs, "density": density, "seed": seed}
    for name in OF_THE_RUN:
        if name in inspect.signature(made).parameters:
            if known[name] is None:
                raise SignalError(f"trigger {spec.name!r} follows from the run: give its {name}")
            options[name] = known[name]
    trigger = made(**options)
    trigger = trigger if lower is None else no_earlier_than(trigger, lower)
    return trigger if upper is None else no_later_than(trigger, upper)


def _check_options(spec: Spec) -> None:
    parameters = inspect.signature(TRIGGERS[spec.name]).parameters
    own = {name: given for name, given in parameters.items() if name not in OF_THE_RUN}
    known = {*own, "no_earlier_than", "no_later_than"}
    for unknown in sorted({*map(str, spec.options)} - known):
        told = ": that is the run's to say" if unknown in OF_THE_RUN else did_you_mean(unknown, known)
        raise SignalError(f"trigger {spec.name!r} has no option {unknown!r}{told}")
    for name, parameter in own.items():
        if parameter.default is parameter.empty and name not in spec.options:
            raise SignalError(f"trigger {spec.name!r} needs the option {name!r}")


def _moment(option: str, value: Any, epochs: int | None) -> Any:
    """A share of the run as a moment; anything else as it is."""
    if not isinstance(value, str) or "%" not in value:
        return value
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value)
    if found is None or (share := Fraction(found[1]) / 100) > 1:
        raise SignalError(f"{option}: {value!r} is no share of the run: write one from 0% to 100%")
    if epochs is None:
        raise SignalError(f"{option}: {value!r} is a share of the run: give its epochs, or write '12ep'")
    return f"{math.floor(share * epochs + Fraction(1, 2))}ep"
