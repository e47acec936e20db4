"""What was spent for one cell of a study: its share of every job that it needed, each job once."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from secateurs.core import Moment
from secateurs.jobs import Entry, Job, Store
from secateurs.measure.costs import Emissions

SCORING = "scoring"
"""``seconds/scoring``, in a row or a summary: what finding the mask or the channels took."""


@dataclass(frozen=True)
class Leg:
    """Part of a job that a cell needed.

    Attributes:
        job: what was run.
        until: up to which moment of it; None: all of it.
        signals: what had to be measured on the way. The time of others is not charged.
    """

    job: Job
    until: Moment | None = None
    signals: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Spent:
    """What a cell took.

    Attributes:
        seconds: of training, of the signals that were needed, and of scoring.
        emissions: energy and CO2eq of the same; None where one of the jobs was not measured.
        signals: of the seconds, those of signals.
        scoring: of the seconds, those of finding what to prune.
    """

    seconds: float
    emissions: Emissions | None = None
    signals: float = 0.0
    scoring: float = 0.0


def charged(legs: Iterable[Leg], store: Store) -> Spent | None:
    """What the legs took together; None as long as one of their jobs is not done.

    A job that stands in several legs is charged once, up to the latest of their moments, with all their signals.
    Of a job with rows it is the ``seconds`` of those until the moment (of the row that the moment lies within, its
    share), without ``seconds/<name>`` of what was measured beside and not needed, and without looking at validation
    data (``seconds_validation``); ``seconds/scoring`` always counts, in a row or in the summary, and alone, be it 0,
    where a job does nothing else. Only a job that tells none of these is charged with all its seconds. Loading data and
    evaluating the end are the study's own. So is what was done twice because a run was cut off: rows are taken back
    with the work.

    Energy is a job's own, by the share of its seconds that is charged.
    """
    spent: list[Spent] = []
    for leg in each_once(legs):
        entry = store.entry(leg.job)
        if not entry.done:
            return None
        spent.append(_of_leg(entry, leg))
    return Spent(
        math.fsum(each.seconds for each in spent),
        _together([each.emissions for each in spent]),
        math.fsum(each.signals for each in spent),
        math.fsum(each.scoring for each in spent),
    )


def each_once(legs: Iterable[Leg]) -> list[Leg]:
    """One leg for each job: up to the latest of its moments."""
    found: dict[str, Leg] = {}
    for leg in legs:
        known = found.get(leg.job.key)
        if known is not None:
            until = None if known.until is None or leg.until is None else max(known.until, leg.until)
            leg = Leg(leg.job, until, known.signals | leg.signals)
        found[leg.job.key] = leg
    return list(found.values())


def share_before(until: Moment | None, text: str) -> float:
    """The share of a row's epoch, which ends at the moment ``text``, that lies before ``until``; None: the run's end.

    >>> share_before(Moment(15, 10), "1ep"), share_before(Moment(15, 10), "2ep"), share_before(Moment(15, 10), "3ep")
    (1.0, 0.5, 0.0)
    """
    if until is None:
        return 1.0
    end = Moment.parse(text, until.steps_per_epoch)
    start = (end.steps - 1) // end.steps_per_epoch * end.steps_per_epoch
    return 1.0 if end <= until else max(until.steps - start, 0) / (end.steps - start)


def row_spent(row: Mapping[str, Any], signals: Collection[str] = (), share: float = 1.0) -> Spent:
    """What one row of metrics is charged with: its seconds, but of what was measured beside only ``signals``.

    >>> row_spent({"seconds": 10.0, "seconds/fisher_trace": 3.0, "seconds/kl_uniform": 0.5}, ["kl_uniform"])
    Spent(seconds=7.0, emissions=None, signals=0.5, scoring=0.0)
    >>> row_spent({"seconds/fisher_trace": 3.0, "seconds/kl_uniform": 0.5}, ["fisher_trace"]).seconds  # untrained
    3.0
    """
    beside = {name.removeprefix("seconds/"): row[name] for name in row if name.startswith("seconds/")}
    watched = math.fsum(beside.get(signal, 0.0) for signal in signals)
    scoring = beside.pop(SCORING, 0.0)
    training = row["seconds"] - math.fsum(beside.values()) - scoring if "seconds" in row else 0.0
    training -= row.get("seconds_validation", 0.0)
    return Spent(share * (training + watched + scoring), None, share * watched, share * scoring)


def emissions_of(*entries: Entry) -> Emissions | None:
    """Energy and CO2eq of finished jobs, all their sittings; None where one was not measured.

    Raises:
        StoreError: when one is not finished.
    """
    told = (each for entry in entries for each in entry.measured)
    return _together([None if each is None else Emissions(**each) for each in told])


def _of_leg(entry: Entry, leg: Leg) -> Spent:
    rows, told = entry.rows(), entry.summary.get(f"seconds/{SCORING}")
    scoring = float(told) if told is not None and leg.until is None else 0.0
    parts = [row_spent(row, leg.signals, share_before(leg.until, row["moment"])) for row in rows if "moment" in row]
    seconds = math.fsum(part.seconds for part in parts) + scoring
    if told is None and not any(name.partition("/")[0] == "seconds" for row in rows for name in row):
        seconds = entry.seconds
    whole = emissions_of(entry)
    share = min(seconds / entry.seconds, 1.0) if entry.seconds else 0.0
    return Spent(
        seconds,
        None if whole is None else whole.share(share),
        math.fsum(part.signals for part in parts),
        math.fsum(part.scoring for part in parts) + scoring,
    )


def _together(parts: Sequence[Emissions | None]) -> Emissions | None:
    """All of them; None where one is not known, or there is none."""
    known = [part for part in parts if part is not None]
    return reduce(add, known) if known and len(known) == len(parts) else None
