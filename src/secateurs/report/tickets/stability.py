"""From which rewinding moment on networks are stable to the noise of SGD, and match (P2 section 4.2.5, figure 4-18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from secateurs.core import STABLE_BELOW
from secateurs.core.matching import first_from, is_matching, median_step
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import Network, compared, errors_at_end, sample
from secateurs.report.tickets.rows import DENSE, After, Copies

ENOUGH = 1.4
"""Axes of instability reach at least so many times as high as that."""

Flags = Mapping[int, Mapping[int, bool]]
"""By replicate, whether it holds at each k (in steps) that has a result."""


@dataclass(frozen=True)
class Onset:
    """One network: at which k its replicates are stable, by either part of the data, and at which they match.

    ``matching`` is empty for the dense network, and where there is nothing to match.
    """

    network: Network
    stable: Mapping[str, Flags]
    matching: Flags

    def stable_from(self, part: str = "train") -> dict[int, int | None]:
        """By replicate the first k from which on it is stable, at every later k, too; None: not at the last."""
        return {seed: first_from(list(at), list(at.values())) for seed, at in self.stable.get(part, {}).items()}

    def matching_at(self) -> dict[int, int | None]:
        """By replicate the first k at which it matches; None: at none."""
        return {seed: min((k for k, holds in at.items() if holds), default=None) for seed, at in self.matching.items()}

    def stable_median(self, part: str = "train") -> float | None:
        """The median over replicates; None where half of them or more are not stable in the end."""
        return median_step(list(self.stable_from(part).values()))

    @property
    def matching_median(self) -> float | None:
        """The median over replicates; None where half of them or more do not match at any k."""
        return median_step(list(self.matching_at().values()))

    @property
    def tried(self) -> tuple[int, ...]:
        """The k at which it is known whether a replicate is stable."""
        return tuple(sorted({k for flags in self.stable.values() for at in flags.values() for k in at}))


def onsets(findings: TicketFindings, after: After | None = None) -> tuple[Onset, ...]:
    """Every network that was rewound, dense ones first; of copies that did one thing after k, or what most did."""
    stable, matching = _stable(findings, after), _matching(findings)
    order = {name: place for place, name in enumerate([DENSE, *findings.study.tickets])}
    ranked = sorted({*stable, *matching}, key=lambda network: (order[network.ticket], network.level))
    return tuple(Onset(network, stable.get(network, {}), matching.get(network, {})) for network in ranked)


def _stable(findings: TicketFindings, after: After | None) -> dict[Network, dict[str, dict[int, dict[int, bool]]]]:
    found: dict[Network, dict[str, dict[int, dict[int, bool]]]] = {}
    for network, moments in compared(findings, after).items():
        for k, own in moments.items():
            for each in own:
                for part in ("train", "test"):
                    if each.rows_of(part) or not each.rows:
                        by_seed = found.setdefault(network, {}).setdefault(part, {})
                        by_seed.setdefault(each.seed, {})[k] = is_stable(each, part)
    return found


def is_stable(each: Copies, part: str) -> bool:
    """Whether the mean instability of a replicate's pairs is below 2 points; never where all pairs have diverged."""
    found = sample([each], part, "instability")
    return found is not None and found.mean < STABLE_BELOW


def _matching(findings: TicketFindings) -> dict[Network, dict[int, dict[int, bool]]]:
    found: dict[Network, dict[int, dict[int, bool]]] = {}
    reference = findings.dense_reference
    for network, k, accuracies in accuracies_at(findings):
        for seed, accuracy in accuracies.items():
            if seed in reference and not findings.at_chance:
                holds = is_matching(accuracy, reference[seed], findings.study.matching_within)
                found.setdefault(network, {}).setdefault(seed, {})[k] = holds
    return found


def accuracies_at(findings: TicketFindings) -> Iterator[tuple[Network, int, dict[int, float | None]]]:
    """Of each pruned network and k the test accuracy by replicate; None: diverged. A mean of copies where there are."""
    copies = compared(findings, "continue")
    for cell in findings.cells:
        if cell.level == 0 or cell.step is None:
            continue
        network = Network(cell.ticket, cell.level, cell.density)
        at: dict[int, float | None] = {run.seed: None for run in cell.runs if run.diverged is not None}
        at |= cell.accuracies()
        for each in copies.get(network, {}).get(cell.step, ()):
            errors = errors_at_end(each, "test")
            if errors:
                at[each.seed] = 1 - fmean(errors.values())
        yield network, cell.step, at


def together(found: Iterable[Onset]) -> Counter[tuple[bool, bool]]:
    """How many replicates of pruned networks, each at each k, are (stable on training data, matching)."""
    counts: Counter[tuple[bool, bool]] = Counter()
    for onset in found:
        for seed, at in onset.matching.items():
            stable = onset.stable.get("train", {}).get(seed, {})
            counts.update((stable[k], holds) for k, holds in at.items() if k in stable)
    return counts
