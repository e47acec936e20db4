"""The findings in sentences, for a person: plain, short, and no kinder than the numbers.

The page and the terminal say the same.
"""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report import instability
from secateurs.report.curves import CurvePoint, SignalPeak, Spread
from secateurs.report.findings import Divergence, Findings
from secateurs.report.regret import FEW_SEEDS, TriggerResult
from secateurs.report.words import (
    NOTHING,
    SPACE,
    listed,
    moment_name,
    number_of,
    percent,
    plural,
    seed_list,
    signal_name,
    signed,
)

BARELY = 0.02
"""A signal that loses less than this share of its peak by the end is said to have barely fallen."""

FEW = f"With fewer than {FEW_SEEDS} seeds the interval says little."

FALLING = ("weight_change", "mask_distance", "loss")
"""Signals that are looked at for how low they are: no peak of theirs is waited for."""

REGRET = (
    "Regret: test accuracy at the moment that did best on the other seeds' validation data, minus test accuracy "
    "at the trigger's moment, in percentage points; negative means that the trigger did better. "
    "Cost: the dense network's test accuracy minus the pruned one's."
)

BOOTSTRAP = (
    "A 95 % bootstrap interval over few seeds covers less than it says: over 5 about 83 % in simulation, over 10 about "
    "90 %."
)
"""What must be said of intervals over seeds, be they five or more."""


def heading(findings: Findings) -> str:
    """The setting and how much of the network is removed."""
    return f"{findings.setting}: {100 * (1 - findings.density):.4g} % of the weights removed"


def best_moment(findings: Findings) -> list[str]:
    """Where pruning did best, what it gave, and what pruning late gives instead."""
    best = findings.best
    if not findings.curve:
        return ["No pruned network has a result yet."]
    if best is None:
        return ["No validation accuracies were given, so no best moment is named: nothing is chosen on test data."]
    seeds = plural(best.test.n, "seed")
    said = [
        f"The best moment to prune is epoch {number_of(best.epoch)} of {findings.epochs}, by validation accuracy over "
        f"{seeds}. Networks pruned there reach {percent(best.test)} on the test set{_against_dense(findings, best)}."
    ]
    epochs = [point.epoch for point in findings.curve]
    if len(epochs) == 1:
        said.append("Only one moment was tried, so it says nothing about when to prune.")
    elif best.epoch == epochs[-1]:
        said.append("This is the last moment that was tried: there is no early pruning period to be seen here.")
    else:
        said.append(_late(findings))
        if best.epoch == epochs[0]:
            said.append("This is also the first moment that was tried: an earlier one may do better still.")
    return said


def _against_dense(findings: Findings, best: CurvePoint) -> str:
    if findings.dense is None:
        return ""
    difference = findings.dense.mean - best.test.mean
    compared = f"{abs(100 * difference):.2f} points {'below' if difference > 0 else 'above'}"
    if abs(difference) < 0.00005:
        compared = "as much as"
    return f", {compared} the dense network's {percent(findings.dense)}"


def _late(findings: Findings) -> str:
    last, gain = findings.curve[-1], findings.early_gain
    text = f"Pruned at the last moment tried, epoch {number_of(last.epoch)}, they reach {percent(last.test)}"
    if gain is None:
        return f"{text}."
    lower = f"{abs(100 * gain.mean):.2f} points {'lower' if gain.mean >= 0 else 'higher'}"
    if gain.sd is None:
        return f"{text}: {lower}, on one seed."
    noise = "" if abs(gain.mean) > gain.sd else ", which is within one standard deviation over seeds"
    return f"{text}: {lower} (± {100 * gain.sd:.2f} over seeds){noise}."


