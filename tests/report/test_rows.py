"""Rows: what is refused, and what a missing or diverged result counts for."""

from __future__ import annotations

import dataclasses

import pytest

from secateurs.core import DataError
from secateurs.report import DenseRun, PrunedRun, Study


def test_a_diverged_run_has_no_accuracy_even_if_one_was_measured() -> None:
    run = PrunedRun(0, "net", "1ep", 1.0, 0.1, summary={"test_accuracy": 0.1, "diverged": "2ep"})
    assert run.accuracy("test") is None
    assert run.diverged == "2ep"


def test_series_leaves_out_what_was_not_measured() -> None:
    rows = [{"epoch": 0}, {"epoch": 1, "loss": None}, {"epoch": 2, "loss": 1.5}, {"epoch": 3, "loss": float("inf")}]
    assert DenseRun(0, "net", 7, 3, rows).series("loss") == ((2.0,), (1.5,))


def test_study_refuses_what_cannot_be_compared(make_study) -> None:
    study = make_study()
    with pytest.raises(DataError, match="no dense run"):
        Study("empty", [], [])
    with pytest.raises(DataError, match="given 2 times"):
        dataclasses.replace(study, pruned=[*study.pruned, study.pruned[0]])
    with pytest.raises(DataError, match="its dense run is missing"):
        dataclasses.replace(study, dense=study.dense[1:])
    with pytest.raises(DataError, match="did you mean 'peak'"):
        dataclasses.replace(study, pruned=[dataclasses.replace(study.pruned[0], chosen_by=("peek",))])
