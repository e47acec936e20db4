"""Small multiples: which settings share a panel, which panels share their axes, learning rates."""

from __future__ import annotations

import dataclasses

import pytest

from secateurs.core import DataError
from secateurs.report import Findings, Study, draw_learning_rate, draw_panels, find, svg
from secateurs.report.layout import common_axes, group_name, groups, names
from secateurs.report.multiples import draw_apart


def shifted(findings: Findings, by: float) -> Findings:
    """The same setting with every test accuracy moved."""
    points = [dataclasses.replace(p, test=dataclasses.replace(p.test, mean=p.test.mean + by)) for p in findings.curve]
    return dataclasses.replace(findings, curve=tuple(points), best=None, dense=None)


def labels(figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_a_panel_per_setting_with_common_axes(several: Study) -> None:
    found = find(several)
    figure = draw_panels(found, "fisher_trace")
    panels = [axes for axes in figure.axes if axes.get_title()]
    assert [axes.get_title().split("\n") for axes in panels] == [
        ["net", "dense 93.0 %, peak at epoch 3"],
        ["wide <net>", "dense 92.0 %, peak at epoch 3"],
    ]
    assert panels[0].get_ylim() == panels[1].get_ylim()
    assert panels[0].lines[0].get_ydata() == pytest.approx([82, 91, 86, 87])
    assert labels(figure) == ["pruned", "best (validation)", "dense", "tr(F)", "peak", "trigger fired"]
    assert [len(each.axes) for each in draw_apart(found, "fisher_trace")] == [2, 2]
    assert draw_apart(found, "fisher_trace")[0].axes[0].get_ylim() == panels[0].get_ylim()


def test_densities_of_the_same_dense_runs_share_a_panel(make_study) -> None:
    study = make_study()
    more = [dataclasses.replace(run, density=0.05) for run in study.pruned]
    found = find(dataclasses.replace(study, pruned=[*study.pruned, *more]))
    figure = draw_panels(found, "fisher_trace")
    accuracy, signal = figure.axes
    assert len([line for line in accuracy.lines if line.get_marker() in ("o", "s") and len(line.get_xdata()) == 3]) == 2
    assert len(signal.lines) == 2  # the signal and its peak, once
    assert labels(figure) == ["90 % removed", "95 % removed", "dense", "tr(F)", "peak", "best (validation)"]
    assert len(draw_panels(found, "fisher_trace", overlay=False).axes) == 4


def test_groups_go_by_the_dense_runs_not_by_the_name(several: Study) -> None:
    found = find(several)
    assert len(groups(found)) == 2
    renamed = [
        dataclasses.replace(findings, setting=name, dense_runs=found[0].dense_runs)
        for name, findings in zip("ab", found, strict=True)
    ]
    (group,) = groups(renamed)
    assert names(group) == ("a", "b")
    assert group_name(group, [group]) == ""
    assert [group_name(each, groups(renamed, overlay=False)) for each in groups(renamed, overlay=False)] == ["a", "b"]


def test_dense_runs_that_have_not_begun_are_not_taken_for_each_other(several: Study) -> None:
    dense = [dataclasses.replace(run, log=[], summary={}) for run in several.dense]
    assert len(groups(find(dataclasses.replace(several, dense=dense)))) == 2


def test_names_tell_rows_apart(several: Study) -> None:
    a, b = find(several)
    sparse = dataclasses.replace(a, density=0.05)
    assert names([a, sparse]) == ("90 % removed", "95 % removed")
    assert names([a, sparse, b]) == ("net, 90 % removed", "net, 95 % removed", "wide <net>, 90 % removed")


def test_an_axis_is_common_only_where_no_panel_is_squeezed_flat(several: Study) -> None:
    near, _ = find(several)
    assert common_axes([(near,), (shifted(near, 0.05),)], None).accuracy is not None
    assert common_axes([(near,), (shifted(near, -0.7),)], None).accuracy is None
    assert common_axes([(near,)], None).accuracy is None
    assert common_axes([(near,), (near,)], "fisher_trace").signal is not None
    assert common_axes([(near,), (near,)], None).signal is None


def test_learning_rates_that_are_equal_are_one_line(several: Study) -> None:
    def rates(*of: float) -> Study:
        dense = [
            dataclasses.replace(
                run, log=[{**row, "lr": of[run.setting != "net"] / 2**i} for i, row in enumerate(run.log)]
            )
            for run in several.dense
        ]
        return dataclasses.replace(several, dense=dense)

    (axes,) = draw_learning_rate(find(rates(0.1, 0.2))).axes
    assert [line.get_label() for line in axes.lines] == ["net", "wide <net>"]
    assert axes.lines[1].get_ydata()[0] == 0.2
    (axes,) = draw_learning_rate(find(rates(0.1, 0.1))).axes
    assert [line.get_label() for line in axes.lines] == ["net, wide <net>"]
    with pytest.raises(DataError, match="no dense run logged its lr"):
        draw_learning_rate(find(several))


def test_same_bytes_and_any_characters(several: Study) -> None:
    odd = [dataclasses.replace(findings, setting=f"_$x {{}} {i} $\\frac") for i, findings in enumerate(find(several))]
    same = [dataclasses.replace(findings, dense_runs=odd[0].dense_runs) for findings in odd]
    assert svg(draw_panels(same, "kl_uniform")) == svg(draw_panels(same, "kl_uniform"))


def test_wrong_arguments_are_refused(several: Study) -> None:
    with pytest.raises(DataError, match="'loss' was not measured"):
        draw_panels(find(several), "loss")
    with pytest.raises(DataError, match="no setting was given"):
        draw_panels([])
