"""Rules on plain numbers by which P4 tells the regimes of pruning apart, tunes temperatures and selects models.

Temperature is what makes training noisy, load how much is asked of what is left after pruning (P4 section 2.1). Two
copies of a pruned network, retrained with other orders of the data, tell by their linear mode connectivity (LMC,
P4 eq. 1) and the similarity of their outputs (CKA, P4 eq. 2) where it stands. None is a number of networks that
diverged, of which nothing is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import torch
from torch import Tensor

from secateurs.core.errors import MeasureError, did_you_mean
from secateurs.core.numbers import ROUNDING

POORLY_CONNECTED = -0.05
"""LMC below which P4 (appendix C.1) speaks of Regime I: a barrier of more than 5 percentage points of error."""

SIMILAR_FROM = 0.9
"""CKA from which well-connected copies are called similar, Regime II-B. Ours: P4 has a smooth transition, no line."""

Regime = Literal["I", "II-A", "II-B"]
"""P4 section 3.2: I, poorly connected; II-A, well connected, outputs less similar; II-B, well connected and similar."""


@dataclass(frozen=True)
class TemperatureKind:
    """A hyperparameter of dense training that works as a temperature (P4 section 2.1).

    Attributes:
        name: as recipes spell it.
        words: as sentences call it, in the plural or as a name.
        hotter_is: whether smaller or larger values make training noisier.
        raise_it, lower_it: what whoever is told to raise, or to lower, the temperature does.
    """

    name: str
    words: str
    hotter_is: Literal["smaller", "larger"]
    raise_it: str
    lower_it: str


TEMPERATURES: Mapping[str, TemperatureKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            TemperatureKind("epochs", "epochs of dense training", "smaller", "stop earlier", "train longer"),
            TemperatureKind("batch_size", "batch size", "smaller", "take smaller batches", "take larger batches"),
            TemperatureKind("rho", "neighbourhood size of SAM", "larger", "raise SAM's rho", "lower SAM's rho"),
            TemperatureKind("lr", "learning rate", "larger", "raise the learning rate", "lower the learning rate"),
        )
    }
)
"""By name. That the learning rate is one is said by the work P4 builds on (its appendix A); it does not vary it."""


def hotter_first(name: str, values: Iterable[float]) -> tuple[float, ...]:
    """Temperatures in order, the hottest first: the fewest epochs, the smallest batch, the largest rho or rate.

    Raises:
        MeasureError: when there is no temperature of that name.

    >>> hotter_first("epochs", [160, 10, 80]), hotter_first("rho", [0, 0.6, 0.05])
    ((10, 80, 160), (0.6, 0.05, 0))
    """
    if name not in TEMPERATURES:
        raise MeasureError(f"temperature: there is no {name!r}{did_you_mean(name, TEMPERATURES)}")
    return tuple(sorted(values, reverse=TEMPERATURES[name].hotter_is == "larger"))


def regime(
    lmc: float | None,
    cka: float | None,
    *,
    threshold: float = POORLY_CONNECTED,
    similar_from: float = SIMILAR_FROM,
) -> Regime | None:
    """The regime of a pruned network (P4 section 3.2); None where it cannot be told.

    Regime I is told by LMC alone. An LMC above 0, with the copies worse than what lies between them, counts as
    well connected. So do copies that learned nothing: look at their errors, too.

    Args:
        lmc: in [-1, 1]; None: unknown.
        cka: in [0, 1]; None: unknown.
        threshold: LMC below it is Regime I; at it, it is not.
        similar_from: CKA from which on it is Regime II-B.

    >>> regime(-0.4, 0.3), regime(-0.01, 0.6), regime(0.0, 0.95), regime(-0.4, None), regime(0.0, None)
    ('I', 'II-A', 'II-B', 'I', None)
    """
    poorly_connected = raises_temperature(lmc, threshold)
    if poorly_connected is None:
        return None
    if poorly_connected:
        return "I"
    if cka is None or math.isnan(cka):
        return None
    return "II-B" if cka >= similar_from - ROUNDING else "II-A"


def connectivity(errors: Tensor) -> Tensor:
    """LMC from the errors on the way between two networks (P4 eq. 1): mean(E(a), E(b)) - E(t*), in [-1, 1].

    t* is where that is furthest from 0. The two ends lie equally far on either side of it. Where nothing between is
    further, there is no barrier: of equals the positive one counts, so that it does not matter which network is a,
    nor how numbers are rounded.

    Args:
        errors: ``[..., points]``, float64, the ends included.

    >>> connectivity(torch.tensor([[0.1, 0.5, 0.2], [0.1, 0.15, 0.2], [0.3, 0.1, 0.3]]).double())
    tensor([-0.3500,  0.0500,  0.2000], dtype=torch.float64)
    """
    middle = (errors[..., 0] + errors[..., -1]) / 2
    valley, hill = middle - errors.amin(-1), middle - errors.amax(-1)
    return torch.where(valley >= -hill - ROUNDING, valley, hill)


def shares(regimes: Iterable[Regime | None]) -> dict[Regime, float]:
    """The share of each regime among several verdicts, as of the draws of a bootstrap: how sure the verdict is.

    Verdicts that could not be told count, too: the shares then sum to less than 1. Without any verdict all are 0.

    >>> shares(["I", "II-A", "I", None])
    {'I': 0.5, 'II-A': 0.25, 'II-B': 0.0}
    """
    verdicts = list(regimes)
    return {each: verdicts.count(each) / max(1, len(verdicts)) for each in get_args(Regime)}


def raises_temperature(lmc: float | None, threshold: float = POORLY_CONNECTED) -> bool | None:
    """The test of P4's Algorithm 1, LMC < threshold: the network is in Regime I, and the temperature is to be raised.

    Returns:
        None where LMC is unknown.

    >>> raises_temperature(-0.06), raises_temperature(-0.05), raises_temperature(None)
    (True, False, None)
    """
    return None if lmc is None or math.isnan(lmc) else lmc < threshold - ROUNDING


def highest(worths: Sequence[float | None]) -> int | None:
    """The index of the highest of several numbers, the first of equals; None where there is none.

    By it P4 section 4.3 takes SAM's rho (the highest CKA), and Algorithm 2.1 the network.

    >>> highest([0.5, None, 0.9, 0.9]), highest([None, float("nan")])
    (2, None)
    """
    known = {i: worth for i, worth in enumerate(worths) if worth is not None and not math.isnan(worth)}
    return max(known, key=lambda i: known[i], default=None)


@dataclass(frozen=True)
class Selection:
    """Which of several dense networks is to be pruned, and how that was found.

    Attributes:
        chosen: its index.
        first: the index that the dense networks' errors alone would have chosen (the conventional choice).
        poorly_connected: whether the pruned network of ``first`` is in Regime I; None: its copies diverged.
        looked_at: those that were pruned and retrained to find out: ``first``, then whichever else it took.
        fell_back: ``first`` is chosen only since nothing is known of any network that was looked at: not a choice.
    """

    chosen: int
    first: int
    poorly_connected: bool | None
    looked_at: tuple[int, ...]
    fell_back: bool = False


def select(
    errors: Sequence[float | None],
    lmc_of: Callable[[int], float | None],
    worth_of: Callable[[int], float | None],
    threshold: float = POORLY_CONNECTED,
) -> Selection:
    """Model selection without grid search (P4 Algorithms 2 and 2.1).

    The dense network with the least error is chosen, unless it is poorly connected once it is pruned: then all are
    pruned and retrained shortly, and the worthiest is chosen. What diverged (None, or NaN) is never chosen over what
    did not; of equals the first is. Where the copies that LMC is measured of diverged, all are looked at, too, and
    where nothing is known of any the conventional choice is left (``fell_back``): ours, P4 does not say.

    Args:
        errors: of the dense networks, on data that may be selected on; a network without one is no candidate.
        lmc_of: LMC of the pruned and retrained network of an index; asked for one index only.
        worth_of: what Algorithm 2 maximises, minus the error after short retraining; of Algorithm 2.1, CKA of the
            two copies. Asked only where needed.
        threshold: LMC below it is Regime I.

    Raises:
        MeasureError: without a single candidate.

    >>> short = [0.30, 0.25, 0.40]
    >>> select([0.08, 0.09, 0.07], lambda i: -0.3, lambda i: -short[i])
    Selection(chosen=1, first=2, poorly_connected=True, looked_at=(2, 0, 1), fell_back=False)
    >>> select([0.08, 0.09, 0.07], lambda i: -0.01, lambda i: -short[i])
    Selection(chosen=2, first=2, poorly_connected=False, looked_at=(2,), fell_back=False)
    """
    first = highest([None if error is None else -error for error in errors])
    if first is None:
        raise MeasureError("select: there is no dense network to choose: all of them diverged, or none was given")
    poorly_connected = raises_temperature(lmc_of(first), threshold)
    if poorly_connected is False:
        return Selection(first, first, poorly_connected, (first,))
    candidates = [i for i, error in enumerate(errors) if error is not None and not math.isnan(error)]
    best = highest([worth_of(i) for i in candidates])
    chosen = first if best is None else candidates[best]
    return Selection(chosen, first, poorly_connected, (first, *(i for i in candidates if i != first)), best is None)
