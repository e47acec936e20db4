"""Where a pruner stands in a run: time, measurements, what the trigger remembers, what was decided."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from secateurs.core import Moment, Trigger, TriggerState
from secateurs.how import Mask
from secateurs.pruner.clock import Clock
from secateurs.pruner.event import PruneEvent
from secateurs.when import explain


@dataclass
class Progress:
    """Everything of a pruner but its settings, the signals' states and the examples.

    Attributes:
        trigger: decides.
        decision: what it remembers; None before the first measurement.
        fired: when it fired.
        event: what came of it.
        times: in how many multiply-adds each weight takes part, where that was measured.
    """

    trigger: Trigger
    clock: Clock = field(default_factory=Clock)
    decision: TriggerState | None = None
    log: list[tuple[Moment, dict[str, Any]]] = field(default_factory=list)
    fired: Moment | None = None
    event: PruneEvent | None = None
    times: dict[str, int] | None = None

    def decide(self, moment: Moment, values: Mapping[str, Any]) -> bool:
        """Ask the trigger; its first True decides."""
        decision = self.trigger.init() if self.decision is None else self.decision
        self.decision, fired = self.trigger.update(decision, moment, values)
        return fired

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
        told = f"not pruned after {self.clock.epochs} epochs: {self.trigger} "
        if self.fired is not None:
            return f"{told}fired at epoch {self.fired.epoch}, the guard has said no since; why: {self.why()}"
        return f'{told}{self.why()}; to have it fire in any case, bound it: no_later_than(trigger, "30ep")'

    def to_json(self) -> dict[str, Any]:
        """As JSON; the event without its mask."""
        event = self.event
        return {
            "clock": self.clock.state(),
            "decision": copy.deepcopy(self.decision),
            "log": [[moment.steps, dict(values)] for moment, values in self.log],
            "fired": None if self.fired is None else self.fired.steps,
            "event": None if event is None else {"moment": event.moment.steps, "acted": event.acted},
            "times": self.times,
        }

    @classmethod
    def from_json(cls, trigger: Trigger, meta: Mapping[str, Any], mask: Mask | None) -> Progress:
        """What :meth:`to_json` gave; ``mask`` is the event's."""
        progress = cls(trigger, decision=copy.deepcopy(meta["decision"]))
        progress.clock.restore(meta["clock"])
        length = meta["clock"]["steps_per_epoch"]
        progress.log = [(Moment(steps, length), dict(values)) for steps, values in meta["log"]]
        progress.times = meta["times"]
        if meta["fired"] is not None:
            progress.fired = Moment(meta["fired"], length)
        if progress.fired is not None and meta["event"] is not None:
            told = meta["event"]
            moment = Moment(told["moment"], length)
            progress.event = PruneEvent(moment, progress.fired, told["acted"], mask, progress.why())
        return progress
