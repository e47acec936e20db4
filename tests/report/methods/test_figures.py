"""The figures of methods: what is drawn, with which look, at which place."""

from __future__ import annotations

import dataclasses

import pytest

from secateurs.report import find_methods
from secateurs.report.methods import looks
from secateurs.report.methods.accuracy import against_moment, against_sparsity, against_sparsity_by_family
from secateurs.report.methods.layers import by_channel, by_layer
from secateurs.report.methods.sheet import sheet, spaced
from secateurs.report.methods.training import over_training


def lines(axes) -> dict[str, tuple[list[float], list[float]]]:
    """The lines that are drawn, by their label."""
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_accuracy_against_sparsity(make_methods) -> None:
    (findings,) = find_methods(make_methods())
    panels = list(against_sparsity(findings))
    figure = sheet(panels[:1])
    (axes,) = figure.axes
    drawn = lines(axes)
    assert drawn["snip"][0] == [0.5, 0.2, 0.1]
    assert drawn["snip"][1] == pytest.approx([93.4, 93.0, 90.2])
    assert "snip shuffled" not in drawn
    assert drawn["dense"][1] == pytest.approx([93.2, 93.2])
    assert axes.get_xlim()[0] > axes.get_xlim()[1]  # sparsity rises to the right
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["50", "80", "90"]
    assert legend(figure) == ["dense", "random", "snip", "synflow"]


def test_a_method_and_its_changes_share_a_panel(make_methods) -> None:
    (findings,) = find_methods(make_methods())
    (panel,) = against_sparsity_by_family(findings)
    assert panel.title == "snip, pruned at initialisation"
    assert legend(sheet([panel])) == ["dense", "unchanged", "shuffled within\nlayers"]


def test_of_one_density_markers_stand_side_by_side(make_methods) -> None:
    study = make_methods()
    (findings,) = find_methods(dataclasses.replace(study, runs=[run for run in study.runs if run.density == 0.1]))
    (axes,) = sheet(list(against_sparsity(findings))).axes
    drawn = lines(axes)
    places = [drawn[name][0][0] for name in ("random", "snip", "synflow")]
    assert places == sorted(places, reverse=True)
    assert places[1] == pytest.approx(0.1)
    assert len(set(places)) == 3
    bars = [bar for each in axes.collections for bar in each.get_segments()]
    cell = findings.groups[0].cell("snip", 0.1)
    ends = [100 * (cell.test.mean - cell.test.sd), 100 * (cell.test.mean + cell.test.sd)]
    assert [y for _, y in bars[1]] == pytest.approx(ends)


def test_panels_of_changes_share_their_height(make_methods) -> None:
    study = make_methods()
    study = dataclasses.replace(
        study,
        methods={**study.methods, "flow": ""},
        runs=[*study.runs, *(dataclasses.replace(run, method="flow") for run in study.runs if run.method == "random")],
        base={**study.base, "flow": "synflow"},
    )
    first, second = sheet(list(against_sparsity_by_family(find_methods(study)[0]))).axes
    assert first.get_ylim() == second.get_ylim()
    assert first.get_ylim()[0] < 83.2


def test_accuracy_against_the_moment_shows_where_the_rate_drops(make_methods) -> None:
    study = make_methods(moments={"0ep": 0.0, "2ep": 2.0, "8ep": 8.0})
    (findings,) = find_methods(study)
    panels = list(against_moment(findings))
    assert [panel.title.replace("\N{NO-BREAK SPACE}", " ") for panel in panels] == [
        *("50 % sparsity", "80 % sparsity"),
        "90 % sparsity",
    ]
    (axes,) = sheet(panels[:1]).axes
    assert lines(axes)["snip"][0] == [0.0, 2.0, 8.0]
    upright = [line.get_xdata()[0] for line in axes.lines if list(line.get_ydata()) == [0, 1]]
    assert upright == [4.0, 7.0]


def test_layers_from_input_to_output(make_methods) -> None:
    (findings,) = find_methods(make_methods())
    (panel,) = by_layer(findings)  # at the highest matching sparsity
    (axes,) = sheet([panel]).axes
    (alike,) = [name for name in lines(axes) if name.startswith("random")]
    assert alike.replace("\n", " ") == "random, snip, snip shuffled, synflow", "each of them is named"
    assert lines(axes)[alike][1] == pytest.approx([80, 90, 0])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["stem", "block", "a_head"]


def test_channels_by_their_sparsity(make_methods) -> None:
    (findings,) = find_methods(make_methods())
    (panel,) = by_channel(findings)
    drawn = lines(sheet([panel]).axes[0])
    assert drawn["synflow"][1][100] == pytest.approx(30)
    assert drawn["snip shuffled"][1][100] == pytest.approx(1)
    assert len(drawn["random"][1]) == 101


def test_weights_remaining(make_methods) -> None:
    (findings,) = find_methods(make_methods())
    drawn = lines(sheet(over_training(findings)).axes[0])
    assert drawn["snip"] == ([0.0, 0.0, 0.0, 10.0], [100.0, 100.0, 20.0, 20.0])
    assert "random, snip shuffled, synflow" in drawn  # what lies on top of each other is one line


def test_looks_are_fixed_and_no_two_alike(make_methods) -> None:
    study = make_methods()
    every = looks.looks_of(study)
    assert list(every) == ["random", "snip", "synflow", "snip shuffled"]
    many = dataclasses.replace(study, methods={**study.methods, **{f"m{i}": "" for i in range(40)}})
    assert len({(look.colour, look.marker) for look in looks.looks_of(many).values()}) == 44
    assert looks.looks_of(many)["snip"] == every["snip"]


@pytest.mark.parametrize(
    ("places", "least", "kept"), [([], 1.0, []), ([3.0], 1.0, [0]), ([0.0, 0.1, 0.2], 0.5, [0, 2])]
)
def test_labels_stand_apart(places, least, kept) -> None:
    assert spaced(places, least) == kept
