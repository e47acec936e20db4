"""The triggers of a study in order, over the settings to judge on and over those to choose on.

**A trigger that never fires is charged the end of the run**: a sparse network was asked for, and at
the end is the only time left to make it one. Its regret there is that of the run pruned at the end
without training afterwards, and its dense training the whole run. A study that holds no such run
cannot charge it; the trigger then ranks below all that can be judged on every run, and the count of
such runs is shown. A run that was chosen and has no result (it diverged, or is not finished) has no
regret and is counted, too.

The settings to choose on are ordered by the regret on validation data, which is what a choice may look
at; those to judge on, where nothing may be chosen, by that on test data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from secateurs.report.findings import Findings, find
from secateurs.report.ranking.cluster import cluster_interval, cluster_mean
from secateurs.report.ranking.rows import RankingStudy
from secateurs.report.ranking.standing import InSetting, Standing, difference
from secateurs.report.regret import TriggerResult, best_for
from secateurs.report.rows import GRID


@dataclass(frozen=True)
class Side:
    """The settings to choose on, or those to judge on, and the triggers from the best to the worst.

    Of the settings to judge on two names were settled elsewhere: ``lead``, the trigger that the study is
    about (:data:`DEFAULT`, or without it the one that did best, among those that read a signal, on the
    settings to choose on, by validation accuracy), and ``fixed``, the fixed moment that did best there.
    None where there is no such trigger, and for the other settings.
    """

    name: str
    found: tuple[Findings, ...]
    standings: tuple[Standing, ...]
    lead: str | None = None
    fixed: str | None = None

    @property
    def to_judge(self) -> bool:
        """Whether these are the settings on which nothing may be chosen."""
        return self.name == JUDGED

    @property
    def to_choose(self) -> bool:
        """Whether these are the settings to choose on."""
        return self.name == CHOSEN

    def standing(self, trigger: str | None) -> Standing | None:
        """Where a trigger stands; None when it has no regret here."""
        return next((each for each in self.standings if each.trigger == trigger and each.regret is not None), None)

    @property
    def judged(self) -> tuple[Findings, ...]:
        """The settings in which some trigger has a regret."""
        known = {place.setting for each in self.standings for place in each.places if place.regrets}
        return tuple(findings for findings in self.found if findings.setting in known)


DEFAULT = "default"
"""The name of the trigger that a ranking of judged settings is read for."""

ALL, CHOSEN, JUDGED = "all settings", "settings to choose on", "settings to judge on"


def sides(bench: RankingStudy, found: Sequence[Findings] | None = None) -> tuple[Side, ...]:
    """The rankings: of the judged settings first, then of those to choose on; of all where none is named as judged."""
    found = find(bench.study) if found is None else found
    judged = tuple(each for each in found if each.setting in bench.judged)
    others = tuple(each for each in found if each.setting not in bench.judged)
    if not bench.judged:
        return (Side(ALL, others, rank(bench, others)),) if others else ()
    made = [Side(CHOSEN, others, rank(bench, others, by="validation"))] if others else []
    if judged:
        lead, fixed = _settled(bench, made[0].standings if made else ())
        made.insert(0, Side(JUDGED, judged, rank(bench, judged), lead, fixed))
    return tuple(made)


def _settled(bench: RankingStudy, chosen: Sequence[Standing]) -> tuple[str | None, str | None]:
    """What is to be looked at on the judged settings, from the order on those to choose on alone."""
    known = [each for each in chosen if each.validation_regret is not None]
    reading = next((each.trigger for each in known if each.reads), None)
    fixed = next((each.trigger for each in known if each.fixed and each.trigger != DEFAULT), None)
    return DEFAULT if DEFAULT in bench.study.triggers else reading, fixed


def rank(
    bench: RankingStudy, found: Sequence[Findings], by: Literal["test", "validation"] = "test"
) -> tuple[Standing, ...]:
    """The triggers of a study over these settings, the least mean regret on ``by`` data first.

    Those that have a regret in more settings stand above those that have it in fewer, and those that
    could not be charged for a run on which they never fired below all others of as many settings.
    """
    made = [_standing(bench, found, name) for name in bench.study.triggers]

    def order(each: Standing) -> tuple[int, bool, float, str]:
        regret = each.regret if by == "test" else each.validation_regret
        return -each.settings, each.uncharged > 0, math.inf if regret is None else regret, each.trigger

    ordered = sorted(made, key=order)
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
    seen = {choice.seed: choice.validation_regret for choice in result.choices if choice.validation_regret is not None}
    ends = {seed: regret for seed in result.never if (regret := _at_the_end(findings, seed)) is not None}
    ends_seen = {seed: value for seed in ends if (value := _at_the_end(findings, seed, "validation")) is not None}
    at_bound = [seed for seed in shares if result.trigger in bench.at_bound.get((findings.setting, seed), ())]
    return InSetting(
        setting=findings.setting,
        result=result,
        regrets=dict(sorted({**regrets, **ends}.items())),
        shares={**shares, **dict.fromkeys(result.never, 1.0)},
        charged=tuple(ends),
        uncharged=tuple(seed for seed in result.never if seed not in ends),
        at_bound=tuple(at_bound),
        validation_regrets=dict(sorted({**seen, **ends_seen}.items())),
    )


def _at_the_end(findings: Findings, seed: int, part: str = "test") -> float | None:
    """The regret, on ``part`` data, of pruning this seed's network at the end of its run; None when no run tells."""
    own = [run for run in findings.pruned_runs if run.seed == seed and run.epoch == findings.epochs]
    _, best = best_for(seed, [run for run in findings.pruned_runs if GRID in run.chosen_by], part)
    end = own[0].accuracy(part) if own else None
    return None if best is None or end is None else best - end


def _behind(standing: Standing, first: Standing) -> Standing:
    mean, interval = difference(standing, first)
    return replace(standing, behind=mean, behind_interval=interval)
