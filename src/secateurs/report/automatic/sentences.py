"""What one run that prunes itself came to, in sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from secateurs.report.automatic.result import AutomaticResult
from secateurs.report.chance import against, hardly_better
from secateurs.report.costs.measures import MEASURES, in_words
from secateurs.report.rows import number
from secateurs.report.words import SPACE, listed, number_of, signal_name


def decision(result: AutomaticResult) -> list[str]:
    """When it was pruned and why; or that it was not, and what to do."""
    by = f"trigger {result.trigger!r}"
    if result.pruned_epoch is not None:
        said = [f"Pruned at epoch {number_of(result.pruned_epoch)} of {result.epochs} by {by}: {result.why}."]
        if result.at_bound:
            said.append("It was the bound that decided, not the signal: nothing says that the moment is a good one.")
    elif result.diverged is not None:
        return [f"Not pruned: {_diverged(result)} before {by} fired."]
    else:
        said = [
            f"Not pruned: {by} never fired. It {result.why}.",
            "The network is dense. With no_later_than=50% among its options a trigger fires in any case.",
        ]
    if result.diverged is not None:
        said.append(f"Then {_diverged(result)}.")
    return said


def outcome(result: AutomaticResult) -> list[str]:
    """What is left, what that saves and what not, and what watching cost."""
    said = [*_chance(result), *_saved(result), _watching(result), *_spent(result)]
    empty = [layer.name for layer in result.layers if not layer.kept]
    if empty:
        said.insert(0, f"No weight is left in {listed(empty)} (layer collapse): nothing gets through.")
    if result.diverged is not None:
        said.append(
            "No network is kept of a run that diverged: lower train.lr, or set train.warm_up or train.clip_norm."
        )
    return said


def _chance(result: AutomaticResult) -> list[str]:
    accuracy = number(result.summary, "test_accuracy")
    if accuracy is None or result.chance is None or not hardly_better(accuracy, result.chance):
        return []
    compared = against(accuracy, result.chance)
    return [f"The network is hardly better than chance ({compared}): its accuracy says nothing about pruning."]


def _diverged(result: AutomaticResult) -> str:
    return f"the run diverged by {result.diverged} (its loss was no longer finite)"


def _saved(result: AutomaticResult) -> list[str]:
    saved = result.saved
    if saved is None:
        return []
    weights, kept = (sum(getattr(layer, what) for layer in result.layers) for what in ("weights", "kept"))
    dense, left = saved["multiply_adds_dense"], saved["multiply_adds_kept"]
    if result.channels:
        units, whole = (sum(getattr(each, what) for each in result.channels) for what in ("kept", "units"))
        share = units / whole if result.counted == "channels" else kept / weights
        return [
            f"Asked: at most {_percent(result.density)} of the {result.counted}; left: {_percent(share)}. Channels go "
            "as wholes, so that a little less may be left than was asked for.",
            "Each name above stands for a group of channels that can only go together: those of the layer named, and "
            "of each layer that is added to it or works channel by channel.",
            f"{units:,} of {whole:,} channels and {kept:,} of {weights:,} prunable weights are left: "
            f"{_percent(kept / weights)}, and {_percent(saved['density_of_all_parameters'])} of all parameters.",
            f"Weights: {_bytes(saved['bytes_dense'])} dense, {_bytes(saved['bytes'])} now; gradients and the "
            "optimiser's moments shrank alike.",
            f"Multiply-adds per example: {_count(dense)} dense, {_count(left)} ({_percent(left / dense)}) now.",
        ]
    if_skipped = f"{_count(left)} ({_percent(left / dense)}) if zeros are skipped"
    return [
        f"{kept:,} of {weights:,} prunable weights are left: {_percent(kept / weights)}, and "
        f"{_percent(saved['density_of_all_parameters'])} of all parameters.",
        f"On disk: {_bytes(saved['bytes_dense'])} dense, {_bytes(saved['bytes_csr'])} in compressed sparse rows.",
        f"Multiply-adds per example: {_count(dense)} dense, {if_skipped}.",
        "Masks alone save no training time: dense kernels multiply the zeros as well.",
    ]


def _watching(result: AutomaticResult) -> str:
    if not result.needs:
        return f"Watching cost nothing: the trigger needs no signal. The run took {_seconds(result.seconds)}."
    spent = sum(result.watching.values())
    names = listed([signal_name(signal) for signal in result.needs])
    share = spent / result.seconds if result.seconds else 0.0
    part = f"less than {_percent(0.001)}" if share < 0.001 else _percent(share)
    return f"Watching {names} took {_seconds(spent)}, {part} of the run's {_seconds(result.seconds)}."


def _spent(result: AutomaticResult) -> list[str]:
    """What scoring took, and energy where it was measured."""
    costs, said = result.costs, []
    if result.pruned is not None and costs.get("seconds_scoring") is not None:
        said.append(f"Finding what to prune took {_seconds(costs['seconds_scoring'])}.")
    return [*said, *spent_energy(costs)]


def spent_energy(costs: Mapping[str, Any]) -> list[str]:
    """The energy among costs in words, with what it rests on; nothing where it was not measured."""
    emissions = costs.get("emissions")
    if emissions is None:
        return []
    energy, carbon = (in_words(name, MEASURES[name].value(costs)) for name in ("energy", "emissions"))
    basis = "; ".join(emissions[name] for name in ("tool", "basis", "grid"))
    estimate = "an estimate; " if emissions["estimated"] else ""
    return [f"Energy: {energy}, {carbon} of CO2eq ({estimate}{basis})."]


def _seconds(seconds: float) -> str:
    if seconds < 0.01:
        return "less than 0.01 s"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %".replace(" ", SPACE)


def _bytes(count: float) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"


def _count(count: float) -> str:
    for unit, size in ((" billion", 1e9), (" million", 1e6)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return f"{count:,.0f}"
