"""What is found in measured runs, by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pages import plain
from secateurs.core import DataError
from secateurs.report.curves import Spread
from secateurs.report.importance import find_importance, summary


def test_means_are_over_seeds(make_study) -> None:
    (found,) = find_importance(make_study())
    (curve,) = found.changes
    assert [point.epoch for point in curve.points] == [1, 2, 3, 4, 5]
    assert [point.correlation.mean for point in curve.points] == [0.125, 0.375, 0.375, 0.625, 0.875]
    assert curve.points[0].distance == Spread(0.5, 0.0, 2)
    assert (curve.points[0].of_sums, curve.points[0].of_scales, curve.points[0].entries) == (
        Spread(0.5, 0.0, 2),
        None,
        9,
    )
    assert curve.together.mean == pytest.approx(-0.9747, abs=1e-4)  # ranks 1 2.5 2.5 4 5 against 5 4 3 2 1
    assert [(point.epoch, point.correlation.mean, point.seed, len(point.pairs)) for point in found.flows] == [
        (0, 0.5, 0, 2),
        (5, 0.625, 0, 2),
    ]
    assert (found.test, found.seeds, found.masked) == (Spread(0.75, 0.0, 2), (0, 1), 0.8)


def test_layers_that_were_not_looked_at_have_no_curve(make_study) -> None:
    (found,) = find_importance(make_study())
    assert [(layer.layer, layer.width) for layer in found.layers] == [
        ("conv.weight", 4),
        ("blocks.0.weight", 4),
        ("blocks.1.weight", 8),
    ]
    assert found.layers[0].epochs == (1, 2, 3, 4, 5)
    assert [spread.mean for spread in found.layers[0].norms] == [2, 2, 2, 2, 1]
    assert (found.early_share(1), found.early_share(5), found.early_share(9)) == (4 / 6, 1 / 6, None)
    assert found.blocks == (found.layers,)


def test_many_layers_are_shown_by_width(make_study) -> None:
    study = make_study()
    names = [f"blocks.{place}.conv{place % 2 + 1}.weight" for place in range(20)]
    many = {"layers": names, "widths": [16] * 10 + [32] * 10, "looked_at": names}
    runs = [
        replace(run, log=[{"epoch": 1, "gradient_norms": [1.0] * 20}], summary={**run.summary, **many})
        for run in study.runs
    ]
    (found,) = find_importance(replace(study, runs=runs))
    assert [len(block) for block in found.blocks] == [10, 10]
    assert (found.changes, found.flows) == ((), ())


def test_sentences_say_what_the_numbers_do(make_study) -> None:
    said = plain(" ".join(summary(find_importance(make_study())[0])))
    assert "goes from 0.12 ± 0.18 at epoch 1 to 0.88 ± 0.18 at epoch 5" in said
    assert "The nearer the masks, the higher the correlation, as P3 says" in said
    assert "0.50 ± 0.00 at epoch 0, 0.62 ± 0.18 at epoch 5" in said
    assert "The first of 3 layers holds 67 % in epoch 1 and 17 % in epoch 5" in said
    assert "reach 75.0 ± 0.0 % on test data (2 seeds)" in said


@pytest.mark.parametrize(
    ("signs", "told"),
    [
        ((1, 1, 1, 1, 1), "the opposite of what P3 says"),
        ((1, -1, 1, -1, 1), "hardly go together"),
        ((1, 1, 1), "Too few"),
    ],
)
def test_it_says_so_when_they_do_not_go_together(make_study, signs, told) -> None:
    change = {"measured": "change", "unit": "weights", "of_sums": None, "of_scales": None, "entries": 3}
    rows = [
        {"epoch": epoch, **change, "correlation": sign * epoch / 10, "mask_distance": epoch / 10}
        for epoch, sign in enumerate(signs, start=1)
    ]
    study = make_study()
    (found,) = find_importance(replace(study, runs=[replace(study.runs[0], log=rows)]))
    assert told in " ".join(summary(found))


def test_a_side_that_is_constant_has_no_correlation(make_study) -> None:
    rows = [
        {"epoch": 1, "measured": "change", "unit": "weights", "correlation": None, "mask_distance": 0.0, "entries": 3}
    ]
    study = make_study()
    (found,) = find_importance(replace(study, runs=[replace(study.runs[0], log=rows)]))
    assert summary(found)[0] == "Weights: |θ Δθ| or |θ g| is the same throughout: no correlation."


def test_runs_without_a_result_take_no_part(make_study) -> None:
    study = make_study()
    first, second = study.runs
    runs = [first, replace(second, summary={**second.summary, "diverged": "2ep"}), replace(second, seed=2, summary={})]
    (found,) = find_importance(replace(study, runs=runs))
    assert (found.seeds, found.diverged, found.missing) == ((0,), {1: "2ep"}, (2,))
    assert found.changes[0].points[0].correlation == Spread(0.25, None, 1)
    said = summary(found)
    assert "Training diverged with seed 1; nothing of it is in these numbers." in said
    assert "No result yet of seed 2." in said
    (empty,) = find_importance(replace(study, runs=[replace(second, summary={})]))
    assert summary(empty) == ["No result yet of seed 1."]


def test_what_is_no_study_is_refused(make_study) -> None:
    study = make_study()
    with pytest.raises(DataError, match="has no run"):
        make_study(runs=[])
    with pytest.raises(DataError, match="seed 0 is given 2 times"):
        make_study(runs=[study.runs[0]] * 2)
