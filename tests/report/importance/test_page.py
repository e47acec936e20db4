"""The page, its files, tables and what is printed: escaped, complete, the same each time."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from rich.console import Console

from pages import Reader, plain
from secateurs.report import Provenance
from secateurs.report.importance import (
    COLUMNS,
    find_importance,
    render_importance,
    show_importance,
    tables,
    write_importance_report,
)
from secateurs.report.importance.panels import norms
from secateurs.report.methods.sheet import sheet

EVIL = "<script>alert('x')</script> & $x_1$"


def test_the_page_holds_everything_and_fetches_nothing(make_study) -> None:
    provenance = Provenance("epochs: 5", "secateurs run x", {"torch": "2.6"}, {"0": "init 0"}, {"run": "ab12"})
    study = make_study(provenance=provenance, notes=["A note."], figure="P3, figure 2", scale="cpu", citation="@book")
    html = render_importance(study)
    assert html == render_importance(study)
    page = Reader(html)
    text = plain(page.text)
    for wanted in ("epochs: 5", "secateurs run x", "2.6", "ab12", "A note.", "P3, figure 2", "At scale cpu", "@book"):
        assert wanted in text
    for wanted in ("Filters (9)", "0.88 ± 0.18", "0.03 ± 0.00", "Masks keep 80 %", "0.62 ± 0.18"):
        assert wanted in text
    assert not {"script", "link"} & set(page.tags)
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) == 1 + 2 + 1  # correlations, two scatters, gradient norms
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert all(len(value) > 20 for name, value in page.attributes if name == "alt")
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_everything_shown_is_escaped(make_study) -> None:
    study = make_study()
    hostile = replace(
        study,
        title=EVIL,
        runs=[
            replace(run, setting=EVIL, seed=seed)
            if seed
            else replace(
                run, setting=f"other {EVIL}", summary={**run.summary, "layers": [EVIL] * 4, "looked_at": [EVIL]}
            )
            for seed, run in enumerate(study.runs)
        ],
        masked={EVIL: 0.8},
        notes=[EVIL],
        figure=EVIL,
        citation=EVIL,
        scale=EVIL,
        provenance=Provenance(EVIL, EVIL, {EVIL: EVIL}, {EVIL: EVIL}, {EVIL: EVIL}),
    )
    html = render_importance(hostile)
    assert "<script" not in html
    page = Reader(html)
    assert "script" not in page.tags
    assert EVIL in page.text


def test_files(make_study, tmp_path) -> None:
    study = make_study()
    written = write_importance_report(study, tmp_path / "a")
    names = ["correlations", "scatters", "gradient-norms"]
    assert [path.name for path in written.figures] == [f"{name}.{kind}" for name in names for kind in ("png", "svg")]
    again = write_importance_report(study, tmp_path / "b")
    for one, other in zip(
        (written.page, *written.figures, *written.tables), (again.page, *again.figures, *again.tables), strict=True
    ):
        assert one.read_bytes() == other.read_bytes(), one.name
    assert {path.stem for path in written.tables} == set(COLUMNS)
    with (tmp_path / "a" / "tables" / "correlations.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5
    assert {name: rows[0][name] for name in ("setting", "unit", "epoch", "seeds", "correlation_mean")} == {
        "setting": "one", "unit": "channels", "epoch": "1", "seeds": "2", "correlation_mean": "0.125",
    }  # fmt: skip
    with (tmp_path / "a" / "tables" / "points.csv").open(encoding="utf-8") as file:
        points = list(csv.DictReader(file))
    assert [(point["epoch"], point["first"], point["second"]) for point in points] == [
        ("0", "0.1", "1.0"), ("0", "-0.2", "-1.0"), ("5", "0.1", "2.0"), ("5", "0.3", "4.0"),
    ]  # fmt: skip


def test_several_settings_have_numbered_figures(make_study, tmp_path) -> None:
    study = make_study()
    runs = [*study.runs, *(replace(run, setting="two", log=[]) for run in study.runs)]
    written = write_importance_report(replace(study, runs=runs), tmp_path)
    assert [path.name for path in written.figures][::2] == [
        "correlations-1.png",
        "scatters-1.png",
        "gradient-norms-1.png",
    ]
    assert "two" in written.page.read_text(encoding="utf-8")


@pytest.mark.parametrize("done", [True, False])
def test_tables_have_their_columns(make_study, done) -> None:
    study = make_study()
    if not done:
        study = replace(study, runs=[replace(run, summary={}, log=[], scatters={}) for run in study.runs])
    made = tables(study, find_importance(study))
    assert all(tuple(row) == COLUMNS[name] for name, rows in made.items() for row in rows)
    assert len(made["runs"]) == 2
    assert len(made["gradient_norms"]) == (15 if done else 0)
    assert ("No result yet" in render_importance(study)) != done


def test_layers_of_many_blocks_are_told_apart(make_study) -> None:
    """A panel for each width, and a line style for each place in a block."""
    names = [f"blocks.{place // 2}.conv{place % 2 + 1}.weight" for place in range(20)]
    many = {"layers": names, "widths": [16] * 10 + [32] * 10, "looked_at": names}
    log = [{"epoch": epoch, "gradient_norms": [10.0**-epoch] * 20} for epoch in (1, 2, 3)]
    study = make_study()
    (found,) = find_importance(
        replace(study, runs=[replace(study.runs[0], log=log, summary={**study.runs[0].summary, **many})])
    )
    first, second = norms(found)
    assert (first.title, second.title) == ("layers of 16 units", "layers of 32 units")
    axes = sheet([first]).axes[0]
    assert axes.get_yscale() == "log"
    assert len({line.get_linestyle() for line in axes.lines}) == 2
    assert len({line.get_color() for line in axes.lines}) == 10
    assert [handle.get_label() for handle in first.draw(axes)] == ["first layer", "last layer", "conv1", "conv2"]


def test_what_is_printed(make_study) -> None:
    console = Console(file=io.StringIO(), width=100)
    show_importance(make_study(), console)
    assert isinstance(console.file, io.StringIO)
    said = plain(console.file.getvalue())
    for wanted in ("one", "filters", "0.12 ± 0.18", "0.62 ± 0.18", "0.03", "as P3"):
        assert wanted in said
