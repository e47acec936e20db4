"""Studies of methods: those that were run become rows and a report; methods are put in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from secateurs.core import RecipeError, Spec
from secateurs.jobs import Serial, run
from secateurs.papers import methods, methods_in_words, p2_lottery_tickets
from secateurs.report import find_methods
from secateurs.report.methods import ablations, cheapest, render_methods
from secateurs.report.methods.ranges import remaining
from secateurs.studies import Sweep
from secateurs.studies.folder import StudyFolder
from secateurs.studies.schema import MethodRecipe
from secateurs.studies.schema.method import AnyMethod, ChannelMethodRecipe
from small_studies import finished, ordered, reported

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


NAME = "p2/tiny@smoke"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return finished(RECIPE, NAME, tmp_path_factory.mktemp("p2"))


def test_rows_are_those_of_the_study(folder: StudyFolder) -> None:
    study = methods.study_of(folder.ordered(), folder.store)
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
    (findings,) = find_methods(methods.study_of(folder.ordered(), folder.store))
    assert (findings.diverged, findings.missing) == ((), ())
    assert [group.moment for group in findings.groups] == ["0ep", "1ep"]
    assert len(ablations(findings)) == 4
    assert all(curve.epochs_after == 2 for curve in cheapest(findings))


def test_the_report_is_written_and_shown(folder: StudyFolder) -> None:
    page, terminal = reported(folder, "methods")
    assert "Frankle, Jonathan" in page
    assert "digits" in page
    assert "magnitude after training" in terminal


def test_a_study_that_was_not_run_has_rows_too(tmp_path: Path) -> None:
    masks = {**RECIPE, "trained": False, "moments": [0], "reported": []}
    made = StudyFolder.create(tmp_path / "new", ordered(masks, NAME))
    study = methods.study_of(made.ordered(), made.store)
    assert not study.trained
    assert all(run.mask == run.summary == {} for run in study.runs)
    early = {"title": "x", "model": RECIPE["model"], "data": RECIPE["data"], "train": RECIPE["train"]}
    with pytest.raises(RecipeError, match="has no MethodsPlan"):
        methods.study_of(ordered(early | P0, NAME), made.store)


MIXED: dict[str, Any] = {
    **{name: RECIPE[name] for name in ("study", "model", "data", "train")},
    "title": "tiny channels",
    "figure": "P1, table 1; P3, table 1",
    "seeds": [0],
    "prune": {"examples_per_class": 2},
    "methods": {
        "filters": {"how": "channels"},
        "triggered": {"how": "channels", "when": {"name": "early_crop", "threshold": 2.0}},
        "never": {"when": {"name": "below", "signal": "loss", "threshold": 1.0e-9}},
        "rounds": {"schedule": "rounds", "steps": 2, "every": "2it"},
        "LTR": {"levels": 2, "at": "1it"},
    },
    "densities": [0.5],
    "curves": True,
    "costs": {"memory": True},
}


def test_channels_triggers_rounds_and_levels(tmp_path: Path) -> None:
    made = StudyFolder.create(tmp_path / "mixed", ordered(MIXED, "own.yaml"))
    before = methods.study_of(made.ordered(), made.store)
    assert {each.method for each in before.runs} == {"filters", "rounds", "LTR"}  # nobody knows when triggers fire
    run(Sweep(made.ordered().recipe).graph(), made.store, Serial()).raise_for_failures()
    study = methods.study_of(made.ordered(), made.store)
    found = {each.method: each for each in study.runs}
    assert (found["filters"].how, found["rounds"].how) == ("channels", "masks")
    assert sum(kept for kept, _ in found["filters"].facts["units"].values()) < 14
    assert (found["triggered"].moment, found["triggered"].epoch) == ("early_crop", 1.0)
    assert (list(study.pinned), list(study.triggered)) == (["LTR", "triggered", "never"], ["triggered", "never"])
    assert [(each.method, each.density, each.seed) for each in study.never] == [("never", 0.5, 0)]
    assert [density for _, density in found["rounds"].stages] == [0.75, 0.5]
    assert [epoch for epoch, _ in found["rounds"].stages] == pytest.approx([2 / 3, 4 / 3])
    assert found["LTR"].scored_epoch == 2.0
    for each in study.runs:
        assert each.costs["seconds"] > 0
        assert each.costs["bytes_peak"] > 0
        assert each.rows[-1]["validation_accuracy"] == pytest.approx(each.accuracy("validation"))
    (dense,) = study.dense
    assert dense.summary["costs"]["weight_sparsity"] == 0
    assert found["LTR"].costs["density_area"] > dense.summary["costs"]["density_area"] > 0
    (findings,) = find_methods(study)
    assert [kind.kind for kind in findings.kinds] == ["structured", "unstructured"]
    text = render_methods(study)
    for wanted in ("Rachwan", "Lubana", "Costs at", "never fired"):
        assert wanted in text
    assert "Frankle" not in text


def test_where_the_dense_run_diverged_the_report_says_so_of_triggers(tmp_path: Path) -> None:
    several = {name: MIXED["methods"][name] for name in ("filters", "triggered", "never")}
    broken = {**MIXED, "train": {**MIXED["train"], "lr": 1e20}, "methods": several, "costs": {}}
    made = finished(broken, "own.yaml", tmp_path)
    study = methods.study_of(made.ordered(), made.store)
    broke = study.dense[0].diverged
    assert broke is not None
    assert [(each.method, each.diverged) for each in study.never] == [("triggered", broke), ("never", broke)]
    text = render_methods(study)
    assert "never fired" not in text
    assert "before its trigger was asked, after" in text


@pytest.mark.parametrize(
    ("figure", "name", "cited"),
    [
        ("P2, figure 5-4", "own.yaml", ["frankle"]),
        ("P3, tables 1 and 2; P1, table 1", "x", ["lubana", "rachwan"]),
        ("", "p1/table1@smoke", ["rachwan"]),
        ("", "own.yaml", []),
    ],
)
def test_papers_are_cited_where_something_of_theirs_is_regenerated(figure: str, name: str, cited: list[str]) -> None:
    said = methods.citation(ordered({**RECIPE, "figure": figure}, name))
    assert [line.partition("{")[2].partition("_")[0] for line in said.splitlines() if line.startswith("@")] == cited


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
    assert methods_in_words.in_words(method) == words


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (
            ChannelMethodRecipe(score=Spec("crop_gate"), when=Spec("early_crop", {"threshold": 0.05})),
            "channels by CroP's gate, one shot, when the weights change by less than 0.05, by half the run",
        ),
        (
            ChannelMethodRecipe(score=Spec("random"), scope="layer", schedule="rounds", steps=5, every="1ep"),
            "channels at random, the same share in each layer, in 5 rounds, 1 epoch of training before each",
        ),
        (
            ChannelMethodRecipe(score=Spec("bn_scale"), when=Spec("early_bird"), counted="channels", multiple_of=8),
            "channels by the scale of their batch norm, counted in channels, in multiples of 8, one shot, "
            "when what would go hardly changes (mask distance at most 0.1)",
        ),
        (
            MethodRecipe(schedule="linear", steps=1, every="100it"),
            "magnitude, in one round, 100 iterations of training before it",
        ),
        (
            MethodRecipe(levels=10, at="1ep"),
            "magnitude, lottery ticket rewinding in 10 levels, each trained to the end, rewound to epoch 1",
        ),
    ],
)
def test_channels_triggers_rounds_and_levels_in_words(method: AnyMethod, words: str) -> None:
    assert methods_in_words.in_words(method) == words


def test_bases_differ_in_nothing_else() -> None:
    methods = {
        "snip": MethodRecipe(score=Spec("snip")),
        "inverted": MethodRecipe(score=Spec("snip"), invert=True),
        "later": MethodRecipe(score=Spec("snip"), invert=True, at="end"),
        "other": MethodRecipe(ablation="shuffle"),
    }
    assert p2_lottery_tickets.bases(methods) == {"inverted": "snip"}


DYNAMIC: dict[str, Any] = {
    **{name: RECIPE[name] for name in ("study", "model", "data", "train")},
    "title": "tiny dynamic sparsity",
    "figure": "P2, section 6.2.2",
    "seeds": [0],
    "prune": {"after": "replay"},
    "methods": {
        "random": {"score": "random"},
        "gradual": {"schedule": "cubic", "steps": 2, "every": "2it", "after": "continue"},
        "RigL": {"how": "dynamic", "every": "2it"},
        "dynamic IMP": {"how": "dynamic_imp", "switches": [1]},
        "dynamic IMP at random": {"how": "dynamic_imp", "switches": [1], "grow": "random"},
    },
    "densities": [0.5],
}


def test_dynamic_sparsity_is_sparse_from_the_start(tmp_path: Path) -> None:
    folder = finished(DYNAMIC, "own.yaml", tmp_path)
    study = methods.study_of(folder.ordered(), folder.store)
    assert study.base == {"dynamic IMP at random": "dynamic IMP"}
    assert study.change == {"dynamic IMP at random": "connections grown at random"}
    assert (study.random, study.benchmarks) == (["random"], ())
    assert study.methods["RigL"].endswith("grown by their gradient, in the dense network's steps")
    assert not any(note.startswith("Of all methods") for note in study.notes)
    assert any(note.startswith("Dynamic sparsity is trained once") for note in study.notes)
    runs = {run.method: run for run in study.runs}
    assert all((run.epoch, run.epochs_after) == (0.0, 2) for run in runs.values())
    areas = {name: run.costs["density_area"] for name, run in runs.items()}
    assert areas["RigL"] == pytest.approx(1.0, rel=0.02)
    assert areas["dynamic IMP"] == pytest.approx(3.0, rel=0.02)
    (found,) = find_methods(study)
    curves = {cell.method: remaining(cell) for cell in found.all_cells}
    for name, retroactive in {"random": False, "gradual": False, "RigL": False, "dynamic IMP": True}.items():
        curve = curves[name]
        assert curve is not None
        assert curve.retroactive is retroactive
        # Three steps an epoch: all weights for two, 0.5 + 0.5 / 8 of them for two, then half.
        assert curve.area == pytest.approx((2 + 2 * 0.5625 + 1) / 3 if name == "gradual" else 1.0, rel=0.01)
    page, terminal = reported(folder, "methods")
    assert "one-shot dynamic IMP, sparse from the start, another mask from epoch 1 on" in page
    assert "RigL" in terminal
