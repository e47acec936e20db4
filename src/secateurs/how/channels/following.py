"""Passing an example through a model while every operation is followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import Batch, evaluating
from secateurs.how.channels.layers import LAYERS
from secateurs.how.channels.pointwise import UNTAGGED, pointwise
from secateurs.how.channels.reductions import REDUCTIONS
from secateurs.how.channels.structural import STRUCTURAL
from secateurs.how.channels.tracing import Tracer

RULES = STRUCTURAL | REDUCTIONS | LAYERS | dict.fromkeys(UNTAGGED, pointwise)


def tracer_of(model: nn.Module, exclude: Sequence[str], heads: bool = True) -> Tracer:
    """A tracer with all rules; without ``heads``, channels that are split into several dimensions stay."""
    return Tracer(model, RULES, pointwise, frozenset(exclude), heads)


def follow(tracer: Tracer, example: Any) -> None:
    """Call the tracer's model with ``example``, in evaluation mode and without gradients."""
    model = tracer.model
    with evaluating(model), torch.no_grad(), tracer.following():
        args, kwargs = _arguments(example, next(model.parameters()).device)
        tracer.start((args, kwargs))
        with tracer:
            output = model(*args, **kwargs)
        tracer.end(output)


def _arguments(example: Any, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def there(value: Any) -> Any:
        return value.to(device) if isinstance(value, Tensor) else value

    if isinstance(example, Batch):
        return (there(example.inputs),), {}
    if isinstance(example, Mapping):
        return (), {name: there(value) for name, value in example.items()}
    if isinstance(example, tuple | list):
        return tuple(there(value) for value in example), {}
    return (there(example),), {}
