"""How much further from their initial values the weights move in an epoch: P1's signal of when to prune."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

import torch
from torch import Tensor, nn

from secateurs.core import Observation, SignalError, SignalState, did_you_mean

Form = Literal["relative", "squared", "algorithm"]
_INITIAL = "initial/"


@dataclass(frozen=True)
class WeightChange:
    """Change over an epoch of ``d_t = ||theta_t - theta_0||_2``, the distance from initialisation (P1 section 4.3).

    theta are all trainable parameters, no buffers; theta_0 is the model that the run is begun
    with. d_0 = 0, and d_1 is the first distance that is not 0: the untrained network has no
    value. ``distance``, logged beside the value, is d_t. Dimensionless; in float64.

    Args:
        form: P1's bound, equations and algorithm do not agree on what it is.
            ``"relative"``: ``|d_t - d_(t-1)| / d_1``, ours: distances unsquared, so that P1's bound
            eq. 12 holds: at most ``||theta_t - theta_(t-1)|| / ||theta_1 - theta_0||``. 1 at first.
            ``"squared"``: ``|d_t^2 - d_(t-1)^2| / d_1^2``, eqs. 10 and 11 as printed. 1 at first.
            ``"algorithm"``: ``(d_t^2 - d_(t-1)^2) / ||theta_0||^2``, line 6 of Algorithm 1 as printed:
            signed, and below any threshold when the weights come nearer to where they began.

    Raises:
        SignalError: for another form, or a model without trainable parameters.

    >>> from secateurs.core import Moment
    >>> net, signal = nn.Linear(1, 1, bias=False), WeightChange()
    >>> state, values = signal.init(net), []
    >>> for epoch, move in enumerate([0.0, 4.0, 2.0, 1.0]):
    ...     _ = nn.init.constant_(net.weight, move + net.weight.item())
    ...     state, value = signal.update(state, Observation(Moment(epoch, 1), "epoch", net, None))
    ...     values.append(value and round(value.item(), 6))
    >>> values
    [None, 1.0, 0.5, 0.25]
    """

    form: Form = "relative"

    name: ClassVar[str] = "weight_change"
    every: ClassVar[Literal["epoch"]] = "epoch"
    reads: ClassVar[frozenset[str]] = frozenset()
    details: ClassVar[tuple[str, ...]] = ("distance",)

    def __post_init__(self) -> None:
        if self.form not in get_args(Form):
            raise SignalError(f"weight_change: unknown form {self.form!r}{did_you_mean(self.form, get_args(Form))}")

    def init(self, model: nn.Module) -> SignalState:
        """A copy of the trainable parameters, which are theta_0 from here on."""
        initial = {f"{_INITIAL}{name}": p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}
        if not initial:
            raise SignalError("weight_change: the model has no trainable parameters")
        return {"distance": torch.zeros((), dtype=torch.float64), "unit": None, **initial}

    @torch.no_grad()
    def update(self, state: SignalState, observation: Observation) -> tuple[SignalState, Tensor | None]:
        """Measure at an epoch's end, in one pass over the parameters.

        Raises:
            SignalError: when the parameters are not those that the run began with.
        """
        if observation.boundary != "epoch":
            return state, None
        current = _parameters(state, observation.model)
        initial = {name: _beside(p, state[_INITIAL + name]) for name, p in current.items()}
        before = state["distance"]
        now = _norm(torch._foreach_sub(list(current.values()), list(initial.values())))
        unit = state["unit"]
        if unit is None and now != 0:  # clone(): what is stored side by side must not share memory
            unit = _norm(list(initial.values())) if self.form == "algorithm" else now.clone()
        after = {"distance": now, "unit": unit, **{_INITIAL + name: value for name, value in initial.items()}}
        if unit is None:
            return after, None
        if self.form == "relative":
            return after, (now - before).abs() / unit
        change = (now.square() - before.square()) / unit.square()
        return after, change.abs() if self.form == "squared" else change


def _parameters(state: SignalState, model: nn.Module) -> dict[str, Tensor]:
    """The parameters that were trainable at the beginning, in the model's order: files keep none, and sums need one."""
    here = dict(model.named_parameters())
    names = [key.removeprefix(_INITIAL) for key in state if key.startswith(_INITIAL)]
    for name in names:
        known, found = state[_INITIAL + name].shape, here[name].shape if name in here else None
        if found != known:
            told = "is there no more" if found is None else f"has shape {list(found)} now"
            raise SignalError(
                f"weight_change: parameter {name!r} had shape {list(known)} when the run began and {told}: "
                "begin a new watch where the network is rebuilt"
            )
    return {name: p.detach() for name, p in here.items() if _INITIAL + name in state}


def _beside(parameter: Tensor, initial: Tensor) -> Tensor:
    """``initial`` on the device and in the memory layout of its parameter, which files do not keep."""
    if initial.device == parameter.device and initial.stride() == parameter.stride():
        return initial
    return torch.empty_like(parameter).copy_(initial)


def _norm(tensors: Sequence[Tensor]) -> Tensor:
    """L2 norm of all entries of all tensors together, summed up in float64."""
    norms = torch._foreach_norm(list(tensors), 2, dtype=torch.float64)
    return torch.stack(norms).square().sum().sqrt()
