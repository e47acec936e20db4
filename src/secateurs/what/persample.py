"""Per-sample gradients of log p(y | x; theta), with y drawn from the model itself.

``vmap`` over one-example gradients in evaluation mode, in chunks whose gradients fit into a
memory bound. What is computed per sample is handed to the caller chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from secateurs.core import Batch, Predicts, PruningError, Task, evaluating

_CHUNK_BYTES = 256 * 2**20


def sampled_gradients(
    model: nn.Module,
    task: Task,
    batches: Iterable[Batch],
    names: Sequence[str],
    generator: torch.Generator,
    mask: Mapping[str, Tensor] | None = None,
) -> Iterator[dict[str, Tensor]]:
    """Yield, chunk by chunk, the gradient of log p(y_i | x_i; theta) for each example, y_i ~ p(. | x_i).

    Each chunk maps every name to a tensor ``[n, *shape]``. The model runs in evaluation mode and
    is left exactly as it was; masked weights act as 0.

    Raises:
        PruningError: when the task has no predictive distribution.
    """
    if not isinstance(task, Predicts):
        raise PruningError(
            f"{type(task).__name__} has no predictive(output): the Fisher information needs p(y | x); "
            "use a task that has one, or a score and signal without it"
        )
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    for name in mask or ():
        parameters[name] = parameters[name].masked_fill(~(mask or {})[name].to(parameters[name].device), 0)
    wanted = {name: parameters[name] for name in names}
    buffers = dict(model.named_buffers())

    def log_probability(theta: dict[str, Tensor], inputs: Tensor, y: Tensor) -> Tensor:
        def network(x: Tensor) -> Tensor:
            out: Tensor = functional_call(model, ({**parameters, **theta}, buffers), (x,))
            return out

        output = task.output(network, Batch(inputs.unsqueeze(0), y.unsqueeze(0)))  # type: ignore[arg-type]
        return task.predictive(output).log_prob(y.unsqueeze(0)).squeeze(0)

    per_sample = vmap(grad(log_probability), in_dims=(None, 0, 0))
    weight_bytes = max(1, sum(p.numel() * p.element_size() for p in wanted.values()))
    chunk = max(1, _CHUNK_BYTES // weight_bytes)
    with evaluating(model):
        for batch in batches:
            with torch.no_grad():
                output = functional_call(model, ({**parameters}, buffers), (batch.inputs,))
                labels = task.predictive(output).sample(generator)
            for inputs, y in zip(batch.inputs.split(chunk), labels.split(chunk), strict=True):
                yield per_sample(wanted, inputs, y)
