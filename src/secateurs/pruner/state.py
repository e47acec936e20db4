"""Tensors and JSON: what goes beside the loop's own checkpoint, and whether what comes back fits."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import Tensor

from secateurs.core import PruningError, Trigger

VERSION = 2


def snapshot(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Copies that share no memory and lie in order, as files want them."""
    return {
        f"{prefix}/{name}": value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors that :func:`snapshot` put under ``prefix``."""
    return {name[len(prefix) + 1 :]: value for name, value in tensors.items() if name.startswith(f"{prefix}/")}


def on_cpu(state: Any) -> Any:
    """A copy of nested dicts and lists with every tensor on the CPU."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: on_cpu(value) for key, value in state.items()}
    return [on_cpu(value) for value in state] if isinstance(state, list) else copy.deepcopy(state)


def settings_of(trigger: Trigger, signals: list[str], act: bool) -> dict[str, Any]:
    """What a state only fits: how the pruner was built."""
    told = repr(trigger) if is_dataclass(trigger) else type(trigger).__qualname__
    return {"when": told, "signals": sorted(signals), "act": act}


def check_fit(state: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Whether a state is one, and of a pruner built like this one.

    Raises:
        PruningError: when it is not.
    """
    if {*state} != {"tensors", "meta"} or state["meta"].get("version") != VERSION:
        raise PruningError(
            f"load_state_dict: expected what state_dict() gives (version {VERSION}), got keys {sorted(map(str, state))}"
        )
    for name, value in settings.items():
        saved = state["meta"]["settings"][name]
        if saved != value:
            raise PruningError(
                f"load_state_dict: the state is of a pruner with {name}={saved}, this one has {name}={value}: build it "
                "with the same arguments"
            )
