"""Time in somebody else's loop: steps are counted, epochs are told, and an epoch's length is that of the first."""

from __future__ import annotations

import warnings

from secateurs.core import Moment, PruningError

_LONG_FIRST_EPOCH = 100_000
_FORGOTTEN = 3


class Clock:
    """Counts steps and epochs.

    A later epoch may have another length than the first: moments count whole epochs, and inside
    one no more steps than make one, so that ``"12ep"`` always is the twelfth epoch's end.
    """

    def __init__(self) -> None:
        self.steps = 0
        self.epochs = 0
        self.in_epoch = 0
        self.steps_per_epoch: int | None = None

    def step(self, *, waits: bool = True) -> None:
        """One optimiser step was done; a pruner that still ``waits`` for an epoch's end warns when none comes."""
        self.steps += 1
        self.in_epoch += 1
        if waits and self.in_epoch == self._suspicious + 1:
            told = "the first epoch" if self.steps_per_epoch is None else f"an epoch of {self.steps_per_epoch} steps"
            warnings.warn(
                f"EarlyPruner: {self.in_epoch} steps into {told} and no epoch_end(): nothing is measured or pruned "
                "before it; call pruner.epoch_end() at the end of each epoch",
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
        self.epochs, self.in_epoch = self.epochs + 1, 0
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
        return dict(vars(self))

    def restore(self, state: dict[str, int | None]) -> None:
        """Take up the counts that :meth:`state` gave."""
        vars(self).update(state)

    @property
    def _suspicious(self) -> int:
        return _LONG_FIRST_EPOCH if self.steps_per_epoch is None else _FORGOTTEN * self.steps_per_epoch
