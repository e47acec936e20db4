"""What a dense run must watch for triggers, and when they would have fired in it: replayed on its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from secateurs.core import Log, Moment, RecipeError, SignalError, Spec, Trigger, did_you_mean
from secateurs.jobs import Entry
from secateurs.when import SIGNALS, describe, measurements, replay, signal_of


@dataclass(frozen=True)
class Watched:
    """A finished dense run as triggers see it.

    Attributes:
        log: what it measured; empty if it diverged: that is no run to judge a trigger on.
        signals: names of all that was watched, with a value or without.
        diverged: after which moment; None: it did not.
    """

    log: Log
    signals: frozenset[str]
    diverged: str | None = None

    @classmethod
    def of(cls, dense: Entry, signals: Iterable[Spec], steps_per_epoch: int) -> Watched:
        """What a dense run left that watched ``signals``."""
        diverged: str | None = dense.summary["diverged"]
        log = [] if diverged is not None else log_of(dense.rows(), steps_per_epoch)
        return cls(log, frozenset(signal_of(spec).name for spec in signals), diverged)

    def fired(self, trigger: Trigger) -> Moment | None:
        """When a trigger would have fired; None if never, or if the run diverged.

        Never, too, where the run was too short for a signal to have a value (a window of masks, for one).

        Raises:
            SignalError: when the trigger needs a signal that was not watched.
        """
        for missing in sorted(trigger.needs - self.signals):
            raise SignalError(
                f"trigger {describe(trigger)!r} needs the signal {missing!r}, which the dense run did not watch: add "
                f"it to the recipe's signals{did_you_mean(missing, self.signals)}"
            )
        try:
            return replay(trigger, self.log)
        except SignalError:
            if trigger.needs <= {name for _, values in self.log for name in values}:
                raise
            return None


def signals_for(rules: Iterable[Trigger], signals: Iterable[Spec], every: bool) -> tuple[Spec, ...]:
    """The signals to measure for triggers, by default options where ``signals`` do not say others.

    Args:
        rules: need some.
        signals: of the recipe, with their options.
        every: also those of them that are not needed.

    Raises:
        RecipeError: when a signal that is needed does not exist, or has not one value.

    >>> from secateurs.when import Below
    >>> [spec.name for spec in signals_for([Below("loss", 1.0)], [Spec("fisher_trace")], every=True)]
    ['fisher_trace', 'loss']
    """
    listed = {signal_of(spec).name: spec for spec in signals}
    by_default = {signal_of(Spec(name)).name: Spec(name) for name in SIGNALS}
    found = dict(listed) if every else {}
    for rule in rules:
        for need in sorted(rule.needs):
            layerwise = need in listed and listed[need].options.get("layerwise")
            if layerwise or need not in {**by_default, **listed}:
                known = {*by_default, *listed} - {need}
                told = "has one value a layer, triggers read one" if layerwise else "does not exist"
                raise RecipeError(f"trigger {describe(rule)!r}: the signal {need!r} {told}{did_you_mean(need, known)}")
            found[need] = listed.get(need, by_default.get(need, Spec(need)))
    return tuple(found.values())


def log_of(rows: Iterable[Mapping[str, Any]], steps_per_epoch: int) -> Log:
    """A dense run's metric rows as the log that a trigger reads: moments, and what signals measured there.

    >>> log_of([{"moment": "1ep", "epoch": 1, "fisher_trace": 2.0, "seconds/fisher_trace": 0.1, "lr": 0.1}], 10)
    [(Moment(steps=10, steps_per_epoch=10), {'fisher_trace': 2.0})]
    """
    return [(Moment.parse(row["moment"], steps_per_epoch), measurements(row)) for row in rows]
