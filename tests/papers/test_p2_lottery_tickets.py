"""P2's module: a study of methods that was run becomes rows and a report; methods are put in words."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from secateurs.core import RecipeError, Spec
from secateurs.jobs import Serial, run
from secateurs.papers import p2_lottery_tickets as p2
from secateurs.papers import reporter
from secateurs.report import find_methods
from secateurs.report.methods import ablations, cheapest
from secateurs.studies import Sweep, check
from secateurs.studies.folder import Ordered, StudyFolder
from secateurs.studies.schema import MethodRecipe

RECIPE: dict[str, Any] = {
    "study": "methods",
    "title": "tiny methods",
    "figure": "P2, figure 5-4",
    "model": {"name": "lenet_300_100", "hidden": [8, 6]},
    "data": {"name": "digits", "train_examples": 120},
    "train": {"epochs": 2, "batch_size": 50, "lr": 0.05},
    "seeds": [0, 1],
    "prune": {"after": "replay", "examples_per_class": 4},
    "methods": {
        "random": {"score": "random"},
        "magnitude": {},
        "magnitude shuffled": {"ablation": "shuffle"},
        "magnitude after training": {"at": "end"},
        "rewound": {"scored_at": "end"},
    },
    "densities": [0.5, 0.2],
    "moments": [0, "1ep"],
    "reported": [{"source": "somebody", "accuracy": 0.9}],
}


def ordered(recipe: dict[str, Any]) -> Ordered:
    return Ordered(check(recipe, "tiny"), "p2/tiny@smoke", "cpu", "secateurs run p2/tiny", "store")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    made = StudyFolder.create(tmp_path_factory.mktemp("p2") / "study", ordered(RECIPE))
    run(Sweep(made.ordered().recipe).graph(), made.store, Serial()).raise_for_failures()
    return made


def test_rows_are_those_of_the_study(folder: StudyFolder) -> None:
    study = p2.study_of(folder.ordered(), folder.store)
    assert study.title == "tiny methods (scale smoke)"
    assert (study.scale, study.chance) == ("smoke", {"p2/tiny@smoke": 0.1})
    assert len(study.dense) == 2
    assert len(study.runs) == 2 * 2 * (4 * 2 + 1)
    assert study.base == {"magnitude shuffled": "magnitude"}
    assert study.change == {"magnitude shuffled": "shuffled within layers"}
    assert (list(study.pinned), list(study.random)) == (["magnitude after training"], ["random"])
    assert study.methods["rewound"] == "magnitude, mask found at the end of training"
    assert "Of all methods the whole schedule is trained again after pruning." in study.notes
    assert study.reported[0].setting == "p2/tiny@smoke"
    late = next(run for run in study.runs if run.method == "rewound" and run.moment == "1ep")
    assert (late.epoch, late.scored_epoch, late.epochs_after) == (1.0, 2.0, 2)
    plain = next(run for run in study.runs if run.method == "magnitude" and run.moment == "1ep")
    assert plain.scored_epoch is None
    shuffled = next(run for run in study.runs if run.method == "magnitude shuffled")
    assert shuffled.ablated
    assert shuffled.facts["emptied"] == shuffled.summary["emptied"]


def test_what_is_found_in_them(folder: StudyFolder) -> None:
    (findings,) = find_methods(p2.study_of(folder.ordered(), folder.store))
    assert (findings.diverged, findings.missing) == ((), ())
    assert [group.moment for group in findings.groups] == ["0ep", "1ep"]
    assert len(ablations(findings)) == 4
    assert all(curve.epochs_after == 2 for curve in cheapest(findings))


def test_the_report_is_written_and_shown(folder: StudyFolder) -> None:
    paper = reporter("methods")
    study, written = paper.write(folder)
    assert written.page == folder.root / "report.html"
    text = written.page.read_text(encoding="utf-8")
    assert "Frankle, Jonathan" in text
    assert "digits" in text
    console = Console(file=io.StringIO(), width=120)
    paper.show(study, console)
    assert isinstance(console.file, io.StringIO)
    assert "magnitude after training" in console.file.getvalue()


def test_a_study_that_was_not_run_has_rows_too(tmp_path: Path) -> None:
    made = StudyFolder.create(tmp_path / "new", ordered({**RECIPE, "trained": False, "moments": [0], "reported": []}))
    study = p2.study_of(made.ordered(), made.store)
    assert not study.trained
    assert all(run.mask == run.summary == {} for run in study.runs)
    early = ordered({"title": "x", "model": RECIPE["model"], "data": RECIPE["data"], "train": RECIPE["train"]} | P0)
    with pytest.raises(RecipeError, match="has no MethodsPlan"):
        p2.study_of(early, made.store)


P0: dict[str, Any] = {"seeds": [0], "moments": [0], "signals": ["loss"]}


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (MethodRecipe(score=Spec("synflow")), "synflow, 100 exponential steps"),
        (
            MethodRecipe(scope="layer", at="end"),
            "magnitude, the same share in each layer, pruned at the end of training",
        ),
        (
            MethodRecipe(score=Spec("snip"), schedule="early_crop", revive=True, invert=True),
            "snip (bn running), EarlyCroP's steps, n = 5, dropped weights may come back, inverted",
        ),
        (
            MethodRecipe(score=Spec("grasp", {"absolute": True}), ablation="reinitialise", exclude=("fc",)),
            "grasp (temperature 200, absolute, bn batch), without fc, re-initialised",
        ),
    ],
)
def test_methods_in_words(method: MethodRecipe, words: str) -> None:
    assert p2.in_words(method) == words


def test_bases_differ_in_nothing_else() -> None:
    methods = {
        "snip": MethodRecipe(score=Spec("snip")),
        "inverted": MethodRecipe(score=Spec("snip"), invert=True),
        "later": MethodRecipe(score=Spec("snip"), invert=True, at="end"),
        "other": MethodRecipe(ablation="shuffle"),
    }
    assert p2.bases(methods) == {"inverted": "snip"}
