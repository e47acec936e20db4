"""Energy of jobs: what stands beside each sitting of a job, in every worker (extra ``energy``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import torch

from secateurs.measure.costs.energy import Emissions, Meter, emissions

_OF_THE_PROCESS = "processor: estimated from its load"
"""How :attr:`Emissions.basis` begins where CodeCarbon counts the process's own load."""


@contextmanager
def energy_of_job(
    device: str, workers: int, workers_on_device: int, *, country: str | None = None
) -> Iterator[Callable[[], dict[str, Any]]]:
    """Measure the energy of the block; what it yields says, as often as it is asked, what the block took so far.

    Alone, a worker is charged with all that the machine uses. Of several, each is charged with its own load and
    memory; where the hardware tells only what the whole processor uses, with an equal share of that; and with an
    equal share of its GPU.

    Args:
        device: that is worked on, e.g. ``"cuda:1"``.
        workers: how many work on this machine at a time, this one included.
        workers_on_device: how many of them have the same device.
        country: as :func:`~secateurs.measure.costs.energy.emissions` has it.

    Raises:
        MeasureError: as ``emissions``.
    """
    running = _Running(lambda: emissions(country, whole_machine=workers == 1, gpus=_uuid(device)))
    running.start()
    try:
        yield lambda: _of_one(running.so_far(), workers, workers_on_device).to_json()
    finally:
        running.stop()


class _Running:
    """One block of emissions after another: a reading ends one, adds it up, and begins the next."""

    def __init__(self, block: Callable[[], AbstractContextManager[Meter]]) -> None:
        self._block = block
        self._open: tuple[AbstractContextManager[Meter], Meter] | None = None
        self._total: Emissions | None = None

    def start(self) -> None:
        block = self._block()
        self._open = block, block.__enter__()

    def stop(self) -> None:
        if self._open is None:
            return
        (block, meter), self._open = self._open, None
        block.__exit__(None, None, None)
        self._total = meter.result if self._total is None else self._total + meter.result

    def so_far(self) -> Emissions:
        self.stop()
        total = self._total
        self.start()
        if total is None:
            raise RuntimeError("_Running.so_far() before start()")
        return total


def _of_one(found: Emissions, workers: int, on_device: int) -> Emissions:
    """One worker's part of what several use."""
    if workers == 1:
        return found
    own = found.basis.startswith(_OF_THE_PROCESS)
    part = found.share(1.0, processor=1.0 if own else 1 / workers, gpu=1 / on_device)
    told = "its own load" if own else f"1/{workers} of the processor"
    card = f" and 1/{on_device} of its GPU" if found.gpu_kilowatt_hours else ""
    return replace(part, basis=f"{found.basis}; one of several workers: {told}{card}")


def _uuid(device: str) -> list[str] | None:
    """The GPU that a device is, by its UUID: numbers differ once CUDA_VISIBLE_DEVICES hides some."""
    place = torch.device(device)
    if place.type != "cuda":
        return None
    found = getattr(torch.cuda.get_device_properties(place), "uuid", None)
    return None if found is None else [f"GPU-{found}"]
