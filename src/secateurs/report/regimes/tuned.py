"""Algorithm 1 of P4 (section 4.1) on recorded numbers: its answer at each load, and what raising does there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from secateurs.report.curves import Spread
from secateurs.report.regimes import words
from secateurs.report.regimes.candidates import columns
from secateurs.report.regimes.choices import Way
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.once import once
from secateurs.report.regimes.paired import Interval, Paired
from secateurs.report.regimes.regrets import Judged, judged
from secateurs.report.regimes.rows import At
from secateurs.report.regimes.ways import algorithm_1, fixed, grid_search
from secateurs.report.words import NOTHING, plural


@dataclass(frozen=True)
class Answer:
    """What Algorithm 1 says at one load, and what raising the temperature does there.

    Attributes:
        lmc: of all pairs of copies at the initial temperature, over seeds.
        initial, raised: test error at either temperature, over the seeds that have both, where any has.
        raises: by seed whether the algorithm raises the temperature.
        changes: by seed, error at the raised temperature minus that at the initial one; a fraction.
        guesses: whether networks at the initial temperature are hardly better than chance.
    """

    load: float
    lmc: Spread | None
    initial: Spread | None
    raised: Spread | None
    raises: dict[int, bool]
    changes: dict[int, float]
    guesses: bool

    @cached_property
    def paired(self) -> Paired:
        """The changes, and whether they are told apart from nothing."""
        return Paired(tuple(self.changes.values()))

    @property
    def change(self) -> Spread | None:
        return self.paired.spread

    @property
    def interval(self) -> Interval:
        """Student's t interval of the mean change; None of fewer than two seeds."""
        return self.paired.interval

    @property
    def helps(self) -> bool | None:
        """Whether raising lowers the error; None where that is not told apart."""
        return not self.paired.rises if self.paired.apart else None

    @property
    def right(self) -> int:
        """On how many seeds the answer was the better one: to raise where that lowers the error of this seed."""
        return sum(raises == (self.changes[seed] < 0) for seed, raises in self.raises.items() if seed in self.changes)

    @property
    def right_to_raise(self) -> int:
        """On how many of the same seeds raising was the better one; on the others it was not to raise."""
        return sum(change < 0 for seed, change in self.changes.items() if seed in self.raises)

    @property
    def answered(self) -> int:
        """On how many seeds there are an answer and both errors."""
        return len(self.raises.keys() & self.changes.keys())

    @property
    def verdict(self) -> str:
        """Whether the answer was right, in words."""
        if not self.answered:
            return NOTHING
        if self.helps is None:
            few = self.paired.apart is None and not self.paired.same
            return (
                plural(len(self.changes), "seed") if few else "no difference" if self.paired.same else "not told apart"
            )
        agree = [raises == self.helps for seed, raises in self.raises.items() if seed in self.changes]
        return "right" if all(agree) else "wrong" if not any(agree) else f"right on {sum(agree)} of {len(agree)} seeds"


def moments(found: RegimeFindings) -> tuple[At, ...]:
    """When copies at the initial temperature were compared: Algorithm 1 can go by either."""
    terms = found.terms
    if terms.copies < 2 or terms.probe_only:
        return ()
    return (*(("end",) if terms.ends else ()), *(("probe",) if terms.probe_epochs is not None else ()))


@once
def tuned(found: RegimeFindings) -> Judged | None:
    """Algorithm 1 against never raising, and grid search over the two temperatures; None where it was not asked for."""
    terms = found.terms
    if terms.tuning is None or not moments(found) or found.at_chance:
        return None
    both = [own for column in columns(found) if (own := column.only(terms.tuning)) is not None]
    initial, raised = terms.tuning
    grid = grid_search()
    ways = (
        fixed(initial, "never raise", "the initial temperature"),
        *(_algorithm(found, at, initial, raised) for at in moments(found)),
        grid,
    )
    result = judged(both, ways, grid)
    return result if result.has_results else None


def _algorithm(found: RegimeFindings, at: At, initial: float, raised: float) -> Way:
    when = words.when(found.terms, at).removesuffix(" of retraining")
    name = f"Algorithm 1, LMC {when}" if len(moments(found)) > 1 else "Algorithm 1"
    meaning = f"raises the temperature where LMC {when} is below the threshold"
    return algorithm_1(at, name, meaning, initial=initial, raised=raised)


def algorithms(of: Judged) -> tuple[Way, ...]:
    """Algorithm 1, by the end of retraining, by the probe, or both."""
    return tuple(way for way in of.ways if way.name.startswith("Algorithm 1"))


def answers(found: RegimeFindings, of: Judged, way: Way) -> tuple[Answer, ...]:
    """What the algorithm says at each load."""
    if found.terms.tuning is None:
        return ()
    initial, raised = found.terms.tuning
    at = moments(found)[algorithms(of).index(way)]
    result = []
    for line in of.of(way):
        if line.load is not None:
            cold, hot = found.cell(initial, line.load), found.cell(raised, line.load)
            raises = {each.seed: each.poorly_connected for each in line.choices if each.poorly_connected is not None}
            errors = cold.errors(), hot.errors()
            changes = {seed: errors[1][seed] - error for seed, error in errors[0].items() if seed in errors[1]}
            lmc = Spread.of(row.lmc(at) for row in cold.rows)
            before, after = (
                Spread.of(error for seed, error in own.items() if seed in changes or not changes) for own in errors
            )
            result.append(Answer(line.load, lmc, before, after, raises, changes, cold.guesses))
    return tuple(result)
