"""The cells of the tables that set settings, or studies, side by side."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.report.curves import Spread
from secateurs.report.findings import Findings
from secateurs.report.overview import loss, peak_epochs, share
from secateurs.report.rank import Part
from secateurs.report.regret import FEW_SEEDS, TriggerResult
from secateurs.report.sentences import bounds
from secateurs.report.words import NOTHING, number_of, percent, plural, signed

TIME = (
    "seconds spent on signals, the untrained network's included, as a share of the seconds of the dense run's "
    "training, which are those of its epochs with their validation and without the time of any signal."
)
"""What a share of time is."""

RANKS = (
    "Rank correlation (Spearman, from inverse -1 to same order +1): for each seed, the signal at the moments of the "
    "grid against the accuracy of the networks pruned there, the untrained network left out; "
    "mean (95 % bootstrap interval) over seeds."
)
"""What the rank correlations are."""


def coefficient(value: float | None) -> str:
    """A correlation with its sign, in two digits.

    >>> coefficient(0.8), coefficient(-0.25), coefficient(None)
    ('+0.80', '−0.25', '–')
    """
    return NOTHING if value is None else f"{value:+.2f}".replace("-", "\N{MINUS SIGN}")


def correlation_cell(findings: Findings, signal: str, part: Part) -> str:
    """A rank correlation with its interval, in a table's cell."""
    found = findings.correlation(signal, part)
    if found is None:
        return NOTHING
    ends = "" if found.interval is None else f" ({coefficient(found.interval[0])} to {coefficient(found.interval[1])})"
    return f"{coefficient(found.spread.mean)}{ends}"


def peak_cell(findings: Findings, signal: str) -> str:
    """Where a signal peaks, and on how many seeds inside the run."""
    peaks = findings.peaks_of(signal)
    where = peak_epochs(findings, signal)
    if not peaks:
        return NOTHING
    if where is None:
        return "not inside the run"
    inside = sum(peak.inside for peak in peaks)
    epoch = number_of(where.mean) if where.sd is None else f"{where.mean:.1f} ± {where.sd:.1f}"
    return epoch if inside == len(peaks) else f"{epoch}, inside on {inside} of {plural(len(peaks), 'seed')}"


def choice_cell(result: TriggerResult) -> str:
    """When a trigger fired, mean over the seeds on which it did."""
    seeds = len(result.choices) + len(result.never)
    where = Spread.of(choice.epoch for choice in result.choices)
    if where is None:
        return "never fired" if result.never else "not known yet"
    epoch = number_of(where.mean) if not where.sd else f"{where.mean:.1f} ± {where.sd:.1f}"
    said = epoch if not result.never else f"{epoch}, on {len(result.choices)} of {plural(seeds, 'seed')}"
    if not result.by_bound:
        return said
    alone = len(result.by_bound) == len(result.choices)
    return f"{said}, by its bound" + ("" if alone else f" on {len(result.by_bound)}")


def share_cell(value: float | None) -> str:
    """A share of the time of a dense run's training, in percent.

    >>> share_cell(0.123).replace("\N{NO-BREAK SPACE}", " "), share_cell(0.0001), share_cell(0.0), share_cell(None)
    ('12 %', '< 0.1\xa0%', 'none', '–')
    """
    if value is None:
        return NOTHING
    if value == 0:
        return "none"
    text = "< 0.1" if value < 0.001 else f"{100 * value:.1f}" if value < 0.0995 else f"{100 * value:.0f}"
    return f"{text}\N{NO-BREAK SPACE}%"


def signal_share(findings: Findings, signal: str) -> str:
    """The time that measuring a signal took, as a share of that of a dense run's training."""
    return share_cell(share(findings, signal))


def regret_cell(result: TriggerResult) -> str:
    """A trigger's regret with its interval, in points."""
    if result.regret is None:
        return NOTHING
    return signed(result.regret.mean) + ("" if result.interval is None else f" ({bounds(result)})")


def few_seeds(found: Sequence[Findings]) -> str:
    """What must be said of intervals over fewer than five seeds; empty where there are enough."""
    fewest = min((len(findings.seeds) for findings in found), default=FEW_SEEDS)
    if fewest >= FEW_SEEDS:
        return ""
    return f"With fewer than {FEW_SEEDS} seeds (here {fewest}) the interval says little."


def loss_cell(findings: Findings) -> str:
    """Points lost at the best moment against dense."""
    spread = loss(findings)
    return NOTHING if spread is None else f"{signed(spread.mean)}" + (f" ± {100 * spread.sd:.2f}" if spread.sd else "")


def fit_cell(findings: Findings) -> str:
    """Whether the dense networks fit their training data, with their training accuracy."""
    return NOTHING if findings.fits is None else f"{'yes' if findings.fits else 'no'}, {percent(findings.train)}"
