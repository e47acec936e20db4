"""What torch's allocator gave and took back on the CPU, event by event."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

from secateurs.core import MeasureError

Result = TypeVar("Result")


def most_allocated(call: Callable[[], Result]) -> tuple[Result, int]:
    """What ``call`` gives, and the most bytes that torch's allocator had given out at a time since it began.

    What was allocated before is not counted, and neither is it taken off when it goes. It is recorded by torch's
    profiler: exact and the same in each run, but blind to what a library allocates for itself (oneDNN's
    scratch pads) and to the pages that the system's allocator keeps. On the CPU only.

    Raises:
        MeasureError: when torch's profiler is at work already.

    >>> most_allocated(lambda: (torch.ones(1000) + 1).sum().item())[1] // 1000  # float32: two tensors, and a sum
    8
    """
    from torch.autograd.profiler import profile

    if torch._C._autograd._profiler_enabled():
        raise MeasureError("memory: torch's profiler is at work already: measure outside of it")
    with _without_a_word(), profile(profile_memory=True) as recorded:
        result = call()
    results = recorded.kineto_results
    if results is None:
        raise MeasureError("memory: torch's profiler recorded nothing")
    blocks: dict[int, int] = {}
    live = peak = 0
    for event in sorted(_allocations(results.experimental_event_tree()), key=lambda each: each.start_time_ns):
        pointer, size = event.extra_fields.ptr, event.extra_fields.alloc_size
        if size > 0:
            blocks[pointer] = size
            live += size
        else:
            live -= blocks.pop(pointer, 0)  # what was allocated before is none of this
        peak = max(peak, live)
    return result, peak


def _allocations(events: Iterable[Any]) -> Iterator[Any]:
    """The events of the allocator, among those of operations."""
    waiting = list(events)
    while waiting:
        event = waiting.pop()
        waiting += event.children
        if event.name == "[memory]":
            yield event


@contextmanager
def _without_a_word() -> Iterator[None]:
    """The profiler's own library tells stderr that it starts and stops; whoever set its level wants to hear it."""
    name = "KINETO_LOG_LEVEL"
    if name in os.environ:
        yield
        return
    os.environ[name] = "99"
    try:
        yield
    finally:
        del os.environ[name]
