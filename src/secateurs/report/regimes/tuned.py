"""Algorithm 1 of P4 (section 4.1) on recorded numbers: its answer at each load, and what raising does there."""

from __future__ import annotations

from dataclasses import dataclass

from secateurs.report.curves import Spread
from secateurs.report.regimes import words
from secateurs.report.regimes.candidates import columns
from secateurs.report.regimes.choices import Way
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.regimes.regrets import Interval, Judged, judged
from secateurs.report.regimes.rows import At
from secateurs.report.regimes.ways import algorithm_1, fixed, grid_search
from secateurs.report.student import t_interval
from secateurs.report.words import NOTHING


@dataclass(frozen=True)
class Answer:
    """What Algorithm 1 says at one load, and what raising the temperature does there.

    Attributes:
        lmc: of all pairs of copies at the initial temperature, over seeds.
        initial, raised: test error at either temperature, over seeds.
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

    @property
    def change(self) -> Spread | None:
        return Spread.of(self.changes.values())

    @property
    def interval(self) -> Interval:
        """Student's t interval of the mean change; None of fewer than two seeds."""
        return t_interval(list(self.changes.values()))

    @property
    def helps(self) -> bool | None:
        """Whether raising lowers the error; None where the interval holds 0, or there is none."""
        if self.interval is None or self.interval[0] <= 0 <= self.interval[1]:
            return None
        return self.interval[1] < 0

    @property
    def right(self) -> int:
        """On how many seeds the answer was the better one: to raise where that lowers the error of this seed."""
        return sum(raises == (self.changes[seed] < 0) for seed, raises in self.raises.items() if seed in self.changes)

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
            return "not told apart" if self.interval is not None else "one seed"
        agree = [raises == self.helps for seed, raises in self.raises.items() if seed in self.changes]
        return "right" if all(agree) else "wrong" if not any(agree) else f"right on {sum(agree)} of {len(agree)} seeds"


def moments(found: RegimeFindings) -> tuple[At, ...]:
    """When copies at the initial temperature were compared: Algorithm 1 can go by either."""
    terms = found.terms
    if terms.copies < 2 or terms.probe_only:
        return ()
    return (*(("end",) if terms.ends else ()), *(("probe",) if terms.probe_epochs is not None else ()))


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
            result.append(Answer(line.load, lmc, cold.error(), hot.error(), raises, changes, cold.guesses))
    return tuple(result)
