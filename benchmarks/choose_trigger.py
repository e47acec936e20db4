"""Candidates for the default trigger, by validation accuracy on the settings to choose on. Test data are not read.

For every candidate and seed the dense run's log is replayed; the accuracy at the moment that comes out is
read off that seed's validation curve, straight between the moments of the grid. The regret is the validation
accuracy at the moment that is best on the other seeds' curve, minus that. What was judged best here is a
trigger of the recipe, whose moments are then trained and judged as runs of their own.

    secateurs run benchmarks/when --scale cpu --out when
    python benchmarks/choose_trigger.py when [--all]

Without ``--all`` the twelve best are shown.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from secateurs.core import Log, Trigger
from secateurs.studies import EarlyPeriodsStudy, Sweep, log_of
from secateurs.studies.folder import StudyFolder
from secateurs.when import At, Below, Peak, Settled, early_crop_trigger, no_earlier_than, no_later_than, replay

Make = Callable[[int, float], Trigger]
"""(epochs, density) -> the trigger."""


def share(epochs: int, part: float) -> str:
    """A share of the run, in whole epochs, halves up."""
    return f"{int(epochs * part + 0.5)}ep"


def below(signal: str, threshold: float, low: float, high: float) -> Make:
    def make(epochs: int, density: float) -> Trigger:  # noqa: ARG001
        trigger = Below(signal, threshold, warm_up=0)
        return no_later_than(no_earlier_than(trigger, share(epochs, low)), share(epochs, high))

    return make


def by(trigger: Trigger, high: float) -> Make:
    return lambda epochs, density: no_later_than(trigger, share(epochs, high))  # noqa: ARG005


def candidates() -> Iterator[tuple[str, Make]]:
    for part in (0.0, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5):
        yield f"at {part:.0%}", lambda epochs, density, part=part: At(share(epochs, part))  # noqa: ARG005
    yield "EarlyCroP", lambda epochs, density: early_crop_trigger(density, epochs)
    for threshold in (0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5):
        for low, high in ((0, 0.5), (0.1, 0.3), (0.15, 0.3), (0.15, 0.35), (0.2, 0.4)):
            yield (
                f"weight change < {threshold}, {low:.0%} to {high:.0%}",
                below("weight_change", threshold, low, high),
            )
    for threshold in (0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.1):
        for low, high in ((0, 0.5), (0.15, 0.35), (0.2, 0.4)):
            yield (
                f"mask distance < {threshold}, {low:.0%} to {high:.0%}",
                below("mask_distance", threshold, low, high),
            )
    for high in (0.3, 0.5):
        yield f"peak of tr(F), by {high:.0%}", by(Peak("fisher_trace", 2, 0.1, 3), high)
        yield f"peak of KL-uniform, by {high:.0%}", by(Peak("kl_uniform", 2, 0.02, 3), high)
        yield f"peak of the gradient norm, by {high:.0%}", by(Peak("gradient_norm", 2, 0.05, 2), high)
    for tolerance in (0.03, 0.05, 0.1):
        yield f"KL-uniform settled to {tolerance}, by 50%", by(Settled("kl_uniform", tolerance, 2, 3), 0.5)
    for tolerance in (0.05, 0.1, 0.15):
        yield f"loss settled to {tolerance}, by 50%", by(Settled("loss", tolerance, 2, 2), 0.5)


class Setting:
    """What the finished runs of one setting say: validation curves and logs, by seed."""

    def __init__(self, label: str, plan: EarlyPeriodsStudy, folder: StudyFolder) -> None:
        self.label, self.epochs, self.density = label, plan.recipe.train.epochs, plan.recipe.prune.density
        self.curves: dict[int, dict[float, float]] = {}
        for choice in plan.choices(folder.store):
            entry = folder.store.entry(choice.job)
            if "grid" in choice.chosen_by and entry.done and entry.summary["diverged"] is None:
                own = self.curves.setdefault(choice.seed, {})
                own[choice.moment.epochs] = entry.summary["validation_accuracy"]
        self.grid = sorted(set.intersection(*(set(curve) for curve in self.curves.values()))) if self.curves else []
        entries = {seed: folder.store.entry(plan.dense[seed]) for seed in self.curves}
        self.logs: dict[int, Log] = {s: log_of(entry.rows(), plan.steps_per_epoch) for s, entry in entries.items()}

    def judge(self, make: Make) -> tuple[float, float] | None:
        """Mean regret in points and mean moment as a share of the run; None where it never fires."""
        regrets, moments = [], []
        for seed, curve in self.curves.items():
            others = [self.curves[other] for other in self.curves if other != seed]
            best = max(self.grid, key=lambda epoch: (statistics.fmean(c[epoch] for c in others), -epoch))
            fired = replay(make(self.epochs, self.density), self.logs[seed])
            if fired is None:
                return None
            chosen = np.interp(fired.epochs, self.grid, [curve[epoch] for epoch in self.grid])
            regrets.append(100 * (curve[best] - float(chosen)))
            moments.append(fired.epochs / self.epochs)
        return statistics.fmean(regrets), statistics.fmean(moments)


def main() -> None:
    """Print the candidates, best first: mean over settings, the worst of them, and each."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folder", type=Path)
    arguments.add_argument("--all", action="store_true")
    chosen = arguments.parse_args()
    folder = StudyFolder(chosen.folder)
    ordered = folder.ordered()
    plans = Sweep(ordered.recipe, ordered.device).plans(EarlyPeriodsStudy)
    judged = getattr(ordered.recipe, "judged", ())
    settings = [Setting(label, plan, folder) for label, plan in plans.items() if label not in judged]
    settings = [setting for setting in settings if len(setting.curves) > 1]
    for number, setting in enumerate(settings, start=1):
        print(f"{number}: {setting.label}, {len(setting.curves)} seeds")
    found = []
    for name, make in candidates():
        results = [setting.judge(make) for setting in settings]
        known = [result for result in results if result is not None]
        if len(known) == len(results):
            found.append((statistics.fmean(regret for regret, _ in known), name, known))
    found.sort(key=lambda each: each[0])
    print(f"\n{'mean':>6} {'worst':>6}  regret in points at the share of the run, setting by setting")
    for mean, name, each in found if chosen.all else found[:12]:
        shown = "  ".join(f"{regret:+.2f} at {moment:.2f}" for regret, moment in each)
        print(f"{mean:6.2f} {max(regret for regret, _ in each):6.2f}  {name:38} {shown}")


if __name__ == "__main__":
    main()
