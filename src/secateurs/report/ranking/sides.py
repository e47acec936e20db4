"""The triggers of a study in order, over the settings to judge on and over those to choose on.

**A trigger that never fires is charged the end of the run**: a sparse network was asked for, and at
the end is the only time left to make it one. Its regret there is that of the run pruned at the end
without training afterwards, and its dense training the whole run. A study that holds no such run
cannot charge it; the trigger then ranks below all that can be judged on every run, and the count of
such runs is shown. A run that was chosen and has no result (it diverged, or is not finished) has no
regret and is counted, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from secateurs.report.findings import Findings, find
from secateurs.report.ranking.cluster import cluster_interval, cluster_mean
from secateurs.report.ranking.rows import RankingStudy
from secateurs.report.ranking.standing import InSetting, Standing, difference
from secateurs.report.regret import TriggerResult, best_for
from secateurs.report.rows import GRID


@dataclass(frozen=True)
class Side:
    """The settings to choose on, or those to judge on, and the triggers from the best to the worst."""

    name: str
    found: tuple[Findings, ...]
    standings: tuple[Standing, ...]

    @property
    def judged(self) -> tuple[Findings, ...]:
        """The settings in which some trigger has a regret."""
        known = {place.setting for each in self.standings for place in each.places if place.regrets}
        return tuple(findings for findings in self.found if findings.setting in known)


ALL, CHOSEN, JUDGED = "all settings", "settings to choose on", "settings to judge on"


def sides(bench: RankingStudy, found: Sequence[Findings] | None = None) -> tuple[Side, ...]:
    """The rankings: of the judged settings first, then of those to choose on; of all where none is named as judged."""
    found = find(bench.study) if found is None else found
    judged = tuple(each for each in found if each.setting in bench.judged)
    others = tuple(each for each in found if each.setting not in bench.judged)
    named = ((JUDGED, judged), (CHOSEN, others)) if bench.judged else ((ALL, others),)
    return tuple(Side(name, part, rank(bench, part)) for name, part in named if part)


def rank(bench: RankingStudy, found: Sequence[Findings]) -> tuple[Standing, ...]:
    """The triggers of a study over these settings, the least mean regret first.

    Those that have a regret in more settings stand above those that have it in fewer, and those that
    could not be charged for a run on which they never fired below all others of as many settings.
    """
    made = [_standing(bench, found, name) for name in bench.study.triggers]
    ordered = sorted(made, key=lambda each: (-each.settings, each.uncharged > 0, each.regret or 0.0, each.trigger))
    return tuple(_behind(each, ordered[0]) if place else each for place, each in enumerate(ordered))


def _standing(bench: RankingStudy, found: Sequence[Findings], trigger: str) -> Standing:
    places = tuple(
        _in_setting(bench, findings, result)
        for findings in found
        for result in findings.triggers
        if result.trigger == trigger
    )
    values = [list(place.regrets.values()) for place in places]
    needs = bench.study.needs.get(trigger)
    return Standing(
        trigger=trigger,
        meaning=bench.study.triggers[trigger],
        reads=None if needs is None else tuple(needs),
        places=places,
        regret=cluster_mean(values),
        interval=cluster_interval(values),
    )


def _in_setting(bench: RankingStudy, findings: Findings, result: TriggerResult) -> InSetting:
    regrets = {choice.seed: choice.regret for choice in result.choices if choice.regret is not None}
    shares = {choice.seed: choice.epoch / findings.epochs for choice in result.choices}
    ends = {seed: regret for seed in result.never if (regret := _at_the_end(findings, seed)) is not None}
    at_bound = [seed for seed in shares if result.trigger in bench.at_bound.get((findings.setting, seed), ())]
    return InSetting(
        setting=findings.setting,
        result=result,
        regrets={**regrets, **ends},
        shares={**shares, **dict.fromkeys(result.never, 1.0)},
        charged=tuple(ends),
        uncharged=tuple(seed for seed in result.never if seed not in ends),
        at_bound=tuple(at_bound),
    )


def _at_the_end(findings: Findings, seed: int) -> float | None:
    """The regret of pruning this seed's network at the end of its run; None when no run tells."""
    own = [run for run in findings.pruned_runs if run.seed == seed and run.epoch == findings.epochs]
    _, best = best_for(seed, [run for run in findings.pruned_runs if GRID in run.chosen_by])
    end = own[0].accuracy("test") if own else None
    return None if best is None or end is None else best - end


def _behind(standing: Standing, first: Standing) -> Standing:
    mean, interval = difference(standing, first)
    return replace(standing, behind=mean, behind_interval=interval)
