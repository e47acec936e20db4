"""P2's tickets: a study that was run becomes rows and a report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from secateurs.core import RecipeError
from secateurs.jobs import Entry
from secateurs.papers import p2_tickets as p2
from secateurs.report.tickets import figures
from secateurs.studies.folder import StudyFolder
from small_studies import finished, ordered, reported

RECIPE: dict[str, Any] = {
    "study": "tickets",
    "title": "tiny tickets",
    "figure": "P2, figure 3-1",
    "model": "lenet_300_100",
    "data": {"name": "digits", "train_examples": 100},
    "train": {"epochs": 2, "batch_size": 50, "lr": 0.05},
    "seeds": [1],
    "levels": 2,
    "rate": 0.5,
    "rewind": [0, "1it"],
    "looks": {"every": "2it"},
    "tickets": {
        "IMP": {},
        "LRR": {"weights": "trained", "at_levels": [1]},
        "redrawn": {"weights": "redrawn", "rewind": [0]},
        "shuffled": {"shuffled": True, "weights": "redrawn", "at_levels": [2], "rewind": [0]},
        "random": {"search": "random", "at_levels": [2], "rewind": [0]},
    },
    "instability": {"copies": 2, "levels": [1], "of": ["IMP"], "points": 3, "throughout": "1ep"},
    "dilation": {"factors": [0.5, 1.0], "of": ["dense", "IMP"], "levels": [1]},
    "band": "range",
    "reported": [
        {"source": "P2", "accuracy": 0.983},
        {"source": "P2", "ticket": "IMP", "density": 0.25, "rewind": 0, "accuracy": 0.982},
    ],
}

NAME = "p2/tiny@smoke"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return finished(RECIPE, NAME, tmp_path_factory.mktemp("p2"))


def test_rows_are_those_of_the_study(folder: StudyFolder) -> None:
    study = p2.study_of(folder.ordered(), folder.store)
    assert (study.title, study.figure, study.scale) == ("tiny tickets (scale smoke)", "P2, figure 3-1", "smoke")
    assert (study.steps, study.steps_per_epoch) == ({"p2/tiny@smoke": 4}, {"p2/tiny@smoke": 2})
    places = [(run.ticket, run.level, run.rewind, run.step) for run in study.runs]
    assert places[:4] == [("dense", 0, "0ep", 0), ("dense", 0, "0ep1it", 1), ("IMP", 1, "0ep", 0), ("IMP", 2, "0ep", 0)]
    assert places[6:] == [
        ("LRR", 1, None, None),
        ("redrawn", 1, "0ep", 0),
        ("redrawn", 2, "0ep", 0),
        ("shuffled", 2, "0ep", 0),
        ("random", 2, "0ep", 0),
    ]
    assert all(run.accuracy("test") is not None and run.mask["density"] == run.density for run in study.runs[2:])
    assert [row["steps"] for row in study.runs[2].rows] == [0, 2, 4]
    assert [row["steps"] for row in study.runs[4].rows] == [1, 2, 4], "from k on"
    (terms,) = study.terms.values()
    assert (terms.roles["IMP"], terms.band, terms.matching_within, terms.constant_rate) == (
        "iterative",
        "range",
        0.002,
        False,
    )
    assert [(each.rewind, each.after) for each in study.copies] == [("0ep", "continue"), ("0ep1it", "continue")]
    assert {row["part"] for row in study.copies[0].rows} == {"train", "test"}
    assert [row["until"] for row in study.throughout[0].rows if row["part"] == "test"] == ["1ep", "2ep"]
    assert [(each.ticket, each.factor) for each in study.dilated] == [
        *(("dense", 0.5), ("dense", 1.0)),
        *(("IMP", 0.5), ("IMP", 1.0)),
    ]
    assert [(each.rewind, each.step) for each in study.starts] == [("0ep", 0), ("0ep1it", 1)]
    assert study.starts[1].summary["l2_from_initialisation"] > 0
    assert [(each.ticket, each.rewind) for each in study.reported] == [(None, None), ("IMP", "0ep")]


def test_the_report_is_written_and_shown(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "FIGURES", figures.FIGURES[:2])  # drawing takes seconds, and has its own tests
    page, terminal = reported(folder, "tickets")
    assert "Frankle, Jonathan" in page
    assert "P2: IMP" in page
    assert "One seed: there is no spread" in page
    assert "redrawn" in terminal
    tables = {path.stem for path in (folder.root / "tables").iterdir()}
    assert {"runs", "accuracy", "dilation"} <= tables


def test_a_study_that_was_not_run_has_rows_too(tmp_path: Path) -> None:
    made = StudyFolder.create(tmp_path / "new", ordered(RECIPE, NAME))
    study = p2.study_of(made.ordered(), made.store)
    assert all(run.missing and not run.rows for run in study.runs)
    early = {name: RECIPE[name] for name in ("title", "model", "data", "train", "seeds")}
    with pytest.raises(RecipeError, match="has no TicketsPlan"):
        p2.study_of(ordered({**early, "moments": [0], "signals": ["loss"]}, NAME), made.store)


def test_settings_have_tickets_and_terms_of_their_own(tmp_path: Path) -> None:
    constant = {"epochs": 2, "batch_size": 50, "lr": 0.05, "schedule": "constant"}
    two = {
        "one": {},
        "other": {
            "tickets": {"IMP": {"search": "one_shot"}},
            "band": "deviation",
            "matching_within": 0,
            "train": constant,
        },
    }
    made = StudyFolder.create(tmp_path / "two", ordered({**RECIPE, "settings": two}, NAME))
    study = p2.study_of(made.ordered(), made.store)
    assert study.settings == ("one", "other")
    assert "; or pruned at once by magnitude" in study.tickets["IMP"]
    one, other = study.terms["one"], study.terms["other"]
    assert (one.roles["IMP"], one.band, one.matching_within, one.constant_rate) == ("iterative", "range", 0.002, False)
    assert (other.roles["IMP"], other.band, other.matching_within, other.constant_rate) == (
        *("one-shot", "deviation"),
        *(0.0, True),
    )
    assert len(study.notes) == 1, "that of the data"


def test_copies_that_are_still_compared_have_no_rows_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some pairs of several say nothing of all of them."""
    made = StudyFolder.create(tmp_path / "new", ordered(RECIPE, NAME))
    monkeypatch.setattr(Entry, "rows", lambda self: [{"instability": 0.01, "part": "train"}])
    study = p2.study_of(made.ordered(), made.store)
    assert {len(each.rows) for each in (*study.copies, *study.throughout)} == {0}
