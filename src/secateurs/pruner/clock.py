"""Time in somebody else's loop: steps are counted, epochs are told, and an epoch's length is that of the first."""

from __future__ import annotations

import sys
import warnings
import weakref
from contextlib import suppress

from secateurs.core import Moment, PruningError

_LONG_FIRST_EPOCH = 100_000
_FORGOTTEN = 3
_COUNTS = ("steps", "epochs", "in_epoch", "steps_per_epoch")


class Clock:
    """Counts steps and epochs.

    A later epoch may have another length than the first: moments count whole epochs, and inside
    one no more steps than make one, so that ``"12ep"`` always is the twelfth epoch's end.

    Attributes:
        sure: whether a trainer tells of every epoch's end, so that none can be forgotten.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.epochs = 0
        self.in_epoch = 0
        self.steps_per_epoch: int | None = None
        self.sure = False
        self._told = False

    def step(self, *, waits: bool = True, pass_of_data: int | None = None) -> None:
        """One optimiser step was done; a pruner that still ``waits`` for an epoch's end warns when none comes.

        Args:
            pass_of_data: steps of a pass over the examples that the pruner was given; None: not known.
        """
        self.steps += 1
        self.in_epoch += 1
        if waits and not self.sure and not self._told and self.in_epoch > self._suspicious(pass_of_data):
            self._told = True
            warnings.warn(
                f"EarlyPruner: {self.in_epoch} steps into {self._this_epoch(pass_of_data)} and no epoch_end(): nothing "
                "is measured or pruned before it; call pruner.epoch_end() at the end of each epoch",
                stacklevel=3,
            )

    def end_epoch(self) -> Moment:
        """The epoch is over.

        Raises:
            PruningError: when no step was counted in it.
        """
        if not self.in_epoch:
            raise PruningError(
                f"epoch_end() after epoch {self.epochs} without a step(): call pruner.step(batch, output) after each "
                "optimizer.step(), and epoch_end() once an epoch"
            )
        self.steps_per_epoch = self.steps_per_epoch or self.in_epoch
        self.epochs, self.in_epoch, self._told = self.epochs + 1, 0, False
        return self.now

    @property
    def now(self) -> Moment:
        """The moment; inside the first epoch, of unknown length, one of its steps."""
        if self.steps_per_epoch is None:
            return Moment(self.in_epoch, self.in_epoch + 1)
        inside = min(self.in_epoch, self.steps_per_epoch - 1)
        return Moment(self.epochs * self.steps_per_epoch + inside, self.steps_per_epoch)

    def state(self) -> dict[str, int | None]:
        """Its counts, as JSON."""
        return {name: getattr(self, name) for name in _COUNTS}

    def restore(self, state: dict[str, int | None]) -> None:
        """Take up the counts that :meth:`state` gave."""
        for name in _COUNTS:
            setattr(self, name, state[name])

    def warn_of_no_epoch(self, when: str, stacklevel: int = 2) -> None:
        """Warn, once, when there were steps and no epoch has ever ended."""
        if self.steps and not self.epochs and not self.sure and not self._told:
            self._told = True
            warnings.warn(
                f"EarlyPruner: {when} after {self.steps} steps, and no epoch has ended: nothing was measured or pruned "
                "yet; unless this is inside the first epoch, call pruner.epoch_end() at the end of each epoch",
                stacklevel=stacklevel + 1,
            )

    def _suspicious(self, pass_of_data: int | None) -> int:
        if self.steps_per_epoch is not None:
            return _FORGOTTEN * self.steps_per_epoch
        return _LONG_FIRST_EPOCH if pass_of_data is None else min(_LONG_FIRST_EPOCH, _FORGOTTEN * pass_of_data)

    def _this_epoch(self, pass_of_data: int | None) -> str:
        if self.steps_per_epoch is not None:
            return f"an epoch of {self.steps_per_epoch} steps"
        if pass_of_data is None:
            return "the first epoch"
        return f"the first epoch, where a pass over data= takes {pass_of_data} (unless that is only a part)"


def watch_end(pruner: object, clock: Clock) -> None:
    """Warn when ``pruner`` is gone, or the program over, and it never was told of an epoch's end."""
    weakref.finalize(pruner, _at_end, clock)


def _at_end(clock: Clock) -> None:
    if getattr(sys, "last_value", None) is not None:
        return  # the program died of an error: it has said why
    with suppress(UserWarning):  # where warnings are errors, there is nobody here to catch one
        clock.warn_of_no_epoch("the run is over")
