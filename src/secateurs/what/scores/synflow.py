"""Synaptic flow: a score without data, in float64, since sums of products over deep networks leave float32."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call

from secateurs.core import Batch, PruningError, Scores, Task, all_finite, evaluating
from secateurs.what.examples import batches_of
from secateurs.what.weights import kept_by, weights_of


def synflow(
    model: nn.Module,
    task: Task | None = None,
    batches: Iterable[Batch] = (),
    *,
    names: Sequence[str] | None = None,
    mask: Mapping[str, Tensor] | None = None,
    generator: torch.Generator | None = None,
    input_shape: Sequence[int] | None = None,
) -> Scores:
    """``|theta * dR/dtheta|``, R = sum of logits of one example of ones, all parameters positive (P2 section 5.5.1).

    Every parameter, biases and norm scales too, is replaced by its absolute value; norms use their
    running statistics as they are (evaluation mode). Parameters, buffers, input and scores are
    float64, whatever the model's own dtype: R grows with every layer, and leaves float32 on deep
    networks. Nothing is learnt from data: where ``input_shape`` is None, the first batch is asked
    for its shape. In a ReLU network without biases and norms the scores of each layer sum to R.

    One shot empties layers as other scores do; meant is the iteration: 100 steps, exponential.

    Args:
        input_shape: shape of one example, without the batch dimension.

    Raises:
        PruningError: without an input shape or a batch; for whole-number inputs (tokens), which
            have no all-ones example; when the model does not give one float64 tensor for a
            float64 input; when R overflows even float64.

    >>> net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    >>> _ = net[0].weight.data.copy_(torch.tensor([[1.0, -2.0], [3.0, 4.0]]))
    >>> _ = net[2].weight.data.copy_(torch.tensor([[-5.0, 6.0]]))
    >>> {name: scores.tolist() for name, scores in synflow(net, input_shape=(2,)).items()}
    {'0.weight': [[5.0, 10.0], [18.0, 24.0]], '2.weight': [[15.0, 42.0]]}
    """
    del task, generator
    weights = weights_of(model, names)
    shape = _shape(batches) if input_shape is None else tuple(input_shape)
    peaks: dict[int, Tensor] = {}

    def multiply(theta: Tensor) -> None:
        """|theta * gradient| in the place of theta, which nothing needs any more once its gradient has come."""
        if theta.grad is not None and theta.numel():
            largest = [out.mul_(slope).abs_().amax() for out, slope in _pieces(theta.detach(), theta.grad)]
            peaks[id(theta)] = torch.stack(largest).amax()  # NaN or infinite where any score is
            theta.grad = None  # its memory serves the layer before: fresh memory is slow

    with evaluating(model), torch.inference_mode(False), torch.enable_grad():
        parameters = _absolute(model, mask)
        first = {id(p): name for name, p in model.named_parameters()}
        leaves = [parameters[first[id(p)]] for p in weights.values()]
        for leaf in leaves:
            leaf.requires_grad_().register_post_accumulate_grad_hook(multiply)
        _flow(model, parameters, torch.ones(1, *shape, dtype=torch.float64, device=leaves[0].device)).backward(
            inputs=leaves
        )
    if not all(peak.isfinite() for peak in peaks.values()) and all(map(all_finite, model.parameters())):
        raise PruningError(
            "synflow: the sum over all paths of this network overflows even float64: scale the weights of some layers "
            "down, which without biases and norms leaves the order of the scores as it is, or use another score"
        )
    for leaf in leaves:
        if id(leaf) not in peaks:
            leaf.detach().zero_()  # R does not depend on it
    return {name: leaf.detach() for name, leaf in zip(weights, leaves, strict=True)}


def _shape(batches: Iterable[Batch]) -> tuple[int, ...]:
    for batch in batches_of(batches, "synflow"):
        inputs = batch.inputs
        if not inputs.is_floating_point():
            raise PruningError(
                f"synflow: the inputs are whole numbers ({inputs.dtype}), such as tokens, for which an example of "
                "ones has no meaning: use a score that looks at data or weights, such as snip or magnitude"
            )
        return tuple(inputs.shape[1:])
    raise PruningError("synflow: pass input_shape=, the shape of one example, or a batch to take it from")


def _absolute(model: nn.Module, mask: Mapping[str, Tensor] | None) -> dict[str, Tensor]:
    """Fresh absolute values of all parameters in float64, masked ones 0."""
    kept = kept_by(mask, model, "synflow")
    return {name: _positive(p.detach(), kept.get(id(p))) for name, p in model.named_parameters()}


def _positive(theta: Tensor, flags: Tensor | None) -> Tensor:
    result = torch.empty(theta.shape, dtype=torch.float64, device=theta.device)
    if flags is None:
        return result.copy_(theta).abs_()
    flags = flags.to(theta.device)
    if not all_finite(theta):
        theta = theta.masked_fill(~flags, 0)
    # A product is several times as fast as masked_fill, whose branches no processor foresees.
    for out, values, kept in _pieces(result, theta, flags):
        out.copy_(values).abs_().mul_(kept.double())
    return result


def _pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same stretches of several tensors, short enough to stay in the cache from one operation to the next."""
    return zip(*(tensor.reshape(-1).split(2**16) for tensor in tensors), strict=True)


def _flow(model: nn.Module, parameters: Mapping[str, Tensor], ones: Tensor) -> Tensor:
    """R: the sum of the logits."""
    buffers = {
        name: buffer.to(torch.float64, copy=True) if buffer.is_floating_point() else buffer.clone()
        for name, buffer in model.named_buffers()
    }
    try:
        output = functional_call(model, ({**parameters, **buffers},), (ones,))
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        tokens = [name for name, module in model.named_modules() if isinstance(module, nn.Embedding | nn.EmbeddingBag)]
        remedy = (
            f"{tokens[0]!r} takes whole numbers, for which an example of ones has no meaning: use another score"
            if tokens
            else "check input_shape, and that tensors made in forward() take the dtype of its input"
        )
        raise PruningError(
            f"synflow: {type(model).__name__} fails on an input of ones, float64 {tuple(ones.shape)}: {error}; {remedy}"
        ) from error
    if not isinstance(output, Tensor) or output.dtype != torch.float64 or not output.requires_grad:
        got = f"{output.dtype}" if isinstance(output, Tensor) else type(output).__name__
        raise PruningError(
            f"synflow: {type(model).__name__} gives {got} where one float64 tensor that depends on its weights was "
            "expected: it must return its logits, and take the dtype of its input"
        )
    return output.sum()
