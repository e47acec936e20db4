"""P0's module, on recipes of another paper: what is measured, what triggers wait for, who is cited, what is a bound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from secateurs.papers import p0_early_periods as p0
from secateurs.report import find
from small_studies import finished

RECIPE: dict[str, Any] = {
    "study": "early_periods",
    "title": "tiny periods",
    "figure": "P1, figure 2",
    "model": {"name": "lenet_300_100", "hidden": [8, 6]},
    "data": {"name": "digits", "train_examples": 120},
    "train": {"epochs": 4, "batch_size": 50, "lr": 0.05},
    "seeds": [0],
    "prune": {"density": 0.5},
    "moments": [0],
    "signals": ["loss", "weight_change", "kl_uniform", {"name": "gradient_norms", "layerwise": True}],
    "triggers": {"early": {"name": "early_crop", "threshold": 0.0}, "plain": {"name": "at", "moment": "1ep"}},
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> p0.Study:
    made = finished(RECIPE, "p1/tiny@smoke", tmp_path_factory.mktemp("p0") / "x")
    return p0.study_of(made.ordered(), made.store)


def test_every_signal_with_one_value_is_told_but_a_loss_that_no_trigger_reads(study: p0.Study) -> None:
    assert study.signals == ["kl_uniform", "weight_change"]
    (findings,) = find(study)
    assert [curve.signal for curve in findings.signals] == ["kl_uniform", "weight_change"]


def test_what_a_trigger_waits_for_and_that_its_bound_decided(study: p0.Study) -> None:
    assert study.thresholds == {("p1/tiny@smoke", "early"): ("weight_change", 0.0)}
    early, plain = find(study)[0].triggers
    assert (early.by_bound, early.choices[0].epoch) == ((0,), 2.0)
    assert plain.by_bound == (), "time is all that it waits for"


def test_the_paper_that_the_figure_names_is_cited(study: p0.Study) -> None:
    assert study.citation.startswith("@inproceedings{rachwan")
    assert study.scale == "smoke"


def test_p0s_own_recipes_cite_p0(tmp_path: Path) -> None:
    made = finished({**RECIPE, "figure": "P0, figure 1, on digits", "triggers": {}}, "demo", tmp_path / "x")
    assert p0.study_of(made.ordered(), made.store).citation == p0.CITATION