def signal_sentence(signal: str, peaks: Sequence[SignalPeak], best: CurvePoint | None) -> str:
    """Where a signal peaked, and whether it did so inside the run at all."""
    name = signal_name(signal)
    name = name[0].upper() + name[1:] if signal in FALLING else name
    inside = [peak for peak in peaks if peak.inside]
    where = Spread.of(peak.epoch for peak in inside)
    if where is not None:
        others = _outside(peaks)
        on = f"on {len(inside)} of {plural(len(peaks), 'seed')}" if others else "on every seed"
        on = "" if len(peaks) == 1 else f" {on}"
        said = f"{name} peaks inside the run{on}, at epoch {_around(where)}{_from_best(where, best)}{others}."
        if max(peak.drop for peak in inside) < BARELY:
            said += " It barely falls after its peak, so a peak trigger may not see it."
        return said
    places = {peak.place for peak in peaks}
    if places == {"end"}:
        hold = "" if signal in FALLING else ", so a peak trigger has nothing to hold on to"
        return f"{name} rose to the end of the run: it has no peak inside the run{hold}."
    if places == {"start"}:
        if signal in FALLING:
            lost = Spread.of(peak.drop for peak in peaks)
            return f"{name} fell from the start, by {100 * lost.mean:.0f}{SPACE}% to the end." if lost else ""
        return f"{name} fell from the start: it has no peak inside the run, so a peak trigger can only fire at once."
    if not places:
        return f"{name} has no measurement to judge."
    return f"{name} has no peak inside the run{_outside(peaks)}."


def _outside(peaks: Sequence[SignalPeak]) -> str:
    """What the signal did on the seeds without a peak inside the run."""
    rising = [peak.seed for peak in peaks if peak.place == "end"]
    falling = [peak.seed for peak in peaks if peak.place == "start"]
    said = f"; on {seed_list(rising)} it rose to the end" if rising else ""
    return said + (f"; on {seed_list(falling)} it fell from the start" if falling else "")


def place(peak: SignalPeak) -> str:
    """Whether a signal's peak lies inside the run, in a table's cell."""
    if peak.place == "inside":
        return "yes" if peak.drop >= BARELY else "yes, barely falls"
    return "no, rose to the end" if peak.place == "end" else "no, fell from the start"


def _around(epochs: Spread) -> str:
    return f"{epochs.mean:.1f} ± {epochs.sd:.1f}" if epochs.sd is not None else number_of(epochs.mean)


def _from_best(peak: Spread, best: CurvePoint | None) -> str:
    if best is None:
        return ""
    distance = peak.mean - best.epoch
    if abs(distance) < 0.05:
        return ", which is the best moment"
    return f", {abs(distance):.1f} epochs {'after' if distance > 0 else 'before'} the best moment"


def trigger_sentence(result: TriggerResult) -> str:
    """What a trigger chose, its regret with its interval, and where it stayed silent."""
    if not result.choices and not result.never:
        return f"The trigger “{result.trigger}” has no finished dense run to be judged on yet."
    if not result.choices:
        on = "" if len(result.never) == 1 else f" on any of {len(result.never)} seeds"
        return f"The trigger “{result.trigger}” never fired{on}, so it has no regret."
    chosen = listed([number_of(choice.epoch) for choice in result.choices])
    said = f"The trigger “{result.trigger}” pruned at epoch {chosen}"
    said += "" if len(result.choices) == 1 else " (one per seed)"
    if result.by_bound:
        everywhere = len(result.by_bound) == len(result.choices)
        said += f", {'' if everywhere else f'on {seed_list(result.by_bound)} '}by its bound alone"
    if result.regret is None:
        said += "; its regret cannot be given: that takes results at the best moment of at least two seeds"
    else:
        said += f"; regret {signed(result.regret.mean)} points"
        said += "" if result.interval is None else f" (95 % interval {bounds(result)})"
    if result.never:
        said += f"; it never fired on {seed_list(result.never)}"
    return f"{said}."


def bounds(result: TriggerResult) -> str:
    """The bootstrap interval of a trigger's regret, in points."""
    return NOTHING if result.interval is None else f"{signed(result.interval[0])} to {signed(result.interval[1])}"


def choices(result: TriggerResult) -> str:
    """The epochs that a trigger chose, each with its seed; runs without a result are marked."""
    marks = [
        f"{number_of(choice.epoch)} ({choice.seed}{', by its bound' if choice.at_bound else ''}"
        f"{'' if choice.test is not None else ', no result'})"
        for choice in result.choices
    ]
    return ", ".join(marks) or NOTHING


def regret_note(findings: Findings) -> str:
    """What must be known to read a regret, and how far to trust its interval."""
    count = len(findings.seeds)
    if count < 2:
        return "One seed only: the best moment is judged on the other seeds, so a regret needs at least two seeds."
    return f"{REGRET} {FEW if count < FEW_SEEDS else BOOTSTRAP}"


