"""The regret benchmark, which is no paper's: what does each trigger lose against the best moment to prune?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from rich.console import Console

from secateurs.jobs import Job, Store
from secateurs.papers import p0_early_periods
from secateurs.papers.common import data, summary
from secateurs.report import RankingStudy, Written, show_ranking, write_ranking_report
from secateurs.report.words import listed
from secateurs.studies import EarlyPeriodsStudy, Sweep
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.schema import Regret
from secateurs.when import signal_of


def study_of(ordered: Ordered, store: Store) -> RankingStudy:
    """The rows of a benchmark, finished or not, as the report takes them.

    Raises:
        RecipeError: when it is a study of another kind.
    """
    sweep = Sweep(ordered.recipe, ordered.device)
    plans = sweep.plans(EarlyPeriodsStudy)
    measured = dict.fromkeys(signal_of(spec).name for plan in plans.values() for spec in plan.recipe.signals)
    at_bound = {}
    for label, plan in plans.items():
        for seed, job in plan.dense.items():
            entry = store.entry(job)
            if entry.done:
                at_bound[label or ordered.name, seed] = plan.at_bound(seed, entry)
    study = p0_early_periods.study_of(ordered, store, costs=False)  # it tells what watching costs, as shares of time
    judged = ordered.recipe.judged if isinstance(ordered.recipe, Regret) else ()
    notes = [*data(sweep), *_collapse(store, sweep.jobs(store))]
    return RankingStudy(replace(study, signals=list(measured), citation="", notes=notes), judged, at_bound)


def write(folder: StudyFolder) -> tuple[RankingStudy, Written]:
    """Write the report (HTML, PNG, SVG, CSV) of the benchmark in ``folder`` beside its results."""
    bench = study_of(folder.ordered(), folder.store)
    return bench, write_ranking_report(bench, folder.root)


def show(bench: RankingStudy, console: Console) -> None:
    """Print the ranking."""
    show_ranking(bench, console)


def _collapse(store: Store, jobs: Iterable[Job]) -> list[str]:
    """In how many runs a layer was left without a single weight, by setting."""
    counts = Counter(job.group for job in jobs if summary(store, job).get("empty_layers"))
    if not counts:
        return []
    where = [f"{count} of “{setting}”" if setting else str(count) for setting, count in counts.items()]
    return [f"Runs in which a layer was left without a single weight (layer collapse): {listed(where)}."]
