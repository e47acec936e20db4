"""Several settings at a glance: what can be said of all of them together, and the captions of their figures."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report.cells import coefficient
from secateurs.report.findings import Findings
from secateurs.report.layout import Group, Limits, common_axes, names
from secateurs.report.overview import loss, peak_epochs
from secateurs.report.words import listed, number_of, plural, signal_name, signed

RATES = "Learning rate of the dense networks in each epoch."
"""Caption of the learning rates."""


def summary(found: Sequence[Findings]) -> list[str]:
    """What can be said of all settings together, in a few sentences."""
    said = _best_moments(found)
    for signal in dict.fromkeys(curve.signal for findings in found for curve in findings.signals):
        said += _of_signal(found, signal)
    unfit = [name for name, findings in zip(names(found), found, strict=True) if findings.fits is False]
    if unfit:
        guide = "; the paper finds tr(F) a weaker guide to the best moment there"
        guided = guide if any(findings.guided for findings in found) else ""
        said.append(f"The dense networks do not fit their training data in {listed(unfit)}{guided}.")
    lost = sum(len(findings.diverged) + len(findings.missing) for findings in found)
    if lost:
        named = "has no result: it is" if lost == 1 else "have no result: they are"
        said.append(f"{plural(lost, 'run')} diverged or {named} named below.")
    return said


def _best_moments(found: Sequence[Findings]) -> list[str]:
    judged = [(findings, findings.best) for findings in found]
    best = [(point.epoch, findings) for findings, point in judged if point is not None]
    if not best:
        return ["No best moment is known in any row yet."]
    epochs = [epoch for epoch, _ in best]
    lengths = {findings.epochs for _, findings in best}
    of = f" of {lengths.pop()}" if len(lengths) == 1 else ""
    known = "" if len(best) == len(found) else f", known in {len(best)} of {len(found)} rows,"
    at = f"is epoch {number_of(epochs[0])}{of} in all of them"
    if len(set(epochs)) > 1:
        at = f"lies between epoch {number_of(min(epochs))} and epoch {number_of(max(epochs))}{of}"
    said = [f"The best moment to prune{known} {at}.{_losses([findings for _, findings in best])}"]
    late = sum(findings.best == findings.curve[-1] for _, findings in best)
    if late:
        said.append(f"In {_rows(late, len(best))} it is the last moment tried: no early pruning period is seen there.")
    return said


def _losses(found: Sequence[Findings]) -> str:
    losses = sorted(spread.mean for findings in found if (spread := loss(findings)) is not None)
    if not losses:
        return ""
    points = f"{_between([f'{100 * value:.2f}' for value in losses])} points of test accuracy"
    if losses[0] >= 0:
        return f" Pruned there, networks lose {points} against the dense ones."
    change = _between([signed(-value) for value in reversed(losses)])
    return f" Pruned there, networks differ from the dense ones by {change} points of test accuracy."


def _of_signal(found: Sequence[Findings], signal: str) -> list[str]:
    measured = [findings for findings in found if findings.peaks_of(signal)]
    if not measured:
        return []
    inside = [findings for findings in measured if all(peak.inside for peak in findings.peaks_of(signal))]
    ends = [(peak_epochs(findings, signal), findings.best) for findings in inside]
    away = sorted(abs(peak.mean - best.epoch) for peak, best in ends if peak is not None and best is not None)
    said = f"{signal_name(signal)} peaks inside the run on every seed in {_rows(len(inside), len(measured))}"
    said += f", {_between([f'{value:.1f}' for value in away])} epochs from the best moment." if away else "."
    known = [each for findings in measured if (each := findings.correlation(signal, "validation")) is not None]
    if known:
        means = [coefficient(value) for value in sorted(each.spread.mean for each in known)]
        said += f" Its rank correlation with validation accuracy is {_between(means)}."
    return [said]


def _rows(count: int, total: int) -> str:
    return f"all {total} rows" if count == total else f"{count or 'none'} of {total} rows"


def _between(texts: Sequence[str]) -> str:
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def learning_rates(found: Sequence[Findings]) -> int:
    """How many different courses of the learning rate there are."""
    return len({(curve.epochs, curve.values) for f in found if (curve := f.learning_rate) is not None})


def rate_alt(found: Sequence[Findings]) -> str:
    """The learning rates, for who does not see the figure."""
    ends = [
        f"{findings.setting} from {number_of(curve.values[0].mean)} to {number_of(curve.values[-1].mean)}"
        for findings in found
        if (curve := findings.learning_rate) is not None
    ]
    return f"Line chart of the learning rate against the epoch: {'; '.join(dict.fromkeys(ends))}."


def caption(panels: Sequence[Group], signal: str | None) -> str:
    """What the lines of small multiples are, and which of their axes are common."""
    common = common_axes(panels, signal)
    overlaid = any(len(group) > 1 for group in panels)
    curves = "Each curve" if overlaid else "Blue"
    said = f"{curves}: test accuracy at the end of training against the epoch of pruning, mean over seeds"
    if any(len(findings.seeds) > 1 for group in panels for findings in group):
        said += " with a band of one standard deviation"
    said += ". Ring: best moment by validation. Dashed: dense networks."
    if signal is not None:
        said += f" Dotted: {signal_name(signal)} of the dense networks from epoch 1 on, triangle: its peak."
    if overlaid:
        said += " Networks pruned from the same dense runs share a panel."
    if len(panels) > 1:
        said += f" {_axes('accuracy', common.accuracy)}"
        said += "" if signal is None else f" {_axes('signal', common.signal)}"
    return said


def _axes(name: str, limits: Limits | None) -> str:
    return f"The {name} axis is the same in all panels." if limits else f"Each panel has its own {name} axis."
