"""The largest mask that meets a target, exactly."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from fractions import Fraction
from math import ceil

from secateurs.core import PruningError, Scores
from secateurs.how import Mask, keep_top
from secateurs.pruner.costs import Costs, counts
from secateurs.pruner.targets import Target

_FINE = 2**53


def largest(
    scores: Scores,
    target: Target,
    costs: Costs,
    *,
    scope: str = "global",
    within: Mask | None = None,
) -> Mask:
    """The largest mask that :func:`~secateurs.how.keep_top` gives of these scores and that meets the target.

    The density is bisected, exactly: of the next larger mask the cost is above the target. Costs
    rise with the density, so that no larger one meets it either (save for ``scope="erk"``, which may take a weight
    from one layer as it gives two to others).

    Raises:
        PruningError: when no mask with a weight left meets it; the smallest reachable is named.

    >>> import torch
    >>> from secateurs.pruner.costs import Cost
    >>> from secateurs.pruner.targets import Flops
    >>> scores = {"a": torch.tensor([5.0, 2.0, 1.0]), "b": torch.tensor([4.0, 3.0])}
    >>> costs = Costs(Cost(0, 0, {}), Cost(dense=18, fixed=0, each={"a": 2, "b": 6}))
    >>> [kept.tolist() for kept in largest(scores, Flops(share=0.5), costs).values()]
    [[True, False, False], [True, False]]
    """
    smallest(scores, target, costs, scope=scope, within=within)
    cost = target.cost(costs)
    allowed = target.allowed(cost.dense)
    sizes = {name: score.numel() for name, score in scores.items()}
    parts, first, last = _range(sizes, scope, None if within is None else counts(within))

    def at(number: int) -> Mask:
        return keep_top(scores, number / parts, scope=scope, within=within)

    # The smallest meets it.
    numbers = range(first + 1, last + 1)
    return at(first + bisect_right(numbers, allowed, key=lambda number: Fraction(cost.under(counts(at(number))))))


def smallest(
    scores: Scores,
    target: Target,
    costs: Costs,
    *,
    scope: str = "global",
    within: Mask | None = None,
) -> Mask:
    """The smallest mask with a weight left that :func:`~secateurs.how.keep_top` gives of these scores.

    Raises:
        PruningError: when it does not meet the target.
    """
    cost = target.cost(costs)
    sizes = {name: score.numel() for name, score in scores.items()}
    parts, first, _ = _range(sizes, scope, None if within is None else counts(within))
    mask = keep_top(scores, first / parts, scope=scope, within=within)
    left = cost.under(counts(mask))
    if left > target.allowed(cost.dense):
        raise PruningError(
            f"target: {target} cannot be reached: with {mask.kept} weight(s) left it is "
            f"{target.told(left, cost.dense)}, and {target.told(cost.fixed, cost.dense)} is not to be pruned"
        )
    return mask


def _range(sizes: Mapping[str, int], scope: str, alive: Mapping[str, int] | None) -> tuple[int, int, int]:
    """Into how many parts densities are divided, the first that keeps a weight, and the last that the living allow."""
    if scope != "layer":  # the mask follows from the number of weights
        return sum(sizes.values()), 1, sum((sizes if alive is None else alive).values())
    # floor(d n + 1/2) is k from d = (2k - 1) / 2n on; one part more or less, as densities count as printed decimals.
    first = ceil(Fraction(_FINE, 2 * max(sizes.values()))) + 1
    if alive is None:
        return _FINE, first, _FINE
    ends = (ceil(Fraction(_FINE * (2 * alive[name] + 1), 2 * n)) - 2 for name, n in sizes.items())
    return _FINE, first, min(_FINE, *ends)
