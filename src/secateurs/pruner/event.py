"""What a pruner tells its loop."""

from __future__ import annotations

from dataclasses import dataclass, field

from secateurs.core import Moment
from secateurs.how import Mask


@dataclass(frozen=True)
class PruneEvent:
    """The network was pruned, or would have been.

    Attributes:
        moment: the epoch's end at which it was pruned.
        fired: when the trigger fired; before ``moment`` where a guard put it off. What
            ``replay(trigger, pruner.log)`` says.
        acted: False when the pruner only observes.
        mask: what is left; None when the pruner only observes.
        why: what the trigger saw: ``explain(trigger, pruner.log)``.

    >>> print(PruneEvent(Moment(140, 10), Moment(140, 10), acted=False, why="the moment 14ep was reached"))
    would have been pruned at epoch 14 (act=False: only observed); why: the moment 14ep was reached
    """

    moment: Moment
    fired: Moment
    acted: bool
    mask: Mask | None = field(default=None, repr=False)
    why: str = ""

    def __str__(self) -> str:
        why = f"; why: {self.why}" if self.why else ""
        if self.mask is None:
            return f"would have been pruned at epoch {self.moment.epoch} (act=False: only observed){why}"
        late = "" if self.fired == self.moment else f", put off by the guard since epoch {self.fired.epoch}"
        return (
            f"pruned at epoch {self.moment.epoch}{late}: {self.mask.kept} of {self.mask.total} weights are left "
            f"({self.mask.density:.2%}){why}"
        )
