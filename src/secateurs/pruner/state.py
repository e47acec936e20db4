"""Tensors and JSON: what goes beside the loop's own checkpoint, and whether what comes back fits."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from typing import Any

import torch
from torch import Tensor

from secateurs.core import PruningError, Signal, Spec, Trigger

VERSION = 4
_ONLY_WHEN = frozenset({"when", "epochs"})
_ONLY_BEFORE = _ONLY_WHEN | {"signals", "data", "examples", "examples_per_class", "seed"}


def snapshot(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Copies that share no memory and lie in order, as files want them."""
    return {
        f"{prefix}/{name}": value.detach().clone(memory_format=torch.contiguous_format)
        for name, value in tensors.items()
    }


def on_cpu(state: Any) -> Any:
    """A copy of nested dicts and lists with every tensor on the CPU."""
    if isinstance(state, Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {key: on_cpu(value) for key, value in state.items()}
    return [on_cpu(value) for value in state] if isinstance(state, list) else copy.deepcopy(state)


def settings_of(
    when: Trigger | None,
    epochs: int | None,
    signals: Sequence[Signal],
    what: object,
    how: object,
    data: object,
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """How the pruner was built, as JSON: what a state only fits. ``others`` are JSON already."""
    return {
        "when": "the default trigger" if when is None else _told(when),
        "epochs": epochs if when is None else None,  # beside a trigger it decides nothing
        "signals": sorted(map(_told, signals)),
        "what": _told(what),
        "how": _told(how),
        "data": None if data is None else "given",
        **others,
    }


def check_fit(state: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Whether a state is one, and of a pruner built like this one, in what still matters.

    Once the trigger has fired it no longer matters what it was, and once the network is pruned nor what was measured.

    Raises:
        PruningError: when it is not.
    """
    meta = state.get("meta") if {*state} == {"tensors", "meta"} else None
    if not isinstance(meta, Mapping) or meta.get("version") != VERSION:
        raise PruningError(
            f"load_state_dict: expected what state_dict() gives (version {VERSION}), got keys {sorted(map(str, state))}"
        )
    with complete():
        saved, ended = meta["settings"], meta["progress"]["event"] is not None
        passed = _ONLY_BEFORE if meta["outcome"] is not None else _ONLY_WHEN if ended else frozenset()
        differ = [name for name in settings if name not in passed and saved[name] != settings[name]]
    if differ:
        old, new = (", ".join(f"{name}={each[name]}" for name in differ) for each in (saved, settings))
        raise PruningError(
            f"load_state_dict: the state is of a pruner with {old}, this one has {new}: build it with the "
            "same arguments"
        )


@contextmanager
def complete() -> Iterator[None]:
    """Inside it a state is read.

    Raises:
        PruningError: when something is missing there, or is not what it should be.
    """
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise PruningError(f"load_state_dict: the state is not complete, or was changed: {error!r}") from error


def _told(part: object) -> str:
    """A part with its settings, in words that are the same in every process."""
    if isinstance(part, str):
        part = Spec(part)
    if isinstance(part, Spec):
        told = f"{part.name}({', '.join(f'{name}={value!r}' for name, value in sorted(part.options.items()))})"
    else:
        told = repr(part) if is_dataclass(part) else getattr(part, "__qualname__", type(part).__qualname__)
    return re.sub(r" at 0x[0-9a-fA-F]+", "", told)
