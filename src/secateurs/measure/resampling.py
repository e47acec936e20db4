"""How sure LMC and CKA are: bootstraps over the examples that they are measured on.

They tell how a number depends on the choice of examples; other dense networks and other orders of the data move it,
too, of which only further seeds tell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from secateurs.core import MeasureError, connectivity
from secateurs.measure.similarity import cka

_AT_ONCE = 32
_NUMBERS_AT_ONCE = 2**22  # 32 MB of counts: of a million examples, as of CIFAR's.
_HARDLY = 1e-6  # Of the spread of all examples: so little, and cancellation may show.


@torch.no_grad()
def bootstrap_lmc(correct: Tensor, draws: int = 1000, *, generator: torch.Generator) -> Tensor:
    """LMC (P4 eq. 1) of ``draws`` resamples of the examples, drawn with replacement; t* is found anew in each.

    Args:
        correct: ``[points, N]``, what is answered correctly along the way: ``Barrier.correct``.
        generator: on the CPU. The same seed draws the same examples for every pair of networks.

    Returns:
        ``[draws]``, float64, in [-1, 1].

    Raises:
        MeasureError: when there are fewer than two points, or no examples.

    >>> correct = torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]]).bool()
    >>> found = bootstrap_lmc(correct, 500, generator=torch.Generator().manual_seed(0))
    >>> sorted(set(found.tolist())), bool(-0.55 < found.mean() < -0.45)
    ([-1.0, -0.75, -0.5, -0.25, 0.0], True)
    """
    if correct.ndim != 2 or len(correct) < 2 or not correct.shape[1]:
        raise MeasureError(f"bootstrap_lmc: correct is [points, N], of two points at least, got {list(correct.shape)}")
    marks = correct.cpu().double()
    found = []
    for counts in _resamples(correct.shape[1], draws, generator):
        errors = 1 - counts @ marks.T / correct.shape[1]  # [draws, points]
        found.append(connectivity(errors))
    return torch.cat(found)


@torch.no_grad()
def bootstrap_cka(x: Tensor, y: Tensor, draws: int = 1000, *, generator: torch.Generator) -> Tensor:
    """Linear CKA (P4 eq. 2) of ``draws`` resamples of the examples, drawn with replacement.

    Each is what :func:`~secateurs.measure.cka` says of the rows drawn, up to rounding, from weighted means and
    covariances: d x d numbers a draw.

    Args:
        x, y: outputs ``[n, d]`` as ``cka`` takes them.
        generator: on the CPU. The same seed draws the same examples for every pair of networks.

    Returns:
        ``[draws]``, float64, in [0, 1]; NaN for a draw in which one network says the same of every example.

    Raises:
        MeasureError: where ``cka`` raises it for all examples.

    >>> x = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))
    >>> found = bootstrap_cka(x, x[:, :1], 200, generator=torch.Generator().manual_seed(1))
    >>> bool((found.min() < cka(x, x[:, :1])) & (found.max() > cka(x, x[:, :1])))
    True
    """
    cka(x, y)  # raises where it is undefined
    one, other = (_standard(each) for each in (x, y))
    both = torch.cat([one, other], dim=1)
    split = one.shape[1]
    found: list[float] = []
    for counts in _resamples(len(x), draws, generator):
        for times in counts:
            weights = times / len(x)
            mean = weights @ both
            covariance = (both * weights[:, None]).T @ both - mean[:, None] * mean
            within, across = (covariance[:split, :split], covariance[split:, split:]), covariance[:split, split:]
            if min(float(each.trace()) for each in within) < _HARDLY:
                found.append(_as_drawn(x, y, times.long()))
            else:
                found.append(float(across.square().sum() / (within[0].norm() * within[1].norm())))
    return torch.tensor(found, dtype=torch.float64).clamp_(0, 1)


def _as_drawn(x: Tensor, y: Tensor, times: Tensor) -> float:
    """CKA of the rows themselves, where hardly anything differs; NaN where it is undefined."""
    try:
        return cka(*(each.cpu().repeat_interleave(times, dim=0) for each in (x, y)))
    except MeasureError:
        return math.nan


def _standard(output: Tensor) -> Tensor:
    """``[n, d]`` of mean 0 and mean square 1 in float64, by which CKA does not change."""
    x = output.detach().cpu().double()
    x = x.flatten(1) if x.ndim > 1 else x[:, None]
    x = x - x.mean(0)
    return x / x.square().mean().sqrt()


def _resamples(n: int, draws: int, generator: torch.Generator) -> Iterator[Tensor]:
    """How often each example is drawn: ``[k, n]``, float64, k together at most; rows sum to n."""
    if draws < 1:
        raise MeasureError(f"bootstrap: draws: one at least, got {draws}")
    most = max(1, min(_AT_ONCE, _NUMBERS_AT_ONCE // n))
    for start in range(0, draws, most):
        several = min(most, draws - start)
        drawn = torch.randint(n, (several, n), generator=generator)
        place = drawn + n * torch.arange(several)[:, None]
        yield torch.bincount(place.flatten(), minlength=several * n).view(several, n).double()
