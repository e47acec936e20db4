"""How similar the outputs of networks are: linear CKA, computed in feature space (P4 eq. 2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from secateurs.core import MeasureError, Task, evaluating
from secateurs.measure.batches import Data, batches_of

CKA_SAMPLES = 6400
"""How many training samples P4 draws (appendix B.1)."""

_BLOCK = 96


@torch.no_grad()
def outputs(
    model: nn.Module,
    task: Task,
    data: Data,
    *,
    samples: int | None = CKA_SAMPLES,
    softmax: bool = False,
    batch_size: int = 512,
) -> Tensor:
    """What a network says of the first ``samples`` examples, in evaluation mode: ``[n, d]``, for :func:`cka`.

    Args:
        data: unaugmented training examples in a fixed order; ``dataset.train.probe(6400, seed)`` draws them.
        samples: at most so many; None: all.
        softmax: probabilities in place of logits (what P4 plotted).

    Raises:
        DataError: without examples.
    """
    found: list[Tensor] = []
    with evaluating(model):
        for batch in batches_of(data, batch_size, "outputs"):
            output = task.output(model, batch).detach().flatten(1)
            found.append(output.softmax(-1) if softmax else output)
            if samples is not None and sum(map(len, found)) >= samples:
                break
    return torch.cat(found)[:samples]


def cka(x: Tensor, y: Tensor) -> float:
    """Linear centred kernel alignment of two networks' outputs for the same examples (P4 eq. 2), in [0, 1].

    With the biased HSIC, ||Yc' Xc||_F^2 / (||Xc' Xc||_F ||Yc' Yc||_F), c = centred over examples. In
    float64, and in feature space: d x d matrices instead of the n x n ones of the definition. 1 for outputs
    that agree up to rotation, shift and a common scale.

    Args:
        x, y: outputs ``[n, d]``; d may differ, further dimensions are flattened.

    Raises:
        MeasureError: when the numbers of examples differ, there are fewer examples than outputs (which
            would be similar whatever they are), or one is constant or not finite: CKA is undefined.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0], [0.0, 0.0]])
    >>> turned = torch.stack([x[:, 1], -x[:, 0]], dim=1)
    >>> round(cka(x, 5 * turned + 1), 12)
    1.0
    >>> round(cka(x, x[:, :1]), 3)
    0.909
    """
    return float(_similarities((x, y), "cka")[0, 1])


def cka_matrix(outputs: Sequence[Tensor]) -> Tensor:
    """Linear CKA of every pair of networks, by one product of all of them: ``[k, k]``, float64, in [0, 1], symmetric.

    Args:
        outputs: of each network, ``[n, d]`` for the same examples; d may differ. Memory: n times the sum of d,
            and the square of that sum.

    Raises:
        MeasureError: as :func:`cka`, naming the network by its position.

    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 1.0], [0.0, 0.0]])
    >>> cka_matrix([x, -x, x[:, :1]])[:2].round(decimals=3)
    tensor([[1.0000, 1.0000, 0.9090],
            [1.0000, 1.0000, 0.9090]], dtype=torch.float64)
    """
    if not outputs:
        raise MeasureError("cka_matrix: no outputs")
    return _similarities(outputs, "cka_matrix")


def _similarities(outputs: Sequence[Tensor], called: str) -> Tensor:
    flat = [_flat(output, len(outputs[0]), place, called) for place, output in enumerate(outputs)]
    means = [x.mean(0, dtype=torch.float64) for x in flat]
    widths = [x.shape[1] for x in flat]
    centred = means[0].new_empty(len(flat[0]), sum(widths))
    for x, mean, place in zip(flat, means, centred.split(widths, dim=1), strict=True):
        torch.sub(x, mean, out=place)
    owner = torch.arange(len(flat)).repeat_interleave(torch.tensor(widths)).to(centred.device)
    product = _gram(centred)
    sizes = product.new_zeros(len(flat)).index_add_(0, owner, product.diagonal())  # ||Xc||_F^2 of each
    for number, (x, mean, size) in enumerate(zip(flat, means, sizes.tolist(), strict=True)):
        _check_spread(x, float(mean.abs().max()), size, f"{called}: network {number}")
    scale = sizes.rsqrt()[owner]  # CKA does not notice, and nothing overflows
    squares = product.mul_(scale).mul_(scale[:, None]).square_()
    rows = squares.new_zeros(len(flat), len(owner)).index_add_(0, owner, squares)
    hsic = squares.new_zeros(len(flat), len(flat)).index_add_(1, owner, rows)
    self_similar = hsic.diagonal().sqrt()
    alike = (hsic / (self_similar[:, None] * self_similar)).clamp_(0, 1)
    return (alike + alike.T) / 2


def _gram(x: Tensor) -> Tensor:
    """x' x; of many columns only the half, which the other half mirrors."""
    width = x.shape[1]
    if width <= _BLOCK:
        return x.T @ x
    half = x.new_zeros(width, width)
    for start in range(0, width, _BLOCK):
        block = slice(start, start + _BLOCK)
        torch.mm(x[:, start:].T, x[:, block], out=half[start:, block])
    return half.tril_() + half.tril(-1).T


def _flat(output: Tensor, examples: int, place: int, called: str) -> Tensor:
    """``[n, d]``, of a type that float64 numbers can be subtracted from."""
    x = output.detach().flatten(1) if output.ndim > 1 else output.detach()[:, None]
    if len(x) != examples:
        raise MeasureError(
            f"{called}: network {place} has outputs for {len(x)} examples, network 0 for {examples}: take the same ones"
        )
    if len(x) < x.shape[1]:
        raise MeasureError(
            f"{called}: network {place} has {x.shape[1]} outputs for only {len(x)} examples: "
            "use at least as many examples as outputs"
        )
    return x


def _check_spread(x: Tensor, largest_mean: float, size: float, which: str) -> None:
    """Whether outputs are numbers, and differ from their mean by more than what rounding makes."""
    if not math.isfinite(size):
        raise MeasureError(f"{which} has outputs that are not finite: CKA is undefined")
    rounding = torch.finfo(x.dtype if x.is_floating_point() else torch.float64).eps
    if math.sqrt(size / x.numel()) <= 4 * rounding * largest_mean:
        raise MeasureError(f"{which} has the same output for every example: CKA is undefined")
