"""The page, its files, its figures and what is printed: escaped, complete, the same each time."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest
from rich.console import Console

from pages import Reader, plain
from secateurs.report import Provenance, find_tickets, show_tickets, write_tickets_report
from secateurs.report.tickets import ReportedTicket, TicketStudy, render_tickets, summary, tables
from secateurs.report.tickets.accuracy import against_remaining, at_best_moment, near_dense
from secateurs.report.tickets.figures import drawn
from secateurs.report.tickets.grids import overall
from secateurs.report.tickets.speed import least_dilations
from secateurs.report.tickets.tables import TABLES
from secateurs.report.tickets.training import over_training
from secateurs.report.words import NOTHING

from .conftest import dilated, start

EVIL = "<script>alert('x')</script> & $x_1$"

REPORTED = (
    ReportedTicket("net", "A et al.", 0.917),
    ReportedTicket("net", "A et al.", 0.92, "IMP", 0.512, "0ep"),
)


def renamed(study: TicketStudy, names: dict[str, str], setting: str) -> TicketStudy:
    """The same study with other names of everything that somebody may name."""
    runs = [dataclasses.replace(run, setting=setting, ticket=names.get(run.ticket, run.ticket)) for run in study.runs]
    more = [
        dataclasses.replace(run, setting=setting, ticket=names.get(run.ticket, run.ticket)) for run in study.dilated
    ]
    return dataclasses.replace(
        study,
        dense=[dataclasses.replace(run, setting=setting) for run in study.dense],
        runs=runs,
        dilated=more,
        tickets={names[name]: names[name] for name in study.tickets},
        roles={names[name]: role for name, role in study.roles.items()},
        reported=[dataclasses.replace(each, setting=setting, source=setting, ticket=None) for each in study.reported],
        steps={setting: 1000},
        steps_per_epoch={setting: 100},
    )


def test_the_page_holds_everything_and_fetches_nothing(make_tickets) -> None:
    provenance = Provenance("epochs: 10", "secateurs run x", {"torch": "2.6"}, {"0": "init 0"}, {"dense": "ab12"})
    study = make_tickets(
        provenance=provenance, citation="@phdthesis{x}", notes=["A note."], figure="P2, figure 3-1", reported=REPORTED
    )
    page = Reader(render_tickets(study))
    for wanted in ("epochs: 10", "secateurs run x", "2.6", "ab12", "@phdthesis{x}", "A note.", "P2, figure 3-1"):
        assert wanted in page.text
    for wanted in ("IMP finds matching subnetworks down to 64 %", "A et al.: IMP", "91.7", "what LRR is"):
        assert wanted in plain(page.text)
    assert not {"script", "link"} & set(page.tags)
    sources = [value for name, value in page.attributes if name == "src"]
    assert len(sources) == 7  # two along training, test and train, near dense, two of early stopping
    assert all(source.startswith("data:image/svg+xml;base64,") for source in sources)
    assert all(value.startswith("#") for name, value in page.attributes if name == "href")
    assert all(len(value) > 20 for name, value in page.attributes if name == "alt")
    ids = [value for name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))


def test_everything_shown_is_escaped(make_tickets) -> None:
    study = make_tickets(reported=REPORTED[:1], dilated=dilated(), look=False)
    hostile = dataclasses.replace(
        renamed(study, {name: f"{name} {EVIL}" for name in study.tickets}, EVIL),
        title=EVIL,
        notes=[EVIL],
        citation=EVIL,
        provenance=Provenance(EVIL, EVIL, {EVIL: EVIL}, {EVIL: EVIL}, {EVIL: EVIL}),
    )
    html = render_tickets(hostile)
    assert "<script" not in html
    page = Reader(html)
    assert "script" not in page.tags
    assert page.text.count(EVIL) >= 20


def test_same_study_same_bytes(make_tickets) -> None:
    study = make_tickets(seeds=2, look=False)
    assert render_tickets(study) == render_tickets(study)


def test_files_of_a_report(make_tickets, tmp_path) -> None:
    study = make_tickets(seeds=1, look=False, dilated=dilated(1), starts=[start(0, "500it")])
    written = write_tickets_report(study, tmp_path)
    assert [path.name for path in written.figures] == ["accuracy.png", "close.png", "dilation.png"]
    assert sorted(path.stem for path in written.tables) == sorted(TABLES)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "tables" / "starts.csv").read_text())))
    assert [(row["rewind"], row["step"], row["l2_from_initialisation"]) for row in rows] == [("500it", "500", "0.25")]
    made = tables(find_tickets(study))
    for name, table in TABLES.items():
        assert all(set(row) == set(table.columns) for row in made[name]), name


def test_tables_4_1_and_4_2(make_tickets) -> None:
    found = find_tickets(make_tickets(rewind=("0ep", "500it"), reported=REPORTED))
    extremes, at_start, reported = overall(found)
    assert extremes.parts[0][1][0].cells == ("1,000", "93.2 ± 0.2", "51.2", "500", "93.1 ± 0.2")
    (line,) = at_start.parts[0][1]
    assert [plain(each) for each in line.cells] == [
        *("51.2", "93.2 ± 0.2", "92.2 ± 0.2", "63.2 ± 0.2", "90.2 ± 0.2", "-1.00", "no"),
    ]
    assert [(name, lines[0].cells) for name, lines in reported.parts] == [
        ("A et al.: dense", (NOTHING, "91.7", "93.2 ± 0.2")),
        ("A et al.: IMP", ("51.2", "92.0", "92.2 ± 0.2")),
    ]
    nowhere = {("IMP", level, seed): {"test_accuracy": 0.5} for level in (1, 2, 3) for seed in range(3)}
    (only,) = overall(find_tickets(make_tickets(changed=nowhere)))
    assert only.parts[0][1][0].cells[2:] == (NOTHING, NOTHING, NOTHING)


def test_panels_of_accuracy(make_tickets) -> None:
    (found,) = find_tickets(make_tickets(rewind=("0ep", "500it")))
    titles = [plain(panel.title) for panel in against_remaining(found)]
    assert titles == ["test, k = 0", "train, k = 0", "test, k = 500", "train, k = 500"]
    assert [plain(panel.title) for panel in near_dense(found)] == [
        "test, k = 0, near dense",
        "test, k = 500, near dense",
    ]
    best, close = at_best_moment(found)
    assert "IMP, best k: 93.7 % at 80 % of weights, 93.1 % at 51.2 % of weights." in plain(best.alt)
    assert close.title == "near dense"
    (one,) = find_tickets(make_tickets())
    assert list(at_best_moment(one)) == []


@pytest.mark.parametrize("band", ["range", "deviation"])
def test_lines_are_drawn_where_they_should_be(make_tickets, band) -> None:
    from secateurs.report.canvas import new_figure

    (found,) = find_tickets(make_tickets(band=band))
    axes = new_figure(4, 3).subplots()
    panel = next(against_remaining(found))
    handles = panel.draw(axes)
    names = [str(handle.get_label()).replace("\n", " ") for handle in handles]
    assert names == [
        "dense",
        "IMP",
        "one-shot IMP",
        "LRR",
        "random re- initialisation",
        "layer-wise random",
        "global random",
    ]
    lines = {str(line.get_label()): line for line in axes.get_lines()}
    x, y = lines["IMP"].get_data()
    assert list(x) == [1.0, 0.8, 0.64, 0.512], "from dense on"
    assert list(y) == pytest.approx([93.2, 93.6, 93.3, 92.2])
    x, _ = lines["global random"].get_data()
    assert list(x) == [0.8, 0.64, 0.512], "a random mask drops nothing of the same network"
    left, right = axes.get_xlim()
    assert left > right, "weights remaining fall to the right"
    heights = [path.vertices[:, 1] for path in axes.collections[0].get_paths()]
    assert max(heights[0]) == pytest.approx(93.8), "both bands reach 0.2 points up"


def test_a_line_of_dilation_ends_where_it_never_matches(make_tickets) -> None:
    from secateurs.report.canvas import new_figure

    (found,) = find_tickets(make_tickets(dilated=dilated()))
    axes = new_figure(4, 3).subplots()
    (panel,) = least_dilations(found)
    panel.draw(axes)
    (line,) = [line for line in axes.get_lines() if line.get_label() == "IMP"]
    assert [str(round(float(each), 6)) for each in line.get_ydata()] == ["0.4", "0.6", "nan"]


def test_along_training_one_level_stands_beside_its_reinitialisation(make_tickets) -> None:
    (found,) = find_tickets(make_tickets())
    levels, pair = over_training(found)
    assert [plain(each.title) for each in (levels, pair)] == ["IMP, k = 0", "64 % of weights"], (
        "the farthest that matches"
    )
    assert "IMP, 64 % of weights 93.3 %, random re-initialisation, 64 % of weights 92.7 %" in plain(pair.alt)
    (none,) = find_tickets(make_tickets(look=False))
    assert [each.name for each in drawn(none)] == ["accuracy", "close"]


def test_an_unfinished_study_has_a_page(make_tickets, tmp_path) -> None:
    study = make_tickets()
    nothing = [dataclasses.replace(run, summary={}, mask={}, rows=()) for run in study.runs]
    dense = [dataclasses.replace(run, summary={}) for run in study.dense]
    written = write_tickets_report(dataclasses.replace(study, runs=nothing, dense=dense), tmp_path)
    assert written.figures == ()
    text = Reader(written.page.read_text(encoding="utf-8")).text
    assert "No pruned network has a result yet" in text
    assert "and 51 more, in the table of runs" in text
    half = [run if run.seed == 0 and run.level < 2 else bare for run, bare in zip(study.runs, nothing, strict=True)]
    (found,) = find_tickets(dataclasses.replace(study, runs=half))
    wanted = "IMP matches down to 80 % of weights, with no result yet at the next level"
    assert wanted in plain(" ".join(summary(found)))
    assert all(panel.alt for each in drawn(found) for panel in each.panels)


def test_one_seed_and_tickets_without_a_role(make_tickets) -> None:
    html = Reader(render_tickets(make_tickets(seeds=1, roles={}, look=False))).text
    assert "One seed: there is no spread" in html
    assert "IMP finds" not in html, "nothing is known to be IMP"


def test_a_study_of_dense_networks_alone_waits_for_no_ticket(make_tickets) -> None:
    study = make_tickets()
    bare = dataclasses.replace(study, runs=[run for run in study.runs if run.level == 0], tickets={}, roles={})
    page = Reader(render_tickets(bare)).text
    assert "Nothing is pruned here." in page
    assert "The dense networks reach" in page
    for other in ("No pruned network", "The tickets"):
        assert other not in page


def test_what_is_printed(make_tickets) -> None:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    study = make_tickets(
        rewind=("0ep", "500it"), changed={("global random", 3, s): {"diverged": "1ep"} for s in range(3)}
    )
    show_tickets(study, console)
    text = plain(console.file.getvalue())
    wanted = "from k = 0 (the earliest of 2 rewinding moments; the other is in the report). *: it matches, in the mean"
    assert f"Test accuracy, %, {wanted}" in " ".join(text.split())
    assert any(line.split()[:4] == ["dense", "93.2", "±", "0.2"] for line in text.splitlines())
    for wanted in ("93.6 ± 0.2 *", "diverged", "layer-wise random", "IMP: matches down to 64 %"):
        assert wanted in text
    other = renamed(study, {name: name for name in study.tickets}, "other")
    both = dataclasses.replace(
        study,
        dense=[*study.dense, *other.dense],
        runs=[*study.runs, *other.runs],
        steps={"net": 1000, "other": 1000},
        steps_per_epoch={"net": 100, "other": 100},
    )
    console = Console(file=io.StringIO(), width=100, color_system=None)
    show_tickets(both, console)
    assert "The most extreme matching level" in console.file.getvalue()


def test_what_is_printed_of_others_and_of_moments_of_their_own(make_tickets) -> None:
    study = make_tickets(rewind=("0ep", "500it"), without=[("IMP", "0ep")], reported=REPORTED)
    other = renamed(study, {name: name for name in study.tickets}, "other")
    both = dataclasses.replace(
        study,
        dense=[*study.dense, *other.dense],
        runs=[*study.runs, *other.runs],
        reported=[*study.reported, *other.reported],
        steps={"net": 1000, "other": 1000},
        steps_per_epoch={"net": 100, "other": 100},
    )
    console = Console(file=io.StringIO(), width=100, color_system=None)
    show_tickets(both, console)
    text = plain(console.file.getvalue())
    for wanted in ("A et al.: dense", "A et al.: IMP", "other: dense", "k = 500 (IMP)"):
        assert wanted in text, wanted
    (row,) = {line for line in text.splitlines() if line.split()[:2] == ["51.2", "93.1"]}
    assert row.split()[1:5] == ["93.1", "±", "0.2", "*"], "IMP from its own earliest moment"
