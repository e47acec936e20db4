"""P3's module: a study of importance that was run becomes rows and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from secateurs.core import RecipeError
from secateurs.papers import p3_gradient_flow as p3
from secateurs.studies.folder import StudyFolder
from small_studies import finished, ordered, reported

RECIPE: dict[str, Any] = {
    "study": "importance",
    "title": "tiny importance",
    "figure": "P3, figure 2",
    "model": {"name": "digits_resnet", "width": 4},
    "data": {"name": "digits", "train_examples": 120},
    "train": {"epochs": 2, "batch_size": 50, "lr": 0.05},
    "seeds": [1],
    "every": 1,
    "scatters": [0, "end"],
    "examples_per_class": 4,
    "points": 20,
    "settings": {
        "filters": {"unit": "channels", "every": 0, "gradient_norms": False},
        "both": {"mask_density": 0.5, "scatters": [0]},
    },
}


NAME = "p3/tiny@smoke"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return finished(RECIPE, NAME, tmp_path_factory.mktemp("p3"))


def test_rows_are_those_of_the_study(folder: StudyFolder) -> None:
    study = p3.study_of(folder.ordered(), folder.store)
    assert (study.title, study.scale, study.figure) == ("tiny importance (scale smoke)", "smoke", "P3, figure 2")
    assert [(run.setting, run.seed, run.epochs) for run in study.runs] == [("filters", 1, 2), ("both", 1, 2)]
    assert study.masked == {"filters": 0.8, "both": 0.5}
    assert set(study.runs[0].scatters) == {(0, "channels"), (2, "channels")}
    assert set(study.runs[1].scatters) == {(0, "channels"), (0, "weights")}
    assert len(study.runs[1].scatters[0, "weights"]) == 20
    assert study.runs[0].accuracy("test") is not None


def test_the_report_is_written_and_shown(folder: StudyFolder) -> None:
    page, terminal = reported(folder, "importance")
    assert "Lubana, Ekdeep Singh" in page
    assert "digits" in page
    assert "filters" in terminal


def test_a_study_that_was_not_run_has_rows_too(tmp_path: Path) -> None:
    made = StudyFolder.create(tmp_path / "new", ordered(RECIPE, NAME))
    study = p3.study_of(made.ordered(), made.store)
    assert all(run.summary == {} and run.log == () for run in study.runs)
    early = {name: RECIPE[name] for name in ("title", "model", "data", "train", "seeds")}
    with pytest.raises(RecipeError, match="has no ImportancePlan"):
        p3.study_of(ordered({**early, "moments": [0], "signals": ["loss"]}, NAME), made.store)
