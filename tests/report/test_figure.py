"""The figure: what is drawn, same bytes each time, no state left behind."""

from __future__ import annotations

import dataclasses

import matplotlib as mpl
import pytest

from secateurs.core import DataError
from secateurs.report import DenseRun, draw, find, save, svg


def labels(axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_a_panel_per_signal_with_the_right_numbers(make_study) -> None:
    (found,) = find(make_study())
    figure = draw(found)
    first, second, fisher, kl = figure.axes
    pruned = first.lines[0]
    assert pruned.get_xdata() == pytest.approx([0, 4, 8])
    assert pruned.get_ydata() == pytest.approx([82, 91, 86])
    assert next(iter(fisher.lines[0].get_xdata())) == 1  # the untrained network is left out
    assert labels(first) == ["pruned", "best (validation)", "dense, 93.0 %", "tr(F)", "peak, epoch 3"]
    assert labels(second)[-2:] == ["KL-uniform", "no peak inside"]
    assert kl.get_ylabel() == "KL-uniform"


def test_same_numbers_same_bytes_whatever_the_users_style(make_study, tmp_path) -> None:
    (found,) = find(make_study())
    one = svg(draw(found)), save(draw(found), tmp_path / "a.png").read_bytes()
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.fonttype": "none"}):
        two = svg(draw(found)), save(draw(found), tmp_path / "b.png").read_bytes()
        assert mpl.rcParams["font.size"] == 30
    assert one == two
    assert save(draw(found), tmp_path / "c.svg").read_text() == one[0]


def test_without_signals_and_with_one_seed(make_study) -> None:
    study = make_study(seeds=1)
    bare = dataclasses.replace(study, dense=[DenseRun(0, "net", 7, 10, [], {"test_accuracy": 0.9})])
    (found,) = find(bare)
    (axes,) = draw(found).axes
    assert labels(axes) == ["pruned", "best (validation)", "dense, 90.0 %"]


def test_a_setting_may_hold_any_characters(make_study) -> None:
    study = make_study()
    name = "cost $5 {x} \\frac <b>"
    renamed = dataclasses.replace(
        study,
        dense=[dataclasses.replace(run, setting=name) for run in study.dense],
        pruned=[dataclasses.replace(run, setting=name) for run in study.pruned],
    )
    (found,) = find(renamed)
    assert svg(draw(found)).startswith("<?xml")


def test_unknown_signal_and_file_type_are_refused(make_study, tmp_path) -> None:
    (found,) = find(make_study())
    with pytest.raises(DataError, match="'loss' was not measured"):
        draw(found, ["loss"])
    with pytest.raises(DataError, match=r"write it as \.svg or \.png"):
        save(draw(found), tmp_path / "x.jpg")
