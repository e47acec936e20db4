"""What is measured beside jobs, by a function of which this room knows nothing but the name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from secateurs.core import JobError

Reading = Callable[[], Mapping[str, Any] | None]
"""Asked inside the block: what it has taken so far, as JSON."""


@dataclass(frozen=True)
class Meter:
    """What every worker measures beside each job, without any effect on the job's result or key.

    Attributes:
        module, function: ``function(device, workers, workers_on_device, **options)`` gives a context manager for one
            sitting of one job, and that a :data:`Reading`.
        options: JSON.
    """

    module: str
    function: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def beside(self, device: str, workers: int = 1, workers_on_device: int = 1) -> AbstractContextManager[Reading]:
        """The block of one sitting.

        Args:
            device: the worker's.
            workers: how many are at work on this machine at a time, in this run.
            workers_on_device: how many of them have the same device.

        Raises:
            JobError: when the function cannot be found.
        """
        try:
            made = getattr(importlib.import_module(self.module), self.function)
        except (ImportError, AttributeError) as error:
            raise JobError(f"meter: {self.module}.{self.function} cannot be imported: {error}") from error
        block: AbstractContextManager[Reading] = made(device, workers, workers_on_device, **self.options)
        return block


def no_meter() -> AbstractContextManager[Reading]:
    """Nothing is measured.

    >>> with no_meter() as reading:
    ...     reading() is None
    True
    """
    return nullcontext(lambda: None)
