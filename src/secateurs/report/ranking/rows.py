"""What the ranking is given: a study of early periods in several settings, and what is known of its triggers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from secateurs.core import DataError, did_you_mean
from secateurs.report.rows import Study


@dataclass(frozen=True)
class RankingStudy:
    """A study whose triggers are to be ranked.

    Attributes:
        study: the runs of all settings; a trigger without a pruned run on a finished dense run never fired there.
        judged: labels of the settings on which nothing was chosen.
        at_bound: by (setting, seed), the triggers that fired there only because their upper bound was reached.

    Raises:
        DataError: a label, or a run, that the study has not.
    """

    study: Study
    judged: Sequence[str] = ()
    at_bound: Mapping[tuple[str, int], Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        runs = {(run.setting, run.seed) for run in self.study.dense}
        settings = list(dict.fromkeys(setting for setting, _ in runs))
        for label in self.judged:
            if label not in settings:
                raise DataError(
                    f"study {self.study.title!r}: judged: no setting {label!r}{did_you_mean(label, settings)}"
                )
        for place in self.at_bound:
            if place not in runs:
                raise DataError(f"study {self.study.title!r}: at_bound: no dense run {place}: give it too")
