"""P4's regimes: a study that was run becomes rows and a report."""

from __future__ import annotations

import math
from typing import Any

import pytest

from secateurs.core import RecipeError
from secateurs.papers import p4_three_regimes as p4
from secateurs.report.regimes import Axis, figures, find_regimes, summary
from secateurs.report.rows import number
from secateurs.studies.folder import StudyFolder
from small_studies import finished, ordered, reported

RECIPE: dict[str, Any] = {
    **{"study": "regimes", "title": "tiny <regimes>", "figure": "P4, figure 2", "model": "lenet_300_100"},
    **{"data": {"name": "digits", "train_examples": 60}, "seeds": [0], "checkpoint_every": 1, "copies": 2},
    "train": {"epochs": 2, "batch_size": 30, "lr": 0.05, "schedule": "constant"},
    "temperature": {"name": "epochs", "values": [2, 1]},
    "load": {"name": "density", "values": [0.2]},
    "retrain": {"epochs": 1, "batch_size": 30, "lr": 0.02, "schedule": "constant"},
    **{"compare": {"points": 2, "samples": 40}, "last_epochs": 1},
}

NAME = "p4/tiny@smoke"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return finished(RECIPE, NAME, tmp_path_factory.mktemp("p4"))


def test_rows_are_those_of_the_study(folder: StudyFolder) -> None:
    study = p4.study_of(folder.ordered(), folder.store)
    assert (study.title, study.figure, study.scale) == ("tiny <regimes> (scale smoke)", "P4, figure 2", "smoke")
    assert "A Three-regime Model of Network Pruning" in study.citation
    assert study.temperatures == {NAME: Axis("epochs", (1, 2), "epochs of dense training")}
    assert study.loads == {NAME: Axis("density", (0.2,), "density")}
    terms = study.terms[NAME]
    assert (terms.threshold, terms.similar_from, terms.copies, terms.retrain_epochs) == (-0.05, 0.9, 2, 1)
    assert (terms.dense_epochs, terms.probe_epochs, terms.last_epochs) == ({1: 1, 2: 2}, None, 1)
    assert (terms.points, terms.samples, terms.outputs, terms.chance) == (2, 40, "softmax", 0.1)
    assert {(cell.temperature, cell.load, cell.seed) for cell in study.cells} == {(1, 0.2, 0), (2, 0.2, 0)}
    for cell in study.cells:
        assert not cell.waiting
        assert (len(cell.runs), len(cell.ends), len(cell.probes)) == (2, 1, 0)
        assert cell.mask["density"] == pytest.approx(cell.load, abs=0.02)
        assert cell.dense_error("test") == 1 - cell.dense["test_accuracy"]
        lmc, error = cell.lmc(), cell.error("test")
        assert lmc is not None
        assert math.isfinite(lmc)
        assert error == pytest.approx(sum(run["test_error"] for run in cell.runs) / 2)


def test_the_report_says_what_there_is(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FIGURES", figures.FIGURES[:1])  # each takes long to draw, and has tests of its own
    page, told = reported(folder, "regimes")
    assert "tiny &lt;regimes&gt;" in page
    assert "<regimes>" not in page
    assert "One dense network in each cell" in page
    assert "Test error" in told
    assert {path.name for path in folder.root.glob("*.png")} == {"regimes.png"}
    cells = (folder.root / "tables" / "cells.csv").read_text(encoding="utf-8").splitlines()
    assert len(cells) == 1 + 2


def test_an_unfinished_study_says_what_is_missing(folder: StudyFolder) -> None:
    more = {**RECIPE, "load": {"name": "density", "values": [0.2, 0.1]}}
    study = p4.study_of(ordered(more, NAME), folder.store)
    found = find_regimes(study)[0]
    assert [cell.waiting for cell in found.column(0.1)] == [True, True]
    assert [cell.waiting for cell in found.column(0.2)] == [False, False]
    said = summary(found)
    assert said[0] == (
        "The study is not finished: 2 of 4 cells wait for results; 2 of them have no error yet. All that follows may "
        "change."
    )
    assert any(each.startswith("Lowest test error: ") for each in said)  # of the density that is done
    assert number(found.column(0.1)[0].rows[0].dense, "test_accuracy") is not None  # its dense run serves all loads


def test_another_kind_of_study_is_refused(folder: StudyFolder) -> None:
    other = {key: RECIPE[key] for key in ("title", "model", "data", "seeds")}
    methods = {**other, "study": "early_periods", "train": {"epochs": 1}, "moments": [1], "densities": [0.5]}
    with pytest.raises(RecipeError):
        p4.study_of(ordered(methods, "p0/tiny"), folder.store)
