"""What a pruner tells its loop."""

from __future__ import annotations

from dataclasses import dataclass, field

from secateurs.core import Keep, Moment
from secateurs.how import Mask, keep_density

_TOLD = 6


@dataclass(frozen=True)
class PruneEvent:
    """The network was pruned, or would have been.

    Attributes:
        moment: the epoch's end at which it was pruned.
        fired: when the trigger fired; before ``moment`` where a guard put it off. What
            ``replay(trigger, pruner.log)`` says.
        acted: False when the pruner only observes.
        mask: the weights that are left, where weights are pruned; None when the pruner only observes.
        why: what the trigger saw: ``explain(trigger, pruner.log)``.
        keep: the channels that are left, where channels are removed; None when the pruner only observes.

    >>> print(PruneEvent(Moment(140, 10), Moment(140, 10), acted=False, why="the moment 14ep was reached"))
    would have been pruned at epoch 14 (act=False: only observed); why: the moment 14ep was reached
    """

    moment: Moment
    fired: Moment
    acted: bool
    mask: Mask | None = field(default=None, repr=False)
    why: str = ""
    keep: Keep | None = field(default=None, repr=False)

    @property
    def widths(self) -> dict[str, tuple[int, int]]:
        """Where channels are removed, how many of how many are left, by the first layer that makes them."""
        return {name: (int(kept.sum()), len(kept)) for name, kept in (self.keep or {}).items()}

    def __str__(self) -> str:
        why = f"; why: {self.why}" if self.why else ""
        if not self.acted:
            return f"would have been pruned at epoch {self.moment.epoch} (act=False: only observed){why}"
        late = "" if self.fired == self.moment else f", put off by the guard since epoch {self.fired.epoch}"
        return f"pruned at epoch {self.moment.epoch}{late}: {self._left()}{why}"

    def _left(self) -> str:
        if self.mask is not None:
            return f"{self.mask.kept} of {self.mask.total} weights are left ({self.mask.density:.2%})"
        if self.keep is None:
            return "nothing is known of what is left"
        each = [f"{name} {left} of {units}" for name, (left, units) in self.widths.items()]
        more = f", and {len(each) - _TOLD} more" if len(each) > _TOLD else ""
        left, units = (sum(counts) for counts in zip(*self.widths.values(), strict=True))
        return (
            f"{left} of {units} channels and {keep_density(self.keep):.2%} of the weights are left "
            f"({', '.join(each[:_TOLD])}{more})"
        )
