"""What an advice found, in sentences: the regime, what to change, how sure that is, what it cost."""

from __future__ import annotations

import math
from collections.abc import Iterator

from secateurs.core.regimes import Regime
from secateurs.report.advice.findings import AdviceFindings, Verdict
from secateurs.report.advice.rows import AdviceStudy
from secateurs.report.chance import against
from secateurs.report.regimes.words import MINUS, REGIMES, tenths
from secateurs.report.words import NOTHING, SPACE, listed, number_of

COLUMNS = ("network", "dense", "copies", "LMC", "CKA", "regime", "of draws")
"""Of the table of networks."""

LEGEND = (
    "dense, copies: error on validation data of the dense network, and of its copies after their short retraining; "
    "of draws: the share of the bootstrap's draws of examples (and seeds) that fall into the same regime."
)
"""What the columns are."""

IN_WORDS = ("network", "regime")
"""Those that hold words; the others hold numbers."""

_SHORT: dict[Regime, str] = {"I": "poorly connected", "II-A": "less similar", "II-B": "similar"}


def value(number: float | None) -> str:
    """LMC or CKA in print: three decimals, a true minus sign, nothing for what rounds to nothing.

    >>> value(-0.1234), value(-0.0001), value(None)
    ('−0.123', '0.000', '–')
    """
    if number is None:
        return NOTHING
    text = f"{number:.3f}".replace("-", MINUS)
    return text[1:] if text == f"{MINUS}0.000" else text


def line(threshold: float) -> str:
    """A line that something is judged by, as it was said.

    >>> line(-0.05)
    '−0.05'
    """
    return number_of(threshold).replace("-", MINUS)


def percent(share: float | None) -> str:
    """A share in percent; only all of them are 100 %, and only none of them 0 %.

    >>> percent(0.974).replace(SPACE, " "), percent(0.9999).replace(SPACE, " "), percent(0.0).replace(SPACE, " ")
    ('97 %', '> 99 %', '0 %')
    """
    if share is None:
        return NOTHING
    near = "> 99" if 0.99 < share < 1 else "< 1" if 0 < share < 0.01 else f"{100 * share:.0f}"
    return f"{near} %".replace(" ", SPACE)


def error(share: float | None) -> str:
    """An error in percent, with one decimal."""
    return NOTHING if share is None else f"{tenths(share)}{SPACE}%"


def regime_of(verdict: Verdict) -> str:
    """The regime in a cell of a table, or why there is none."""
    if verdict.regime is not None:
        return f"{verdict.regime}: {_SHORT[verdict.regime]}"
    if verdict.guesses is not None:
        return "none: copies only guess"
    if verdict.lmc is not None:
        return "II: CKA undefined"
    if verdict.dense_diverged or verdict.copies_diverged:
        return "none: diverged"
    return NOTHING


def headline(found: AdviceFindings) -> str:
    """The advice in one sentence."""
    verdict, at = found.chosen, f"at a density of {density(found.study)}"
    if len(found.verdicts) > 1:
        at = f"{at}, {verdict.name}"
    if verdict.hardly_trained and verdict.guesses is None:
        told = f"Too early to tell {at}: after {epochs_of(found.study)} of retraining the copies err on "
        return f"{told}{error(verdict.copies_error)}. Look later: --epochs {_look_later(found.study)}."
    match verdict.regime:
        case "I":
            return f"Poorly connected (Regime I) {at}: raise the temperature of dense training."
        case "II-A":
            return f"Well connected, outputs less similar (Regime II-A) {at}: lower the temperature: train longer."
        case "II-B":
            return f"Well connected, outputs similar (Regime II-B) {at}: leave it, or lower the temperature further."
    if verdict.guesses is not None:
        return f"No regime {at}: after {epochs_of(found.study)} of retraining the copies only guess."
    if verdict.lmc is not None:
        return f"Well connected (Regime II) {at}; how similar cannot be told: do not raise the temperature."
    if verdict.dense_diverged:
        return f"No regime {at}: the dense network diverged, so there is nothing to prune."
    if verdict.copies_diverged:
        return f"No regime {at}: too few copies came through retraining to be compared."
    return f"No regime yet {at}: copies are still to be retrained and compared."


def _look_later(study: AdviceStudy) -> int:
    """So many epochs of retraining are worth a try where fewer were not enough."""
    return math.ceil(min(4 * (study.terms.probe_epochs or 1), study.terms.retrain_epochs))


