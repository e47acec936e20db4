"""What can be counted of a run's network at its end: always told, in the run's own summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from secateurs.core import Batch, Spec, TrainState
from secateurs.measure.costs import Costs, costs
from secateurs.zoo import Dataset, build_model


def counted(state: TrainState, data: Dataset, model: Spec) -> dict[str, Any]:
    """Weights, channels, multiply-adds and bytes of a state's network, as :class:`Costs` in JSON; nothing is timed.

    One forward pass of one training example, in evaluation mode; the state is left as it was.

    Args:
        model: what the dense network is built from.
    """
    example = next(iter(data.train.batches(1, 1)))
    return count(state.model, data, example, model, state.mask).to_json()


def left(state: TrainState, data: Dataset, model: Spec) -> dict[str, Any]:
    """What a state that was just pruned is trained with from here on, as a row of metrics."""
    costs = counted(state, data, model)
    return {
        "moment": str(state.moment),
        "density": 1 - costs["weight_sparsity"],
        "multiply_adds": costs["multiply_adds"],
    }


def count(
    network: nn.Module, data: Dataset, example: Batch, model: Spec, mask: Mapping[str, Tensor] | None = None
) -> Costs:
    """The costs of a network that can be counted, beside those of the dense one that ``model`` builds."""
    with torch.device("meta"):  # takes no memory
        dense = build_model(model, data.input_shape, data.num_classes, seed=0)
    return costs(network, data.task, example, mask=mask, reference=dense, repeats=0, memory=False)
