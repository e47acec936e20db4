"""What early pruning costs and saves, setting by setting: the dense network, each moment, each trigger."""

from __future__ import annotations

from secateurs.report.costs import Costed, CostTable, cost_table
from secateurs.report.costs.measures import in_words
from secateurs.report.costs.table import TIMES
from secateurs.report.findings import Findings
from secateurs.report.rows import GRID
from secateurs.report.words import listed, number_of

MOMENTS, TRIGGERS = "pruned at a moment of the grid", "pruned where a trigger fired"
LAYOUT = (
    *("weight_sparsity", "node_sparsity", "seconds", "seconds_signals", "seconds_scoring"),
    *("batch", "memory", "disk", "emissions", "multiply_adds"),
)


def costed(findings: Findings) -> list[Costed]:
    """The dense network, then what each moment of the grid and each trigger came to, over seeds."""
    dense = findings.dense_runs
    rows = [
        Costed("dense", [r.accuracy("test") for r in dense], [r.summary.get("costs") or {} for r in dense], "", True)
    ]
    for point in findings.curve:
        runs = [run for run in findings.pruned_runs if GRID in run.chosen_by and run.epoch == point.epoch]
        rows.append(
            Costed(
                f"epoch {number_of(point.epoch)}" + (", best" if point == findings.best else ""),
                [run.accuracy("test") for run in runs],
                [run.costs.get(GRID, {}) for run in runs],
                MOMENTS,
                chosen=point == findings.best,
            )
        )
    for result in findings.triggers:
        runs = [run for run in findings.pruned_runs if result.trigger in run.chosen_by]
        if runs:
            tests = [run.accuracy("test") for run in runs]
            rows.append(Costed(result.trigger, tests, [run.costs.get(result.trigger, {}) for run in runs], TRIGGERS))
    return rows


def table(findings: Findings) -> CostTable | None:
    """The table of costs; None where nothing is known."""
    rows = costed(findings)
    if not any(costs for row in rows if not row.dense for costs in row.costs):
        return None
    return cost_table(rows, LAYOUT, marked=False)


def sentences(findings: Findings) -> list[str]:
    """What pruning at the best moment saves, and what it does not."""
    rows = costed(findings)
    dense, best = rows[0], next((row for row in rows if row.chosen), None)
    if best is None:
        return []
    said = [told for name, what in _WHAT.items() if (told := _compared(dense, best, name, what)) is not None]
    text = [f"Pruned at the best moment, a network takes {listed(said)}."] if said else []
    batch, peak, whole = best.batch_ratio, best.of("memory"), dense.of("memory")
    if batch is not None:
        text.append(f"A batch takes {batch.mean:.2f} times as long as the dense network's, timed by turns.")
    if peak is not None and whole is not None:
        text.append(
            f"A training step takes {in_words('memory', peak.mean)} of memory at its peak, the dense network's "
            f"{in_words('memory', whole.mean)}."
        )
    return [" ".join(text)] if text else []


_WHAT = {"seconds": "to train", "disk": "on disk", "multiply_adds": "multiply-adds forward"}


def _compared(dense: Costed, best: Costed, name: str, what: str) -> str | None:
    before, after = dense.of(name), best.of(name)
    if before is None or after is None or not before.mean:
        return None
    share = f"{after.mean / before.mean:.2f}{TIMES}"
    return f"{in_words(name, after.mean)} {what} (dense: {in_words(name, before.mean)}, {share})"