def density(study: AdviceStudy) -> str:
    """The density that is asked about, in percent."""
    return f"{100 * study.density:.4g} %".replace(" ", SPACE)


def reasons(found: AdviceFindings) -> list[str]:
    """What was measured of the network that is to be pruned, and by which line it was judged."""
    verdict, terms = found.chosen, found.study.terms
    said = []
    if verdict.lmc is not None:
        measured, least = f"LMC of {verdict.name} is {value(verdict.lmc)}", line(terms.threshold)
        if verdict.lmc < terms.threshold:
            said.append(
                f"{measured}, below {least}: on the straight way between two retrained copies the error rises by "
                f"{-100 * verdict.lmc:.1f} points."
            )
        else:
            said.append(f"{measured}, not below {least}: no barrier to speak of stands between two retrained copies.")
    if verdict.cka is not None:
        side = "below" if verdict.cka < terms.similar_from else "not below"
        said.append(f"CKA of their outputs is {value(verdict.cka)}, {side} {line(terms.similar_from)}.")
    if verdict.hardly_trained and verdict.regime is not None:
        said.append(f"By these numbers it would be Regime {verdict.regime}: {REGIMES[verdict.regime]}.")
    return [*said, *_broken(verdict, found.study)]


def _broken(verdict: Verdict, study: AdviceStudy) -> Iterator[str]:
    """What went wrong, or is not known."""
    for cell in verdict.dense_diverged:
        yield (
            f"The dense network of seed {cell.seed} had diverged by {cell.dense['diverged']}: a lower train.lr, or "
            "train.warm_up, may help."
        )
    if verdict.copies_diverged:
        yield (
            f"{verdict.copies_diverged} {'copy' if verdict.copies_diverged == 1 else 'copies'} diverged in the first "
            f"{epochs_of(study)} of retraining: a lower train.lr, or train.warm_up, may help; without two copies that "
            "did not, there is no LMC."
        )
    if verdict.guesses is not None:
        compared = against(verdict.guesses, study.terms.chance or 0.0)
        yield (
            f"The copies are hardly better than guessing (validation accuracy {compared}): what has learned nothing is "
            "well connected, which says nothing. Retrain longer (--epochs), or ask for a higher density."
        )
    for reason in verdict.undefined:
        yield f"CKA is undefined: {reason}."
    if verdict.empty_layers:
        yield (
            f"No weight is left in {listed(verdict.empty_layers)}: what was measured is of a network that is broken "
            "there; a higher density, prune.scope=layer or prune.exclude leaves something."
        )
    if verdict.waiting:
        yield f"{verdict.waiting} results are still missing: the same command goes on."


def choice(found: AdviceFindings) -> list[str]:
    """Which of several to prune, and how that was found (P4 Algorithm 2.1)."""
    selection = found.selection
    if selection is None:
        return []
    first, chosen = found.first, found.chosen
    prune = f"It would be {chosen.name} to prune." if chosen.too_early else f"Prune {chosen.name}."
    begin = f"{prune} Of {len(found.verdicts)} networks {first.name} has the least validation error"
    by = "(P4 Algorithm 2.1)"
    if selection.poorly_connected is False:
        return [f"{begin}, and no barrier stands between its copies {by}."]
    why = "is poorly connected once it is pruned" if selection.poorly_connected else "has no LMC"
    if chosen.cka is None:
        return [f"{begin}. It {why}, and there is no CKA to choose by {by}."]
    if chosen is first:
        return [f"{begin}. It {why}, and still none has a higher CKA {by}."]
    return [f"{begin}, but {why}; the copies of {chosen.name} have the highest CKA, {value(chosen.cka)} {by}."]


def epochs_of(study: AdviceStudy) -> str:
    """How long copies were retrained, in words."""
    alpha = study.terms.probe_epochs or 0
    return f"{number_of(alpha)} epoch{'' if alpha == 1 else 's'}"


def row(verdict: Verdict) -> tuple[str, ...]:
    """A candidate's line in a table, under :data:`COLUMNS`; errors are of validation data."""
    return (
        verdict.name,
        error(verdict.error),
        error(verdict.copies_error),
        value(verdict.lmc),
        value(verdict.cka),
        regime_of(verdict),
        percent(verdict.share),
    )
