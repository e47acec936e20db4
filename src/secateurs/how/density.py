"""Density schedules: how much is left after each pruning step.

A schedule is a tuple of densities (kept / total, of the *original* total), one for each step,
never increasing and ending exactly at the target. They are computed in exact arithmetic on the
decimals that the user wrote, so that 0.9 means nine tenths and rounding happens once, in
:func:`survivors`.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from secateurs.core import PruningError


def exact(number: float) -> Fraction:
    """The number as it is written in decimals: 0.1 is one tenth, not its binary neighbour.

    >>> exact(0.1)
    Fraction(1, 10)
    """
    return Fraction(repr(float(number)))


def survivors(density: float, total: int) -> int:
    """How many of ``total`` entries survive at ``density``: floor(density * total + 1/2), exactly.

    Halves round up, also where floating point would lose them (0.7 * 45 is 31.499999999999996).

    Raises:
        PruningError: when the density is outside [0, 1].

    >>> survivors(0.7, 45), survivors(0.1, 4), survivors(0.1, 5)
    (32, 0, 1)
    """
    if not 0 <= density <= 1:
        raise PruningError(f"density: expected a share of kept weights between 0 and 1, got {density!r}")
    return int(exact(density) * total + Fraction(1, 2))


def one_shot(density: float) -> tuple[float, ...]:
    """Everything in one step.

    >>> one_shot(0.1)
    (0.1,)
    """
    _check(density, 1)
    return (float(density),)


def linear(density: float, n: int) -> tuple[float, ...]:
    """The same number of weights in each of ``n`` steps: d_k = 1 - (1 - d) k / n.

    >>> linear(0.2, 4)
    (0.8, 0.6, 0.4, 0.2)
    """
    d = _check(density, n)
    return tuple(float(1 - (1 - d) * Fraction(k, n)) for k in range(1, n + 1))


def exponential(density: float, n: int) -> tuple[float, ...]:
    """The same share of the remaining weights in each of ``n`` steps: d_k = d^(k/n) (P2; SynFlow, iterative SNIP).

    P2 prints the formula with the sparsity; the density is meant.

    >>> exponential(0.25, 2)
    (0.5, 0.25)
    """
    _check(density, n)
    return tuple(float(density) ** (k / n) for k in range(1, n + 1))


def early_crop(density: float, n: int = 5) -> tuple[float, ...]:
    """The sequence of P1's Algorithm 1: sparsity rho_k = rho - (rho - 1/2) (1/2)^k for k = 0..n, then rho itself.

    The first step prunes half and each further one halves what is missing, so there are ``n + 2``
    steps. Where the target prunes no more than half (density >= 1/2) there is one step.

    >>> early_crop(0.02, 5)  # sparsities .5 .74 .86 .92 .95 .965 .98
    (0.5, 0.26, 0.14, 0.08, 0.05, 0.035, 0.02)
    >>> early_crop(0.6, 5)
    (0.6,)
    """
    d, half = _check(density, n), Fraction(1, 2)
    if d >= half:
        return (float(d),)
    return (*(float(d + (half - d) * half**k) for k in range(n + 1)), float(d))


def imp(levels: int, rate: float = 0.2) -> tuple[float, ...]:
    """Iterative magnitude pruning: each level drops ``rate`` of what remains, d_L = (1 - rate)^L (P2 Algorithm 1).

    Level L keeps floor((1 - rate)^L N + 1/2) of the original N: rounding does not add up over levels.

    Raises:
        PruningError: when ``rate`` is not strictly between 0 and 1, or ``levels`` is below 1.

    >>> imp(3)
    (0.8, 0.64, 0.512)
    """
    if not 0 < rate < 1:
        raise PruningError(f"imp: rate: expected a number between 0 and 1, got {rate!r}")
    _check(1.0, levels)
    return tuple(float((1 - exact(rate)) ** level) for level in range(1, levels + 1))


def rounds(density: float, n: int) -> tuple[float, ...]:
    """P3's rounds: the target divided evenly over ``n`` rounds, as its text says (section 4).

    The densities are those of :func:`linear`; P3's released code is :func:`harmonic`.

    >>> rounds(0.25, 3)
    (0.75, 0.5, 0.25)
    """
    return linear(density, n)


def harmonic(density: float, n: int) -> tuple[float, ...]:
    """P3's rounds as its released code runs them: the early rounds prune more.

    Round k removes the fraction p / (k p + n (1 - p)) of what remains, p = 1 - d; multiplied
    out, d_k = n d / (k p + n d).

    >>> harmonic(0.25, 3)
    (0.5, 0.3333333333333333, 0.25)
    """
    d = _check(density, n)
    return tuple(float(n * d / (k * (1 - d) + n * d)) for k in range(1, n + 1))


def cubic(density: float, n: int) -> tuple[float, ...]:
    """Gradual pruning of Zhu & Gupta (2017), from dense: d_k = d + (1 - d) (1 - k/n)^3.

    >>> cubic(0.2, 2)
    (0.3, 0.2)
    """
    d = _check(density, n)
    return tuple(float(d + (1 - d) * (1 - Fraction(k, n)) ** 3) for k in range(1, n + 1))


def _check(density: float, n: int) -> Fraction:
    if not 0 < density <= 1:
        raise PruningError(f"density: expected a share of kept weights above 0 and at most 1, got {density!r}")
    if n < 1:
        raise PruningError(f"a density schedule needs at least one step, got {n}")
    return exact(density)


DENSITIES: dict[str, Callable[..., tuple[float, ...]]] = {
    "one_shot": one_shot,
    "linear": linear,
    "exponential": exponential,
    "early_crop": early_crop,
    "imp": imp,
    "rounds": rounds,
    "harmonic": harmonic,
    "cubic": cubic,
}
"""The only place where a name means a schedule."""
