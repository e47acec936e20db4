"""Where a trigger stands over the settings: its regret, what it cost, and where it did not fire by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from secateurs.report.ranking.cluster import cluster_interval, cluster_mean
from secateurs.report.regret import TriggerResult, bootstrap_interval

Interval = tuple[float, float]


@dataclass(frozen=True)
class InSetting:
    """A trigger in one setting, by seed.

    ``regrets``: fractions, in order of seeds. ``validation_regrets``: the same with each seed's validation
    accuracies, which is what a choice may look at. ``shares``: of the run, in [0, 1], trained before
    pruning; 1 where it never fired. ``charged``: seeds on which it never fired and has the end's
    regret; ``uncharged``: those on which it has none for want of a run pruned at the end.
    ``at_bound``: seeds on which it fired only because its upper bound was reached.
    """

    setting: str
    result: TriggerResult
    regrets: Mapping[int, float]
    shares: Mapping[int, float]
    charged: tuple[int, ...]
    uncharged: tuple[int, ...]
    at_bound: tuple[int, ...]
    validation_regrets: Mapping[int, float] = field(default_factory=dict)

    @property
    def regret(self) -> float | None:
        """The mean over seeds."""
        return cluster_mean([list(self.regrets.values())])

    @property
    def interval(self) -> Interval | None:
        """Of the mean over seeds, by percentile bootstrap; None for fewer than two."""
        return bootstrap_interval(list(self.regrets.values()))

    @property
    def validation_regret(self) -> float | None:
        """The mean over seeds of the regret on validation data."""
        return cluster_mean([list(self.validation_regrets.values())])

    @property
    def share(self) -> float | None:
        """The mean over seeds of the share of the run that was trained densely."""
        return cluster_mean([list(self.shares.values())])


@dataclass(frozen=True)
class Standing:
    """A trigger over the settings of one side.

    ``regret`` with ``interval`` (Student's t over settings): mean over settings. ``behind`` with
    ``behind_interval``: its regret minus the first one's, over the runs for which both have one; None
    for the first.
    """

    trigger: str
    meaning: str
    reads: tuple[str, ...] | None
    places: tuple[InSetting, ...]
    regret: float | None
    interval: Interval | None
    behind: float | None = None
    behind_interval: Interval | None = None

    @property
    def validation_regret(self) -> float | None:
        """The mean over settings of its regret on validation data."""
        return cluster_mean([list(place.validation_regrets.values()) for place in self.places])

    @property
    def validation_interval(self) -> Interval | None:
        """The interval of its regret on validation data, by Student's t over settings."""
        return cluster_interval([list(place.validation_regrets.values()) for place in self.places])

    @property
    def fixed(self) -> bool:
        """Whether it reads no signal and prunes at the same moment on every run of a setting."""
        moments = [set(place.shares.values()) for place in self.places if place.shares]
        return self.reads == () and bool(moments) and all(len(each) == 1 for each in moments)

    @property
    def settings(self) -> int:
        """In how many settings it has a regret."""
        return sum(bool(place.regrets) for place in self.places)

    @property
    def runs(self) -> int:
        """On how many dense runs it has decided, be it never to fire."""
        return sum(len(place.shares) for place in self.places)

    @property
    def never(self) -> int:
        """On how many of these it never fired."""
        return sum(len(place.charged) + len(place.uncharged) for place in self.places)

    @property
    def uncharged(self) -> int:
        """On how many it never fired and has no regret."""
        return sum(len(place.uncharged) for place in self.places)

    @property
    def bound(self) -> int:
        """On how many it fired only because its upper bound was reached."""
        return sum(len(place.at_bound) for place in self.places)

    @property
    def lost(self) -> int:
        """On how many it fired and the pruned run has no result."""
        return sum(len(place.result.lost) for place in self.places)

    @property
    def silent_settings(self) -> int:
        """In how many settings it fired by itself on no seed at all."""
        return sum(
            bool(place.shares) and len(place.shares) == len((*place.charged, *place.uncharged, *place.at_bound))
            for place in self.places
        )

    @property
    def share(self) -> float | None:
        """Mean share of the run that is trained densely."""
        return cluster_mean([list(place.shares.values()) for place in self.places])

    @property
    def overhead(self) -> float | None:
        """Mean share that its signals, measured to the end, take of the time of training; None: not known."""
        shares = [place.result.seconds_share for place in self.places if place.shares]
        return cluster_mean([[share] for share in shares if share is not None])

    @property
    def worst(self) -> InSetting | None:
        """The setting in which it loses most; of equal ones the first."""
        judged = [(place.regret, place) for place in self.places]
        known = [(regret, place) for regret, place in judged if regret is not None]
        return max(known, key=lambda each: each[0])[1] if known else None

    @property
    def told_from_zero(self) -> bool:
        """Whether the interval of its regret leaves out 0."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)


def difference(one: Standing, other: Standing) -> tuple[float | None, Interval | None]:
    """The regret of ``one`` minus that of ``other``, paired by run: mean over the settings in which both have one.

    The interval is Student's t over these settings' mean differences, None for fewer than two. Both are
    compared with the same best moment, so this is how many points of accuracy ``other`` is ahead.
    """
    known = {place.setting: place.regrets for place in other.places}
    pairs = [
        [regret - known[place.setting][seed] for seed, regret in place.regrets.items() if seed in known[place.setting]]
        for place in one.places
        if place.setting in known
    ]
    return cluster_mean(pairs), cluster_interval(pairs)
