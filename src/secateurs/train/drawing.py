"""Random numbers drawn a second time: for a pass over a batch that has to be the same as the first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

_HERE = torch.device("cpu")
_OTHERS = ("cuda", "xpu", "mps")  # kinds of device with random numbers of their own


def random_states(devices: Iterable[torch.device]) -> dict[torch.device, Tensor]:
    """The global random state of the CPU, and of those of ``devices`` that are CUDA's, XPU's or MPS's.

    Other kinds of device draw on, so that what is random there (dropout) differs between two passes.
    """
    others = {device for device in devices if device.type in _OTHERS}
    states = {device: torch.get_device_module(device).get_rng_state(*_which(device)) for device in others}
    return {_HERE: torch.get_rng_state(), **states}


@contextmanager
def drawing_again(before: Mapping[torch.device, Tensor]) -> Iterator[None]:
    """Draw what came after ``before``, the random states then; afterwards what would have come now.

    >>> before = random_states([])
    >>> first = torch.rand(3)
    >>> with drawing_again(before):
    ...     torch.equal(torch.rand(3), first)
    True
    """
    now = random_states(before)
    try:
        _set(before)
        yield
    finally:
        _set(now)


def _set(states: Mapping[torch.device, Tensor]) -> None:
    for device, state in states.items():
        if device == _HERE:
            torch.set_rng_state(state)
        else:
            torch.get_device_module(device).set_rng_state(state, *_which(device))


def _which(device: torch.device) -> tuple[torch.device, ...]:
    """What a kind of device is told: of MPS there is one only."""
    return () if device.type == "mps" else (device,)
