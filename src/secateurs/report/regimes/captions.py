"""What stands below the phase diagrams."""

from __future__ import annotations

from secateurs.report.regimes import words
from secateurs.report.regimes.borders import between, regimes_of
from secateurs.report.regimes.findings import RegimeFindings
from secateurs.report.words import listed, number_of, plural


def caption(findings: RegimeFindings) -> str:
    """What is shown, over how many copies and seeds, and what the lines are."""
    t, said = findings.terms, [_errors(findings)]
    bests = [findings.best(load) for load in findings.load.values]
    if any(bests):
        said.append(
            "(b) is that error minus the lowest of the same column, which is chosen on test data, as in P4: it is to "
            "be looked at, not to choose by."
            + ("" if all(bests) else " Columns whose cells have too few seeds in common have no lowest.")
        )
    if t.compared_at is not None:
        pairs = t.copies * (t.copies - 1) // 2
        when = "" if t.compared_at == t.tested_at else f", {words.when(t, t.compared_at)}"
        said.append(
            f"(c) LMC on {t.points} points over the whole training set and (d) CKA of {_outputs(t.outputs)} on up to "
            f"{t.samples:,} training examples: mean over {plural(pairs, 'pair')} of copies, then over seeds{when}."
        )
        poor, similar = between(regimes_of(findings))
        if poor:
            said.append(f"Line: LMC {words.hundredths(t.threshold)}, Regime I below it.")
        if similar:
            cka = words.hundredths(t.similar_from)
            said.append(f"Dashed: CKA {cka}, our line between II-A and II-B; P4 has none.")
    return " ".join(said)


def _errors(findings: RegimeFindings) -> str:
    t = findings.terms
    last = ""
    if t.tested_at == "end" and t.last_epochs > 1:
        last = f", mean of the last {number_of(t.last_epochs)} epochs"
    copies, seeds = (plural(count, what) for count, what in ((t.copies, "copy"), (len(findings.seeds), "seed")))
    over = listed([copies.replace("copys", "copies"), seeds])
    return f"(a) Test error {words.when(t, t.tested_at)}{last}; mean over {over}."


def _outputs(outputs: str) -> str:
    return "probabilities" if outputs == "softmax" else outputs
