"""Where a pruner stands in a run: time, measurements, what the trigger remembers, what was decided."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from secateurs.core import Moment, Trigger, TriggerState
from secateurs.pruner.clock import Clock
from secateurs.pruner.event import PruneEvent
from secateurs.pruner.outcome import Outcome
from secateurs.when import describe, explain
from secateurs.when.bounds import unbounded


@dataclass
class Progress:
    """Everything of a pruner but its settings, the signals' states and the examples.

    Attributes:
        trigger: decides.
        decision: what it remembers; None before the first measurement.
        fired: when it fired.
        event: what came of it.
    """

    trigger: Trigger
    clock: Clock = field(default_factory=Clock)
    decision: TriggerState | None = None
    log: list[tuple[Moment, dict[str, Any]]] = field(default_factory=list)
    fired: Moment | None = None
    event: PruneEvent | None = None

    def decide(self, moment: Moment, values: Mapping[str, Any]) -> bool:
        """Ask the trigger; its first True decides."""
        decision = self.trigger.init() if self.decision is None else self.decision
        self.decision, fired = self.trigger.update(decision, moment, values)
        return fired

    def end(self, moment: Moment, outcome: Outcome | None, why: str | None = None) -> None:
        """It was pruned; without an outcome, it would have been."""
        mask, keep = (None, None) if outcome is None else (outcome.mask, outcome.keep)
        self.event = PruneEvent(
            moment, self.fired or moment, outcome is not None, mask, self.why() if why is None else why, keep
        )

    def why(self) -> str:
        """Why the trigger fired, or what it waits for."""
        return explain(self.trigger, self.log)

    def report(self) -> str:
        """Where it stands, in a few words."""
        if self.event is not None:
            return str(self.event)
        if not self.clock.epochs:
            return (
                f"no epoch has ended after {self.clock.steps} steps, and nothing was measured yet: call epoch_end() at "
                "the end of each epoch"
            )
        told = f"not pruned after {self.clock.epochs} epochs: the trigger ({describe(self.trigger)}) "
        if self.fired is not None:
            return f"{told}fired at epoch {self.fired.epoch}, the guard has said no since; why: {self.why()}"
        if unbounded(self.trigger) != self.trigger:
            return f"{told}{self.why()}"  # it has a bound, and waits
        return f"{told}{self.why()}; to have it fire in any case, bound it: no_later_than(trigger, MOMENT)"

    def take(self, other: Progress) -> None:
        """Stand where ``other`` does; the clock stays the same object."""
        self.clock.restore(other.clock.state())
        for name in ("decision", "log", "fired", "event"):
            setattr(self, name, getattr(other, name))

    def to_json(self) -> dict[str, Any]:
        """As JSON; the event without what is left."""
        event = self.event
        return {
            "clock": self.clock.state(),
            "decision": copy.deepcopy(self.decision),
            "log": [[moment.steps, dict(values)] for moment, values in self.log],
            "fired": None if self.fired is None else self.fired.steps,
            "event": None if event is None else {"moment": event.moment.steps, "acted": event.acted, "why": event.why},
        }

    @classmethod
    def from_json(cls, trigger: Trigger, meta: Mapping[str, Any], outcome: Outcome | None) -> Progress:
        """What :meth:`to_json` gave; ``outcome`` is the event's."""
        progress = cls(trigger, decision=copy.deepcopy(meta["decision"]))
        progress.clock.restore(meta["clock"])
        length = meta["clock"]["steps_per_epoch"]
        progress.log = [(Moment(steps, length), dict(values)) for steps, values in meta["log"]]
        if meta["fired"] is not None:
            progress.fired = Moment(meta["fired"], length)
        if progress.fired is not None and meta["event"] is not None:
            # Why it was is what its trigger has said: this one may be another.
            progress.end(Moment(meta["event"]["moment"], length), outcome, meta["event"]["why"])
        return progress