def fit_sentence(findings: Findings) -> str:
    """Whether the dense networks fit their training data, on which the paper's correlation hangs."""
    if findings.train is None:
        return "The training accuracy of the dense networks is not known."
    reached = f"training accuracy {percent(findings.train)} at the end"
    if findings.fits:
        return f"The dense networks fit their training data: {reached}."
    guide = " On such networks the paper finds tr(F) a weaker guide to the best moment." if findings.guided else ""
    return f"The dense networks do not fit their training data: {reached}, less than 99 % in the mean.{guide}"


def divergence(run: Divergence) -> str:
    """Which run diverged, and when."""
    which = "dense network" if run.pruned is None else f"network pruned at {moment_name(run.pruned)}"
    return f"Seed {run.seed}, {which}: diverged after {moment_name(run.moment)}"


def seconds_sentence(findings: Findings) -> str:
    """What measuring the signals took; empty when no time was logged."""
    if not findings.seconds:
        return ""
    parts = [f"{signal_name(name)} {_seconds(cost)}" for name, cost in findings.seconds.items()]
    whole = "" if findings.run_seconds is None else f" of {_seconds(findings.run_seconds)}"
    return f"Measuring took, per dense run{whole}: {listed(parts)}."


def _seconds(seconds: float) -> str:
    return "less than 0.1 s" if seconds < 0.1 else f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"


def summary(findings: Findings) -> list[str]:
    """The findings as a few sentences, the most important first."""
    said = best_moment(findings)
    said += [
        signal_sentence(curve.signal, findings.peaks_of(curve.signal), findings.best) for curve in findings.signals
    ]
    said += [trigger_sentence(result) for result in findings.triggers]
    if len(findings.seeds) < FEW_SEEDS and any(result.interval for result in findings.triggers):
        said[-1] += f" {FEW}"
    if noise := instability.sentence(findings.instability):
        said.append(noise)
    said.append(fit_sentence(findings))
    if findings.diverged:
        said.append(f"{plural(len(findings.diverged), 'run')} diverged and took no part in any mean.")
    if findings.missing:
        said.append(f"{plural(len(findings.missing), 'run')} without a result: {'; '.join(findings.missing)}.")
    return said


def alt_text(findings: Findings, signal: str | None) -> str:
    """What the figure shows, for who does not see it."""
    said = f"Line chart for {heading(findings)}. Test accuracy against the epoch of pruning"
    if findings.curve:
        first, last = findings.curve[0], findings.curve[-1]
        said += (
            f": {percent(first.test)} at epoch {number_of(first.epoch)}, "
            f"{percent(last.test)} at epoch {number_of(last.epoch)}"
        )
    if findings.best is not None:
        said += f", best by validation at epoch {number_of(findings.best.epoch)} with {percent(findings.best.test)}"
    said += f"; dense network {percent(findings.dense)}."
    if signal is not None:
        said += f" {signal_sentence(signal, findings.peaks_of(signal), findings.best)}"
    return said


def caption(findings: Findings, signal: str | None) -> str:
    """What the figure's lines are."""
    seeds = plural(len(findings.seeds), "seed")
    over = f"mean over {seeds}, band: one standard deviation" if len(findings.seeds) > 1 else "one seed"
    said = f"Blue: test accuracy at the end of training against the epoch of pruning ({over}). Dashed: dense network."
    if signal is not None:
        said += f" Dotted: {signal_name(signal)} of the dense network, from epoch 1 on."
        said += _stars(findings, signal)
    return said


def _stars(findings: Findings, signal: str) -> str:
    """What marks the triggers that read a signal."""
    readers = [result for result in findings.triggers if signal in result.needs and result.choices]
    if not readers:
        return ""
    said = " Star: where a trigger that reads it fired, mean over seeds"
    said += "; hollow: by its bound alone." if any(result.by_bound for result in readers) else "."
    thresholds = [each.threshold for each in readers if each.threshold is not None and each.threshold[0] == signal]
    return said + (" Level line: what it waits for the signal to fall below." if thresholds else "")
