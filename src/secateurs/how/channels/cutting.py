"""Removing channels: as a new, smaller model, or inside the same modules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from secateurs.core import Keep
from secateurs.how.channels.leaves import copied_model
from secateurs.how.channels.moving import Moves, moved_groups, moved_state, new_parameter
from secateurs.how.channels.surgery import Surgery, cut, surgery


def remove_channels(model: nn.Module, keep: Keep, *, optimizer: Optimizer | None = None) -> nn.Module:
    """A new, physically smaller module without the channels that ``keep`` drops; ``model`` stays as it is.

    In evaluation mode its output is that of the model with those channels masked
    (:func:`mask_channels`), to rounding. Attributes follow (``out_channels``, ``num_features``, ``groups`` ...), hooks
    and modes are copied, gradients are cut like their parameters. The dense parameters are never copied.

    Args:
        model: the model that the groups of ``keep`` were made for.
        keep: as :func:`keep_top_channels` gives it; it carries its groups.
        optimizer: an optimiser of the model, which is moved to the new module: its groups keep their
            hyper-parameters and hold the new parameters, its state is cut alike. It no longer trains ``model``.

    Raises:
        PruningError: when ``keep`` does not fit the model, a layer would vanish, or the optimiser keeps
            state of an unknown layout, or a module keeps a tensor with its graph; nothing was changed then.

    >>> import torch
    >>> from secateurs.how import channel_groups
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> groups = channel_groups(net, torch.zeros(1, 3))
    >>> remove_channels(net, Keep(groups, {"0": torch.tensor([True, False, False, True])}))
    Sequential(
      (0): Linear(in_features=3, out_features=2, bias=True)
      (1): ReLU()
      (2): Linear(in_features=2, out_features=2, bias=True)
    )
    """
    plan = surgery(model, keep)
    moves: Moves = {
        old: (name, new_parameter(old, plan.places.get(name, {})), plan.places.get(name, {}))
        for name, old in model.named_parameters()
    }
    changes = [] if optimizer is None else _optimizer_changes(optimizer, moves)
    return _copied(model, plan, moves, changes)


def cut_for_trial(model: nn.Module, keep: Keep) -> nn.Module:
    """As :func:`remove_channels`, to be looked at and thrown away: parameters of which nothing goes are the model's.

    Raises:
        PruningError: as :func:`remove_channels`.
    """
    plan = surgery(model, keep)
    return _copied(model, plan, _moves(model, plan), [])


def cut_in_place(model: nn.Module, keep: Keep, optimizer: Optimizer | None = None) -> None:
    """Remove the channels that ``keep`` drops inside the same modules, as new parameters, and move the optimiser.

    For training loops that hold on to the model and its optimiser. Everything is worked out first: when
    anything fails, model and optimiser are as they were. Afterwards the old parameters are
    nobody's: what holds on to them (an exponential average, an enforced mask, DDP, a compiled model) must be made anew.

    Raises:
        PruningError: as :func:`remove_channels`.

    >>> import torch
    >>> from secateurs.how import channel_groups
    >>> net = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> sgd = torch.optim.SGD(net.parameters(), lr=0.1)
    >>> groups = channel_groups(net, torch.zeros(1, 3))
    >>> cut_in_place(net, Keep(groups, {"0": torch.tensor([True, False, False, True])}), sgd)
    >>> net[0].weight.shape, sgd.param_groups[0]["params"][0] is net[0].weight
    (torch.Size([2, 3]), True)
    """
    plan = surgery(model, keep)
    moves = _moves(model, plan)
    renewed: dict[int, Any] = {id(old): new for old, (_, new, _) in moves.items() if new is not old}
    renewed |= {id(b): cut(b, plan.places[name]) for name, b in model.named_buffers() if name in plan.places}
    changes = []
    for module in model.modules():
        for slots in (module._parameters, module._buffers):
            changes += [Change(slots, name, renewed[id(t)]) for name, t in slots.items() if id(t) in renewed]
        if isinstance(module, nn.RNNBase):  # it also keeps its weights in a list
            flat = [renewed.get(id(weight), weight) for weight in module._flat_weights]
            changes.append(Change(module.__dict__, "_flat_weights", flat))
    changes += _number_changes(model, plan)
    if optimizer is not None:
        changes += _optimizer_changes(optimizer, moves)
    commit(changes)


class Slots(Protocol):
    """A dictionary, as far as a change needs one."""

    def __getitem__(self, key: Any, /) -> Any: ...

    def __setitem__(self, key: Any, value: Any, /) -> None: ...


@dataclass(frozen=True)
class _Attributes:
    """An object's attributes as entries: an optimiser around another has its state there."""

    owner: object

    def __getitem__(self, name: str) -> Any:
        return getattr(self.owner, name)

    def __setitem__(self, name: str, value: Any) -> None:
        setattr(self.owner, name, value)


@dataclass(frozen=True)
class Change:
    """One entry of one dictionary that gets a new value."""

    slots: Slots
    key: Any
    value: Any


def commit(changes: list[Change]) -> None:
    """Do all changes, or none of them: when one fails, what was changed is taken back.

    What cannot be written at all (an optimiser with a state to be read only) shows at once, by its own value.
    """
    before = [Change(change.slots, change.key, change.slots[change.key]) for change in changes]
    try:
        for change in (*before, *changes):
            change.slots[change.key] = change.value
    except BaseException:
        for old in reversed(before):
            if old.slots[old.key] is not old.value:
                old.slots[old.key] = old.value
        raise


def _moves(model: nn.Module, plan: Surgery) -> Moves:
    """New parameters for those that are cut; all others stay."""
    return {
        old: (name, new_parameter(old, plan.places[name]) if name in plan.places else old, plan.places.get(name, {}))
        for name, old in model.named_parameters()
    }


def _copied(model: nn.Module, plan: Surgery, moves: Moves, changes: list[Change]) -> nn.Module:
    """A copy that has the moved parameters and is cut, once the changes are done as well."""
    memo: dict[int, Any] = {id(old): new for old, (_, new, _) in moves.items()}
    memo |= {id(b): cut(b, plan.places[name]) for name, b in model.named_buffers() if name in plan.places}
    small = copied_model(model, memo)
    commit([*_number_changes(small, plan), *changes])
    return small


def _number_changes(model: nn.Module, plan: Surgery) -> list[Change]:
    return [
        Change(model.get_submodule(path).__dict__, attribute, value)
        for path, numbers in plan.numbers.items()
        for attribute, value in numbers.items()
    ]


def _optimizer_changes(optimizer: Optimizer, moves: Moves) -> list[Change]:
    state = type(optimizer.state)(*([dict] if hasattr(optimizer.state, "default_factory") else []))
    state.update(moved_state(optimizer, moves))
    groups = zip(optimizer.param_groups, moved_groups(optimizer, moves), strict=True)
    return [
        *(Change(group, "params", parameters) for group, parameters in groups),
        Change(_Attributes(optimizer), "state", state),
    ]
