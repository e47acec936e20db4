"""What values the options of scores may have: one rule as a score is called, and long before, as a plan is made."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from numbers import Integral, Real
from typing import Literal, get_args

from secateurs.core import PruningError, Spec, did_you_mean

Statistics = Literal["running", "batch"]
"""What normalisation layers normalise with while a network is scored: running statistics, or the batch's own."""

_LABELS = ("sampled", "exact")


def check_values(
    called: str,
    *,
    bn: object = "running",
    temperature: object = 1.0,
    micro_batch: object = None,
    probes: object = 1,
    labels: object = "sampled",
) -> None:
    """Refuse values of options that no network, task or data make right. An option means the same in every score.

    Raises:
        PruningError: saying who was ``called``, the option, and what was expected.

    >>> check_values("obd", probes=0)
    Traceback (most recent call last):
    ...
    secateurs.core.errors.PruningError: obd: probes: expected at least 1, got 0
    """
    if bn not in get_args(Statistics):
        raise PruningError(f"{called}: bn: there is no {bn!r}{did_you_mean(str(bn), get_args(Statistics))}")
    if not isinstance(temperature, Real) or not 0 < float(temperature) < math.inf:
        raise PruningError(f"{called}: temperature: expected a positive number, got {temperature!r}")
    if micro_batch is not None and (not _at_least_one(micro_batch) or bn == "batch"):
        raise PruningError(
            f"{called}: micro_batch: expected at least 1 and bn='running', got {micro_batch!r} and bn={bn!r}: "
            "statistics of parts of a batch are not those of the batch"
        )
    if not _at_least_one(probes):
        raise PruningError(f"{called}: probes: expected at least 1, got {probes!r}")
    if labels not in _LABELS:
        raise PruningError(f"{called}: unknown labels {labels!r}{did_you_mean(str(labels), _LABELS)}")


def check_named(
    kind: str, spec: Spec, table: Iterable[str], options_of: Callable[[str], Iterable[str]], at: str
) -> None:
    """Refuse a name that the table of a ``kind`` of score has not, and options that the score has not.

    Args:
        options_of: the options of a score of the table.
        at: what the message begins with.

    Raises:
        PruningError: with the choices and the nearest match.
    """
    if spec.name not in table:
        raise PruningError(f"{at}unknown {kind} {spec.name!r}{did_you_mean(spec.name, table)}")
    known = options_of(spec.name)
    for option in spec.options:
        if option not in known:
            raise PruningError(f"{at}{kind} {spec.name!r} has no option {option!r}{did_you_mean(option, known)}")


def _at_least_one(value: object) -> bool:
    return isinstance(value, Integral) and int(value) >= 1
