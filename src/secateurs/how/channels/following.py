"""Passing an example through a model while every operation is followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import Batch, evaluating, plain_attention
from secateurs.how.channels.branches import Decisions, Way, every_way
from secateurs.how.channels.layers import LAYERS
from secateurs.how.channels.pointwise import UNTAGGED, pointwise
from secateurs.how.channels.reductions import REDUCTIONS
from secateurs.how.channels.structural import STRUCTURAL
from secateurs.how.channels.tracing import Tracer

RULES = STRUCTURAL | REDUCTIONS | LAYERS | dict.fromkeys(UNTAGGED, pointwise)


def tracer_of(model: nn.Module, exclude: Sequence[str], heads: bool = True) -> Tracer:
    """A tracer with all rules; without ``heads``, channels that are split into several dimensions stay."""
    return Tracer(model, RULES, pointwise, frozenset(exclude), heads)


def follow(tracer: Tracer, example: Any, ways: Sequence[Way] | None = None) -> None:
    """Call the tracer's model with ``example``, in evaluation mode and without gradients.

    Where ``forward`` takes a truth value out of its inputs, it is called once for each way that it may go then; or in
    the given ``ways`` only.
    """
    model = tracer.model

    def passed(told: Decisions) -> None:
        args, kwargs = _arguments(example, next(model.parameters()).device)
        tracer.start((args, kwargs), told)
        with tracer:
            output = model(*args, **kwargs)
        tracer.end(output)

    with evaluating(model), torch.no_grad(), plain_attention(), tracer.following():
        if ways is None:
            tracer.trace.ways = every_way(passed)
        else:
            for way in ways:
                passed(Decisions(way))
        tracer.settle()


def _arguments(example: Any, device: torch.device) -> tuple[tuple[Any, ...], dict[str, Any]]:
    def there(value: Any) -> Any:
        return value.detach().to(device, copy=True) if isinstance(value, Tensor) else value

    if isinstance(example, Batch):
        return (there(example.inputs),), {}
    if isinstance(example, Mapping):
        return (), {name: there(value) for name, value in example.items()}
    if isinstance(example, tuple | list):
        return tuple(there(value) for value in example), {}
    return (there(example),), {}
