"""Branches that ``forward`` takes by the inputs alone ("is anything padded?"): each way is followed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from secateurs.core import PruningError

MOST = 16
"""Ways through a forward pass that are followed at most."""

Way = tuple[bool, ...]
"""What a forward pass is told when it asks, in the order in which it asks."""

FAILURES = (RuntimeError, ValueError, TypeError, IndexError, KeyError, AssertionError)


@dataclass
class Decisions:
    """What one forward pass is told when it takes a truth value out of its inputs, and what it was told so far."""

    ahead: Way = ()
    taken: list[bool] = field(default_factory=list)

    def take(self, found: bool) -> bool:
        """The next answer: the planned one, or what was found where none is planned."""
        at = len(self.taken)
        self.taken.append(self.ahead[at] if at < len(self.ahead) else found)
        return self.taken[-1]


def every_way(passed: Callable[[Decisions], None]) -> list[Way]:
    """Call ``passed`` once for each way that it may go; the first is the example's own.

    A way on which it fails while the first did not is one that ``forward`` refuses: it is left out.

    Raises:
        PruningError: when there are more than :data:`MOST` ways.

    >>> asked = []
    >>> every_way(lambda told: asked.append(told.take(True) and told.take(False)))
    [(True, False), (True, True), (False,)]
    """
    ahead: list[Way] = [()]
    ways: list[Way] = []
    tries = 0
    while ahead:
        told, tries = Decisions(ahead.pop()), tries + 1
        if tries > MOST:
            raise PruningError(
                f"channel_groups: forward() takes truth values out of its inputs in more than {MOST} ways: such "
                "control flow cannot be traced. Move it out of forward(), or give an example without what is asked for"
            )
        try:
            passed(told)
        except PruningError:
            raise
        except FAILURES:
            if not told.ahead:
                raise
            continue
        taken = tuple(told.taken)
        ways.append(taken)
        ahead += [(*taken[:at], not taken[at]) for at in range(len(told.ahead), len(taken))]
    return ways
