"""What the last step before a look broke: the loss of training, taken before the step, does not tell of it."""

from __future__ import annotations

from torch import nn

from secateurs.core import TrainState, all_finite


def sound(model: nn.Module) -> bool:
    """Whether every parameter and buffer holds finite numbers only.

    >>> net = nn.Linear(2, 1)
    >>> sound(net)
    True
    >>> _ = nn.init.constant_(net.bias, float("nan"))
    >>> sound(net)
    False
    """
    return all(map(all_finite, model.state_dict().values()))


def judged(state: TrainState) -> TrainState:
    """The state, diverged at its moment where its network is not :func:`sound`; consumes it then.

    A state that has diverged already stays as it is.
    """
    return state if state.diverged is not None or sound(state.model) else state.take(diverged=state.moment)


def unbroken(state: TrainState) -> bool:
    """Whether training did not diverge, and its network is :func:`sound`: the last step may have broken it."""
    return state.diverged is None and sound(state.model)
