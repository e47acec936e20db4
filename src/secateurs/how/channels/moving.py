"""Moving an optimiser from parameters to what is left of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_leaves

from secateurs.core import PruningError
from secateurs.how.channels.surgery import Places, cut

Moves = Mapping[Tensor, tuple[str, nn.Parameter, Places]]
"""Old parameter -> its name, the new parameter, and what of the old one stays."""


def moved_state(optimizer: Optimizer, moves: Moves) -> dict[Any, Any]:
    """The optimiser's state after the move; the optimiser is not changed.

    Tensors of the parameter's shape (momentum, Adam's moments) are cut as the parameter is; numbers and
    tensors with one entry (step counts) are kept.

    Raises:
        PruningError: when the optimiser holds no parameter of the model, or keeps a tensor of another shape, of
            which nobody knows what goes with a channel.
    """
    held = {parameter for group in optimizer.param_groups for parameter in group["params"]}
    if not held & set(moves):
        raise PruningError("the optimizer holds no parameter of this model: build it from this very model's parameters")
    state: dict[Any, Any] = {}
    for parameter, entries in optimizer.state.items():
        if parameter not in moves:
            state[parameter] = entries
            continue
        name, new, places = moves[parameter]
        state[new] = {key: _moved(optimizer, name, key, value, parameter, places) for key, value in entries.items()}
    return state


def _moved(optimizer: Optimizer, name: str, key: str, value: Any, parameter: Tensor, places: Places) -> Any:
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        return cut(value, places) if places else value
    for each in tree_leaves(value):
        if isinstance(each, Tensor) and (each.numel() != 1 or each is not value):
            raise PruningError(
                f"the state {key!r} that {type(optimizer).__name__} keeps for {name!r} has shape {list(each.shape)}, "
                f"the parameter {list(parameter.shape)}: what of it goes with a channel is not known. Build a new "
                "optimizer after the cut"
            )
    return value


def moved_groups(optimizer: Optimizer, moves: Moves) -> list[list[Tensor]]:
    """The parameters of each of the optimiser's groups after the move."""
    return [[moves[p][1] if p in moves else p for p in group["params"]] for group in optimizer.param_groups]


def new_parameter(parameter: nn.Parameter, places: Places) -> nn.Parameter:
    """What stays of a parameter, and of its gradient: a new parameter, frozen if the old one is."""
    new = nn.Parameter(cut(parameter, places) if places else parameter.detach().clone(), parameter.requires_grad)
    if parameter.grad is not None:
        new.grad = cut(parameter.grad, places) if places else parameter.grad.detach().clone()
    return new
