"""2:4 sparsity: of each four neighbouring weights two are kept, which GPUs from NVIDIA's Ampere on multiply faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from secateurs.core import ExportError, PruningError, Scores, all_finite, did_you_mean
from secateurs.how import Mask


def two_of_four(scores: Scores, *, exclude: Sequence[str] = ()) -> Mask:
    """The mask that keeps the two highest scores of each four neighbours along the input dimension.

    The input dimension is the second: inputs of a Linear layer, input channels of a convolution, position by position.
    Of equal scores the lower index is kept. Density is exactly a half.

    Args:
        scores: parameter name -> score of its shape [out, in, ...], finite, higher = keep; for the largest weights
            ``secateurs.what.magnitude(model)``.
        exclude: names of scores to leave out: those layers stay dense, and are not in the mask.

    Raises:
        PruningError: when a score is not finite, or its input dimension is no multiple of 4: such layers can
            only be excluded.

    >>> mask = two_of_four({"fc.weight": torch.tensor([[4.0, 1.0, 2.0, 3.0], [1.0, 1.0, 1.0, 1.0]])})
    >>> mask["fc.weight"].int().tolist()
    [[1, 0, 0, 1], [1, 1, 0, 0]]
    """
    for name in exclude:
        if name not in scores:
            raise PruningError(f"exclude: there is no score {name!r}{did_you_mean(name, scores)}")
    chosen = {name: score.detach() for name, score in scores.items() if name not in exclude}
    odd = [name for name, score in chosen.items() if score.ndim < 2 or score.shape[1] % 4]
    if odd:
        raise PruningError(
            f"2:4 needs inputs in fours, which {', '.join(odd)} have not: exclude={odd} leaves them dense"
        )
    for name, score in chosen.items():
        if not all_finite(score):
            raise PruningError(f"scores of {name!r} are not all finite real numbers")
    return Mask({name: _best_two(score) for name, score in chosen.items()})


def is_two_of_four(tensor: Tensor) -> bool:
    """Whether of each four neighbours along the second dimension at most two are not 0 (or True).

    >>> is_two_of_four(torch.tensor([[0, 1, 1, 0], [0, 0, 0, 5]])), is_two_of_four(torch.tensor([[1, 1, 0, 1]]))
    (True, False)
    """
    if tensor.ndim < 2 or tensor.shape[1] % 4:
        return False
    return bool((_fours(tensor != 0).sum(-1) <= 2).all())


def semi_structured(model: nn.Module, mask: Mapping[str, Tensor]) -> None:
    """Give the Linear layers of a mask torch's semi-structured weights, in place: for inference, on CUDA only.

    All weights are converted before the first layer is changed.

    Args:
        model: the masked network on a GPU with sparse tensor cores, in float16 or bfloat16.
        mask: as :func:`two_of_four` makes it. Convolutions in it stay dense: torch has none for them.

    Raises:
        ExportError: when a layer is elsewhere than on CUDA, or not 2:4; when torch refuses its precision or size; when
            the mask has no Linear layer of the model.
    """
    layers = {name: module for name, module in model.named_modules() if type(module) is nn.Linear}
    chosen = {name: layer for name, layer in layers.items() if (f"{name}.weight" if name else "weight") in mask}
    if not chosen:
        raise ExportError("semi_structured: the mask has no Linear layer of the model")
    compressed = {name: _compressed(name, layer.weight.detach()) for name, layer in chosen.items()}
    for name, layer in chosen.items():
        layer.weight = nn.Parameter(compressed[name], requires_grad=False)


def _compressed(name: str, weight: Tensor) -> Tensor:
    if weight.device.type != "cuda":
        raise ExportError(
            f"semi_structured: {name!r} is on {weight.device}: torch multiplies 2:4 weights on CUDA only; on a CPU "
            "keep the mask's zeros, or use sparse_linear"
        )
    if not is_two_of_four(weight):
        raise ExportError(
            f"semi_structured: {name!r} has more than two weights in four that are not 0: apply(model, mask) first"
        )
    try:
        found: Tensor = torch.sparse.to_sparse_semi_structured(weight)
    except RuntimeError as error:
        raise ExportError(f"semi_structured: torch refuses {name!r}: {error}") from error
    return found


def _best_two(score: Tensor) -> Tensor:
    fours = _fours(score)
    best = torch.argsort(fours, dim=-1, descending=True, stable=True)[..., :2]
    kept = torch.zeros(fours.shape, dtype=torch.bool, device=score.device).scatter_(-1, best, True)
    flat: Tensor = kept.flatten(-2).movedim(-1, 1)
    return flat


def _fours(tensor: Tensor) -> Tensor:
    """The second dimension at the end, in fours: [out, ..., in / 4, 4]."""
    fours: Tensor = tensor.movedim(1, -1).unflatten(-1, (-1, 4))
    return fours
