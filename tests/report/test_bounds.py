"""Triggers on the page of early periods: where they fired on a signal's curve, and whether their bound made them."""

from __future__ import annotations

import dataclasses

import pytest

from secateurs.report import Study, draw, draw_panels, find, render, summary, tables
from secateurs.report.cells import choice_cell
from secateurs.report.sentences import caption, choices, fit_sentence


@pytest.fixture
def watched(make_study) -> Study:  # type: ignore[no-untyped-def]
    """Weight change falls to 0.1; the trigger fires on seed 1 by its bound."""
    study: Study = make_study(
        signals=["fisher_trace", "weight_change"],
        needs={"peak": ["weight_change"]},
        thresholds={("net", "peak"): ("weight_change", 0.2)},
        figure="P1, figure 2",
        scale="smoke",
    )
    dense = [
        dataclasses.replace(run, log=[{**row, "weight_change": 1 / (1 + row["epoch"])} for row in run.log])
        for run in study.dense
    ]
    bound = [
        dataclasses.replace(run, at_bound=("peak",)) if run.seed == 1 and "peak" in run.chosen_by else run
        for run in study.pruned
    ]
    return dataclasses.replace(study, dense=dense, pruned=bound)


def test_a_bound_is_told_in_sentence_table_and_csv(watched: Study) -> None:
    (findings,) = find(watched)
    (result,) = findings.triggers
    assert result.by_bound == (1,)
    assert "(one per seed), on seed 1 by its bound alone; regret" in " ".join(summary(findings))
    assert choices(result) == "4 (0), 5 (1, by its bound), 6 (2)"
    assert choice_cell(result) == "5.0 ± 1.0, by its bound on 1"
    assert [row["at_bound"] for row in tables(watched, [findings])["choices"]] == [False, True, False]


def test_every_signal_is_drawn_with_what_its_triggers_chose(watched: Study) -> None:
    (findings,) = find(watched)
    figure = draw(findings)
    _, _, fisher, change = figure.axes
    stars = [line for line in change.lines if line.get_marker() == "*"]
    assert [list(line.get_xdata()) for line in stars] == [[5.0]]
    assert [list(line.get_ydata()) for line in change.lines][-1] == [0.2, 0.2], "its threshold"
    assert not [line for line in fisher.lines if line.get_marker() == "*"], "it does not read tr(F)"
    assert "Star: where a trigger" in caption(findings, "weight_change")
    assert "Star" not in caption(findings, "fisher_trace")
    assert len(draw_panels([findings], "weight_change").axes) == 2
    said = " ".join(summary(findings)).replace("\N{NO-BREAK SPACE}", " ")
    assert "Weight change fell from the start, by 82 % to the end." in said


def test_what_p0_found_is_said_of_its_recipes_alone(watched: Study) -> None:
    unfit = [dataclasses.replace(run, summary={**run.summary, "train_accuracy": 0.8}) for run in watched.dense]
    said = [
        fit_sentence(find(dataclasses.replace(watched, dense=unfit, figure=figure, signals=signals))[0])
        for figure, signals in (
            ("P1, figure 2", ["fisher_trace"]),
            ("P0, figure 1", ["weight_change"]),
            ("P0, figure 1", ["fisher_trace"]),
        )
    ]
    assert ["tr(F)" in each for each in said] == [False, False, True]


def test_the_scale_is_told(watched: Study) -> None:
    assert "At scale smoke: the same jobs" in render(watched)
