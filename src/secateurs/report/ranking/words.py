"""Numbers and cells of the ranking as a person reads them."""

from __future__ import annotations

from secateurs.report.cells import TIME, share_cell
from secateurs.report.ranking.standing import InSetting, Interval, Standing
from secateurs.report.sentences import BOOTSTRAP
from secateurs.report.words import NOTHING, plural, signed

REGRET = (
    "Regret: test accuracy at the moment that did best on the other seeds' validation data, minus test accuracy at the "
    "trigger's moment, in percentage points; mean over settings of the mean over seeds. Intervals: 95 %, Student's t "
    "over the settings' means (degrees of freedom: settings less one), none for fewer than two settings; the best "
    "moments are taken as they are."
)
"""What the numbers of a ranking are."""

VALIDATION = (
    "Regret on validation data: the same with the pruned networks' validation accuracies in place of their test "
    "accuracies. It is what a choice between triggers may look at, and the order here is by it; regret on test data is "
    "shown beside it and must choose nothing."
)
"""What stands beside the regret in the settings to choose on."""

PICKED = "The first of a table was picked on these very data: its own numbers flatter it, and differences to it, too."
"""What must be known of the first of a ranking."""

OVER_SEEDS = f"Intervals in one setting: percentile bootstrap over its seeds. {BOOTSTRAP}"
"""What the intervals of one setting are."""

NEVER = (
    "A trigger that never fires is charged the end of the run: pruned there, without any training afterwards, since "
    "a sparse network was asked for."
)
"""The rule for triggers that never fire."""

PRICE = (
    "Dense training: the share of the run's epochs before pruning. Time, of the signals that the trigger reads, "
    f"measured to the end of the run: {TIME} Not by itself: on how many runs it never fired, or only because its upper "
    "bound was reached, or what it chose has no result."
)
"""What the prices of a trigger are."""


def with_interval(mean: float | None, interval: Interval | None) -> str:
    """Points with their interval, from fractions.

    >>> with_interval(0.012, (0.01, 0.02)), with_interval(None, None)
    ('+1.20 (+1.00 to +2.00)', '–')
    """
    if mean is None:
        return NOTHING
    return signed(mean) + ("" if interval is None else f" ({signed(interval[0])} to {signed(interval[1])})")


def regret(standing: Standing) -> str:
    """A trigger's mean regret with its interval."""
    return with_interval(standing.regret, standing.interval)


def validation(standing: Standing) -> str:
    """A trigger's mean regret on validation data with its interval."""
    return with_interval(standing.validation_regret, standing.validation_interval)


def behind(standing: Standing) -> str:
    """How much more a trigger loses than the first."""
    return with_interval(standing.behind, standing.behind_interval)


def worst(standing: Standing) -> str:
    """Where it loses most, and how much."""
    place = standing.worst
    return NOTHING if place is None or place.regret is None else f"{signed(place.regret)}: {place.setting}"


def part(value: float | None) -> str:
    """A share in whole percent.

    >>> part(0.346).replace("\\N{NO-BREAK SPACE}", " "), part(None)
    ('35 %', '–')
    """
    return NOTHING if value is None else f"{100 * value:.0f}\N{NO-BREAK SPACE}%"


def time(standing: Standing) -> str:
    """What its signals take, as a share of the time of training."""
    return share_cell(standing.overhead)


def by_itself(standing: Standing) -> str:
    """On how many runs it did not fire by itself, and why; empty where it always did."""
    said = [
        f"{count} {why}"
        for count, why in ((standing.never, "never"), (standing.bound, "at its bound"), (standing.lost, "no result"))
        if count
    ]
    return f"{', '.join(said)} of {standing.runs}" if said else ""


def settings(standing: Standing) -> str:
    """In how many settings it can be judged."""
    known, of = standing.settings, len(standing.places)
    return str(known) if known == of else f"{known} of {of}"


def in_setting(place: InSetting) -> str:
    """A trigger's regret in one setting, with what must be known about it."""
    if place.regret is None:
        return "not known yet" if place.shares or not place.result.never else NOTHING
    marks = [
        f"{len(seeds)} {why}"
        for seeds, why in ((place.charged, "never"), (place.at_bound, "at bound"), (place.result.lost, "no result"))
        if seeds
    ]
    return signed(place.regret) + (f" ({', '.join(marks)})" if marks else "")


def points(value: float | None) -> str:
    """Points with their sign, from a fraction.

    >>> points(0.012), points(None)
    ('+1.20', '–')
    """
    return NOTHING if value is None else signed(value)


def runs(count: int) -> str:
    """Return ``"1 run"``, ``"3 runs"``."""
    return plural(count, "run")


def ends(interval: Interval | None) -> str:
    """The ends of an interval, in points.

    >>> ends((0.01, 0.02)), ends(None)
    ('+1.00 to +2.00', '–')
    """
    return NOTHING if interval is None else f"{signed(interval[0])} to {signed(interval[1])}"
