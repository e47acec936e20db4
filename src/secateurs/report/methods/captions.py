"""Titles and captions of the figures of methods, and what they show for who does not see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from secateurs.report.curves import Spread
from secateurs.report.methods.cells import Cell, Group
from secateurs.report.methods.findings import MethodFindings
from secateurs.report.methods.ranges import Remaining
from secateurs.report.methods.words import gone, share, sparsity, when
from secateurs.report.words import listed, number_of, percent, plural


def moment_title(findings: MethodFindings, group: Group) -> str:
    """Which methods a panel is of, and when they prune; empty in a study of one kind of them and one moment."""
    moment = f"pruned {when(group)}" if len(findings.groups) > 1 else ""
    return ", ".join(part for part in (findings.kind, moment) if part)


def mask_title(findings: MethodFindings, group: Group, density: float) -> str:
    """Of which masks a panel is."""
    moment = f"pruned {when(group)}" if len(findings.groups) > 1 else ""
    return ", ".join(part for part in (findings.kind, gone(density, group.counted), moment) if part)


def layer_name(layer: str) -> str:
    """A layer on an axis.

    >>> layer_name("layer1.0.conv1.weight"), layer_name("fc")
    ('layer1.0.conv1', 'fc')
    """
    return layer.removesuffix(".weight")


def sparsity_alt(findings: MethodFindings, group: Group, names: Sequence[str]) -> str:
    """What a panel of accuracy against sparsity shows."""
    said = f"Line chart, {findings.setting}, pruned {when(group)}: test accuracy against sparsity."
    said = f"{findings.kind.capitalize()}: {said[0].lower()}{said[1:]}" if findings.kind else said
    return f"{said} Dense {percent(findings.dense)}." + "".join(f" {_ends(group, name)}" for name in names)


def _ends(group: Group, name: str) -> str:
    cells = [cell for cell in group.cells_of(name) if cell.test is not None]
    if not cells:
        return f"{group.named(name)}: no result."
    ends = [cells[0]] if len(cells) == 1 else [cells[0], cells[-1]]
    return f"{group.named(name)}: {', '.join(f'{percent(cell.test)} at {sparsity(cell.density)}' for cell in ends)}."


def moment_alt(findings: MethodFindings, cells: Mapping[str, Sequence[Cell]], title: str) -> str:
    """What a panel of accuracy against the moment shows."""
    said = f"Line chart, {findings.setting}, {title}: test accuracy against the epoch of pruning."
    for name, own in cells.items():
        said += f" {name}: {percent(own[0].test)} at {own[0].at}, {percent(own[-1].test)} at {own[-1].at}."
    return said


def layers_alt(layers: Sequence[str], series: Mapping[str, Sequence[Spread]], title: str) -> str:
    """What a panel of sparsity by layer shows."""
    said = f"Line chart, {title}: sparsity of each of {plural(len(layers), 'layer')}, from input to output."
    for name, values in series.items():
        said += f" {name}: from {_ends_of(values)}."
    return said


def learning_alt(ends: Mapping[str, tuple[float, float]], title: str) -> str:
    """What a panel of accuracy over training shows: by method the last epoch and the accuracy (a fraction) there."""
    said = f"Line chart, {title}: accuracy at each epoch of training."
    for name, (epoch, accuracy) in ends.items():
        said += f" {name}: {percent(Spread(accuracy, None, 1))} at epoch {number_of(epoch)}."
    return said


def units_alt(units: Sequence[str], series: Mapping[str, Sequence[Spread]], title: str) -> str:
    """What a panel of channels removed by group shows."""
    said = f"Line chart, {title}: share of channels removed from each of {plural(len(units), 'group')} of channels"
    ends = (f"{name}: from {_ends_of(values)}" for name, values in series.items())
    return f"{said}, from input to output. {'. '.join(ends)}."


def _ends_of(values: Sequence[Spread]) -> str:
    low, high = (pick(values, key=lambda each: each.mean) for pick in (min, max))
    return f"{share(Spread(low.mean, None, 1))} to {share(Spread(high.mean, None, 1))}"


def channels_alt(emptied: Mapping[str, Spread], title: str) -> str:
    """What a panel of channels by their sparsity shows."""
    said = f"Line chart, {title}: share of channels with at least so much sparsity. Emptied altogether:"
    return f"{said} {', '.join(f'{name} {share(spread)}' for name, spread in emptied.items())}."


def remaining_alt(curves: Sequence[Remaining]) -> str:
    """What the panel of remaining weights shows."""
    said = "Step chart: weights remaining at each epoch of training."
    for each in curves:
        said += f" {each.method}: all to epoch {number_of(each.epoch)}, then {share(Spread(each.density, None, 1))}."
    return said


def over(findings: MethodFindings, drawn: str = "band") -> str:
    """Over what means and bands are."""
    seeds = plural(len(findings.seeds), "seed")
    return f"mean over {seeds}, {drawn}: one standard deviation" if len(findings.seeds) > 1 else "one seed"


def accuracy_caption(findings: MethodFindings) -> str:
    """Of the panels of accuracy against sparsity."""
    dense = "" if findings.dense is None else " Dashed, grey: dense."
    if _single(findings):
        return (
            f"Test accuracy at the one sparsity that was tried, methods side by side ({over(findings, 'bar')}).{dense}"
        )
    return f"Test accuracy against sparsity, on a scale that is logarithmic in density ({over(findings)}).{dense}"


def _single(findings: MethodFindings) -> bool:
    return len(findings.densities) == 1


def family_caption(findings: MethodFindings) -> str:
    """Of the panels of a method with its changes."""
    if _single(findings):
        return f"Each method with its changes: test accuracy, side by side ({over(findings, 'bar')})."
    return f"Each method with its changes: test accuracy against sparsity ({over(findings)})."


def moments_caption(findings: MethodFindings, drops: Sequence[float]) -> str:
    """Of the panels of accuracy against the moment."""
    said = f"Test accuracy against the epoch of pruning ({over(findings)})."
    return f"{said} Dotted, upright: the learning rate of the dense run drops." if drops else said


def learning_caption(findings: MethodFindings) -> str:
    """Of the panels of accuracy over training."""
    seeds = plural(len(findings.seeds), "seed")
    over_seeds = f"mean over {seeds}, band: lowest to highest" if len(findings.seeds) > 1 else "one seed"
    return f"Accuracy at each epoch's end ({over_seeds}). Runs that diverged are left out."


def layers_caption(findings: MethodFindings) -> str:
    """Of the panels of sparsity by layer."""
    return f"Sparsity of each layer, from input to output ({over(findings)}).{_chosen(findings)}{_ALIKE}"


def units_caption(findings: MethodFindings) -> str:
    """Of the panels of channels removed by group."""
    grouped = "Channels that must go together are one group, called by its first layer."
    return (
        f"Share of the channels of each group that is removed, from input to output ({over(findings)}). {grouped}"
        f"{_chosen(findings)}{_ALIKE}"
    )


def channels_caption(findings: MethodFindings) -> str:
    """Of the panels of channels by their sparsity."""
    return f"Share of channels with at least so much sparsity; at 100 %, those emptied.{_chosen(findings)}{_ALIKE}"


_ALIKE = " Methods with the very same values share a line."


def _chosen(findings: MethodFindings) -> str:
    if findings.has_results:
        return " At the highest sparsity that a method matches; where there is none, at up to three of those tried."
    return " At up to three of the sparsities tried."


def remaining_caption(findings: MethodFindings) -> str:
    """Of the panel of remaining weights."""
    levels = [name for name in findings.methods if any(run.method == name and run.levels for run in findings.runs)]
    left = f" Not drawn: {listed(levels)}, trained anew at each of its levels." if levels else ""
    return REMAINING + left


REMAINING = (
    "Weights remaining at each epoch of training, of each method the moment and sparsity of least area under this "
    "curve among those within one point of the dense networks' mean test accuracy. Dashed: found retroactively, with a "
    "mask from later training that the curve does not show."
)
