"""From which rewinding moment on networks are stable to the noise of SGD, and match (P2 section 4.2.5, figure 4-18)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from secateurs.core import STABLE_BELOW
from secateurs.core.matching import first_from, is_matching, median_step
from secateurs.report.chance import hardly_better
from secateurs.report.tickets.findings import TicketFindings
from secateurs.report.tickets.pairs import PARTS, Network, compared, errors_at_end, sample, way
from secateurs.report.tickets.rows import DENSE, After, Copies

ENOUGH = 1.4
"""Axes of instability reach at least so many times as high as that."""

Flags = Mapping[int, Mapping[int, bool]]
"""By replicate, whether it holds at each k (in steps) that has a result."""


@dataclass(frozen=True)
class Onset:
    """One network: at which k its replicates are stable, by either part of the data, and at which they match.

    ``matching`` is empty for the dense network, and where there is nothing to match. ``comparing`` and ``running`` are
    the seeds whose copies are not compared yet at some k, or whose networks have no result at some: of these it is not
    known that something never happens.
    """

    network: Network
    stable: Mapping[str, Flags]
    matching: Flags
    comparing: frozenset[int] = frozenset()
    running: frozenset[int] = frozenset()

    def stable_from(self, part: str = "train") -> dict[int, int | None]:
        """By replicate the first k from which on it is stable, at every later k known, too; None: not at the last."""
        found = {seed: first_from(list(at), list(at.values())) for seed, at in self.stable.get(part, {}).items()}
        return {seed: k for seed, k in found.items() if k is not None or seed not in self.comparing}

    def matching_at(self) -> dict[int, int | None]:
        """By replicate the first k at which it matches; None: at none."""
        found = {seed: min((k for k, holds in at.items() if holds), default=None) for seed, at in self.matching.items()}
        return {seed: k for seed, k in found.items() if k is not None or seed not in self.running}

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
    comparing, running = _comparing(findings, after or way(findings)), _running(findings)
    return tuple(
        Onset(
            *(network, stable.get(network, {}), matching.get(network, {})),
            frozenset(comparing.get(network, ())),
            frozenset(running.get(network, ())),
        )
        for network in ranked
    )


def _comparing(findings: TicketFindings, after: After) -> dict[Network, set[int]]:
    found: dict[Network, set[int]] = {}
    for each in findings.copies:
        if each.after == after and each.step is not None and not each.summary:
            found.setdefault(Network(each.ticket, each.level, each.density), set()).add(each.seed)
    return found


def _running(findings: TicketFindings) -> dict[Network, set[int]]:
    found: dict[Network, set[int]] = {}
    for cell in findings.cells:
        if cell.step is not None:
            found.setdefault(Network(cell.ticket, cell.level, cell.density), set()).update(cell.missing)
    return found


def _stable(findings: TicketFindings, after: After | None) -> dict[Network, dict[str, dict[int, dict[int, bool]]]]:
    found: dict[Network, dict[str, dict[int, dict[int, bool]]]] = {}
    cells = {(cell.ticket, cell.level, cell.step): cell.diverged for cell in findings.cells}
    for network, moments in compared(findings, after).items():
        for k, own in moments.items():
            runs = cells.get((network.ticket, network.level, k), ())
            for each in own:
                # The study's own run is the first of the copies that train on.
                gone = each.after == "continue" and each.seed in runs
                if not each.summary and not gone:
                    continue  # being compared: some pairs tell nothing of the others
                for part in PARTS:
                    if each.rows_of(part) or not each.rows:
                        by_seed = found.setdefault(network, {}).setdefault(part, {})
                        by_seed.setdefault(each.seed, {})[k] = not gone and is_stable(each, part)
    return found


def is_stable(each: Copies, part: str) -> bool:
    """Whether the mean instability of a replicate's pairs is below 2 points; never where one of its copies diverged."""
    found = sample([each], part, "instability")
    return not has_lost(each) and found is not None and found.mean < STABLE_BELOW


def has_lost(each: Copies) -> bool:
    """Whether a copy of a replicate diverged, or what copies are made of did."""
    return each.diverged is not None or bool(each.summary.get("diverged_copies"))


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
    """Of each pruned network and k the test accuracy by replicate: the mean of its copies where there are.

    None where the study's run, or one of the copies, diverged: what may diverge matches nothing.
    """
    copies = compared(findings, "continue")
    for cell in findings.cells:
        if cell.level == 0 or cell.step is None:
            continue
        network = Network(cell.ticket, cell.level, cell.density)
        at: dict[int, float | None] = dict(cell.accuracies())
        for each in copies.get(network, {}).get(cell.step, ()):
            errors = errors_at_end(each, "test")
            if has_lost(each):
                at[each.seed] = None
            elif errors and each.summary:
                at[each.seed] = 1 - fmean(errors.values())
        at |= dict.fromkeys(cell.diverged)
        yield network, cell.step, at


def guessing_at(findings: TicketFindings, network: Network) -> tuple[int, ...]:
    """The k from which a pruned network ends hardly better than chance, in the mean over seeds."""
    chance = findings.study.chance.get(findings.setting)
    found = [
        (k, [a for a in at.values() if a is not None]) for each, k, at in accuracies_at(findings) if each == network
    ]
    return tuple(k for k, known in found if chance is not None and known and hardly_better(fmean(known), chance))


def together(found: Iterable[Onset]) -> Counter[tuple[bool, bool]]:
    """How many replicates of pruned networks, each at each k, are (stable on training data, matching)."""
    return Counter(judged[2:] for judged in both_judged(found))


def both_judged(found: Iterable[Onset]) -> Iterator[tuple[int, int, bool, bool]]:
    """Where both are known: the seed, k, whether it is stable on training data, and whether it matches."""
    for onset in found:
        for seed, at in onset.matching.items():
            stable = onset.stable.get("train", {}).get(seed, {})
            yield from ((seed, k, stable[k], holds) for k, holds in at.items() if k in stable)
