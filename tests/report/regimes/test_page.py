"""The page, the pictures, the tables and the terminal of a study of regimes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.console import Console

from secateurs.report.canvas import svg
from secateurs.report.regimes import (
    Axis,
    RegimeStudy,
    RegimeTerms,
    captions,
    diagram,
    find_regimes,
    render_regimes,
    scheme,
    show_regimes,
    write_regimes_report,
)
from secateurs.report.regimes.drawn import Drawn
from secateurs.report.regimes.tables import TABLES, write_tables

MakeRegimes = Callable[..., RegimeStudy]

COLD = Axis("epochs", (160.0,), "training epochs")
ONE = Axis("density", (0.05,), "density")

UGLY = "<script>alert(1)</script> $x"


def drawn(study: RegimeStudy, letter: str) -> Axes:
    """One panel of the phase diagram."""
    panel = next(each for each in diagram.panels(find_regimes(study)[0]) if each.title.startswith(f"({letter})"))
    return diagram.sheet([panel]).axes[0]


def test_the_diagram_shows_numbers_regimes_and_borders(make_regimes: MakeRegimes) -> None:
    axes = drawn(make_regimes(), "c")
    texts = [text.get_text() for text in axes.texts]
    assert sorted(text for text in texts if text[0] in "I") == ["I", "II-A", "II-B"]
    assert [texts.count(each) for each in ("\N{MINUS SIGN}0.60", "\N{MINUS SIGN}0.10", "0.00")] == [1, 1, 2]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "20", "80"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["10", "80", "160"]
    assert axes.get_ylim() == (3, 0)  # the hottest on top
    assert "higher temperature \N{RIGHTWARDS ARROW}" in axes.get_ylabel()
    assert sum(isinstance(each, LineCollection) for each in axes.collections) == 4  # two lines, each with its casing


def test_cells_without_a_number_are_hatched_and_explained(make_regimes: MakeRegimes) -> None:
    study = make_regimes()
    cells = [
        replace(cell, runs=({"diverged": "2ep"},) * 3, ends=({"lmc": None, "cka": None, "diverged_copies": [1]},) * 3)
        if (cell.temperature, cell.load) == (160.0, 0.05)
        else replace(cell, runs=({},) * 3, ends=({},) * 3)
        if (cell.temperature, cell.load) == (10.0, 0.8)
        else cell
        for cell in study.cells
    ]
    axes = drawn(replace(study, cells=cells), "a")
    hatches = {patch.get_xy(): patch.get_hatch() for patch in axes.patches if isinstance(patch, Rectangle)}
    assert (hatches[0, 2], hatches[2, 0], hatches[1, 1]) == ("////", "....", None)
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert {"diverged", "no result yet"} <= set(legend)


@pytest.mark.parametrize(
    ("temperature", "load"),
    [
        (Axis("epochs", (160.0,), "epochs"), Axis("width", (0.5, 1.0), "width")),
        (Axis("rho", (0.6, 0.1, 0.0), "rho"), Axis("depth", (20.0,), "depth")),
        (Axis("batch_size", (16.0, 512.0), "batch size"), Axis("density", (0.05,), "density")),
    ],
)
def test_grids_of_any_shape_are_drawn(make_regimes: MakeRegimes, temperature: Axis, load: Axis) -> None:
    numbers = {name: lambda hot, each, seed: 0.01 * seed + hot / 10_000 for name in ("error", "cka", "dense_error")}
    study = make_regimes(temperature, load, numbers=numbers | {"lmc": lambda hot, each, seed: 0.0})
    panels = list(diagram.panels(find_regimes(study)[0]))
    assert [panel.size for panel in panels] == [(len(load.values), len(temperature.values))] * 4
    assert svg(diagram.sheet(panels[2:3])).startswith("<?xml")


def test_arrows_say_what_following_the_advice_does(make_regimes: MakeRegimes) -> None:
    found = find_regimes(make_regimes())[0]
    (panel,) = scheme.panels(found)
    axes = diagram.sheet([panel]).axes[0]
    legend = [text.get_text() for text in axes.figure.legends[0].get_texts()]
    assert legend[:3] == list(scheme.LABELS.values())
    assert legend[3:] == ["error falls, told apart"]
    assert "density\N{NO-BREAK SPACE}20\N{NO-BREAK SPACE}%: II-A 10, 80; I 160" in panel.alt


def test_columns_without_a_best_cell_are_hatched_and_explained(make_regimes: MakeRegimes) -> None:
    study = make_regimes(changed={("net", 160.0, 0.8, 2): None})
    axes = drawn(study, "b")
    hatches = [patch.get_hatch() for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_xy()[0] == 2]
    assert set(hatches) == {"\\\\\\\\"}
    assert "no best: too few seeds in common" in [text.get_text() for text in axes.figure.legends[0].get_texts()]
    found = find_regimes(study)[0]
    assert "Columns whose cells have too few seeds in common have no lowest." in captions.caption(found)
    alone = find_regimes(make_regimes(load=Axis("density", (0.8,), "density"), changed={("net", 160.0, 0.8, 2): None}))
    assert [panel.title for panel in diagram.panels(alone[0])] == ["(a) Test error", "(c) LMC", "(d) CKA"]
    assert "(b)" not in captions.caption(alone[0])
    assert "Line: LMC" not in captions.caption(alone[0])  # nothing of this load is in Regime I
    assert "Line: LMC" in captions.caption(found)
    told = io.StringIO()
    show_regimes(alone[0].study, Console(file=told, width=100))
    assert "*" not in told.getvalue()


def test_a_figure_of_one_panel_is_drawn_once(make_regimes: MakeRegimes) -> None:
    calls: list[int] = []

    def sheet(panels: Sequence[diagram.Diagram], *, columns: int | None = None) -> Figure:
        calls.append(len(panels))
        return Figure()

    panels = tuple(diagram.panels(find_regimes(make_regimes(COLD))[0]))
    for some, drawn_then in ((panels[:1], [1]), (panels, [1, 1, 1, 1, 4])):
        calls.clear()
        figure = Drawn("name", "heading", some, "caption", None, sheet)
        assert len(figure.plate().pictures) == len(some)
        assert figure.whole() is figure.whole()
        assert calls == drawn_then


def test_everything_on_the_page_is_escaped(make_regimes: MakeRegimes, tmp_path: Path) -> None:
    alone = RegimeTerms(copies=1, ends=False)  # of errors only: drawing is what takes long
    study = make_regimes(COLD, ONE, settings=(UGLY,), terms=alone, title=UGLY, notes=[UGLY], figure=UGLY)
    written = write_regimes_report(study, tmp_path)
    assert {path.name for path in written.figures} == {"diagram.png"}
    assert all(path.stat().st_size > 1000 for path in written.figures)
    page = written.page.read_text(encoding="utf-8")
    assert "<script>" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt; $x") > 3


def test_tables_have_a_row_for_each_cell_pair_and_run(make_regimes: MakeRegimes, tmp_path: Path) -> None:
    found = find_regimes(make_regimes(terms=RegimeTerms(probe_epochs=2.0), settings=("=net",)))
    rows = {
        path.stem: list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        for path in write_tables(found, tmp_path)
    }
    assert (len(rows["cells"]), len(rows["runs"]), len(rows["pairs"])) == (9, 81, 2 * 81)
    first = rows["cells"][0]
    assert (first["setting"], first["temperature"], first["load"], first["regime"]) == ("'=net", "10.0", "0.05", "II-A")
    assert float(first["test_error_mean"]) == pytest.approx(0.202)
    assert float(first["dense_test_error_mean"]) == pytest.approx(0.122)
    assert (rows["runs"][0]["copy"], float(rows["runs"][0]["probe_test_error"])) == ("0", pytest.approx(0.3))
    assert {row["told"] for row in rows["changes"]} == {"helps"}
    assert (first["regime_seeds"], first["regime_seeds_known"]) == ("3", "3")
    assert set(rows) == set(TABLES)
    assert rows["answers"] == []  # not asked for: its heading alone is there


def test_the_terminal_says_errors_and_regimes(make_regimes: MakeRegimes) -> None:
    told = io.StringIO()
    show_regimes(make_regimes(), Console(file=told, width=100))
    text = told.getvalue()
    assert "30.2 I" in text
    assert "8.2* II-B" in text
    assert "P4's claim" in text


def test_without_results_or_comparisons_the_page_says_so(make_regimes: MakeRegimes) -> None:
    study = make_regimes()
    empty = replace(study, cells=[replace(c, dense={}, mask={}, runs=({},) * 3, ends=({},) * 3) for c in study.cells])
    assert "No pruned network has a result yet." in render_regimes(empty)
    alone = render_regimes(make_regimes(COLD, terms=RegimeTerms(copies=1, ends=False)))
    assert "Copies were not compared, so regimes are not known." in alone
    assert "(c) LMC" not in alone
