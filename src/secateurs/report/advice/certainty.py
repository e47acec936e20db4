"""How sure an advice is, what that covers, and what the advice cost, in sentences."""

from __future__ import annotations

from secateurs.report.advice.findings import LEVEL, AdviceFindings, Verdict
from secateurs.report.advice.rows import AdviceStudy
from secateurs.report.advice.words import epochs_of, error, line, percent, value
from secateurs.report.words import SPACE, listed, number_of


def certainty(found: AdviceFindings) -> list[str]:
    """How sure the verdict is, and what that does and does not cover."""
    verdict, study = found.chosen, found.study
    if not verdict.draws:
        return []
    several = verdict.seeds > 1
    of = f"the {verdict.seeds} seeds and of the training examples" if several else "the training examples"
    held = [f"LMC between {value(low)} and {value(high)}" for low, high in [verdict.lmc_interval or (0, 0)]]
    if verdict.cka_interval is not None:
        held.append("CKA between {} and {}".format(*map(value, verdict.cka_interval)))
    drawn = f"of {len(verdict.draws):,} draws of {of} (bootstrap)"
    if verdict.guesses is None:
        said = [f"{_shared(verdict)} {drawn}; {listed(held)} in {percent(LEVEL)} of them."]
    else:
        said = [f"{listed(held)} in {percent(LEVEL)} {drawn}; of copies that only guess that says nothing."]
    if verdict.regime is not None and not verdict.sure:
        said.append("That is close to a line: take the advice as a hint, or ask more seeds.")
    pairs = study.terms.copies * (study.terms.copies - 1) // 2
    compared = (
        "two copies are one pair" if pairs == 1 else f"{study.terms.copies} copies are {pairs} pairs, of one mask"
    )
    if several:
        few = "; so few seeds say little of others" if verdict.seeds < 5 else ""
        said.append(f"The draws cover other seeds like these{few}. Of each seed, {compared}.")
    elif study.source == "files":
        said.append(
            f"The draws cover which examples the copies are judged on, and no more: {compared}, of one dense network. "
            "Other orders of the data may say something else: --copies 3."
        )
    else:
        said.append(
            f"The draws cover which examples the copies are judged on, and no more: {compared}, of one dense network. "
            "Other orders of the data, or another seed, may say something else: --copies 3, --seeds 3."
        )
    if verdict.hardly_trained and verdict.guesses is None:
        said.append(
            f"After {epochs_of(study)} of retraining the copies err on {error(verdict.copies_error)} of the validation "
            f"data, the dense network on {error(verdict.error)}: they are far from trained, and what is measured of "
            "them says little yet."
        )
    said.append(
        f"{_look(found)} Of the lines LMC {line(study.terms.threshold)} is P4's, CKA {line(study.terms.similar_from)} "
        "ours: P4 sees no sharp line there."
    )
    return said


def _look(found: AdviceFindings) -> str:
    """When in retraining the copies were looked at, and what that leaves open."""
    study = found.study
    told = f"The copies were retrained for {epochs_of(study)} of {number_of(study.terms.retrain_epochs)}"
    if study.terms.probe_epochs is None or study.terms.probe_epochs >= study.terms.retrain_epochs:
        return f"{told}: all of it."
    if found.chosen.regime in ("II-A", "II-B"):
        later = "a barrier may still rise, or outputs become more alike, which a larger --epochs would show"
        return f"{told}: it is an early look, and {later}."
    return f"{told}: it is an early look."


def _shared(verdict: Verdict) -> str:
    if verdict.regime is None:
        return "Regime I in " + percent(verdict.shares["I"])
    others = [
        f"{name} in {percent(share)}" for name, share in verdict.shares.items() if share and name != verdict.regime
    ]
    return f"Regime {verdict.regime} in {percent(verdict.share)}" + (f" ({listed(others)})" if others else "")


def cost(study: AdviceStudy) -> list[str]:
    """What the advice cost, beside what one full retraining costs."""
    spent, said = study.spent, []
    if spent.dense_epochs:
        took = "" if spent.dense_seconds is None else f" ({seconds(spent.dense_seconds)})"
        said.append(f"{number_of(spent.dense_epochs)} epochs of dense training{took}")
    said.append(f"{number_of(spent.copies_epochs)} epochs of retraining copies ({seconds(spent.copies_seconds)})")
    words = {"recalibration": "to recalibrate batch norms", "evaluation": "to evaluate", "outputs": "for outputs"}
    passes = {words.get(kind, kind): count for kind, count in spent.passes.items() if count}
    kinds = ""
    if passes:
        said.append(f"{sum(passes.values())} passes over data ({seconds(spent.compare_seconds)})")
        kinds = f": {listed([f'{count} {what}' for what, count in passes.items()])}"
    whole = number_of(study.terms.retrain_epochs)
    there = "" if spent.dense_epochs else " The dense networks were there."
    return [f"It cost {listed(said)}{kinds}.{there} One full retraining takes {whole} epochs."]


def seconds(count: float) -> str:
    """Time as a person tells it.

    >>> seconds(0.004), seconds(3.21), seconds(75), seconds(7300)
    ('< 0.1 s', '3.2 s', '75 s', '2.0 h')
    """
    if count < 0.1:
        return f"< 0.1{SPACE}s".replace(SPACE, " ")
    text = f"{count:.1f} s" if count < 10 else f"{count:.0f} s" if count < 600 else f"{count / 60:.0f} min"
    return f"{count / 3600:.1f} h" if count >= 7200 else text
