"""Copies in the CSV files, on the page and in the terminal."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest
from rich.console import Console

from made_copies import every, study
from pages import Reader, plain
from secateurs.report.tickets import DENSE, find_tickets, render_tickets, show_tickets, tables
from secateurs.report.tickets.copies_tables import TABLES
from secateurs.report.tickets.figures import drawn
from secateurs.report.tickets.tables import write_tables


def test_every_pair_is_a_row() -> None:
    made = study(names=((DENSE, 0), ("IMP", 1)))
    rows = tables(find_tickets(made))["copies"]
    assert len(rows) == 2 * 3 * 3 * 3 * 2, "networks, k, seeds, pairs, parts"
    first = rows[0]
    assert (first["ticket"], first["rewind"], first["step"], first["seed"]) == (DENSE, "0ep", 0, 0)
    assert (first["first_order_seed"], first["second_order_seed"], first["part"]) == (1, 2, "train")
    assert (first["until"], first["instability"], first["l2"], first["differing"]) == ("10ep", 0.5, 5.0, 14.0)


def test_every_point_between_two_copies_is_a_row() -> None:
    rows = tables(find_tickets(study(seeds=1, rewind=("0ep",), names=(("IMP", 1),))))["interpolation"]
    assert len(rows) == 3 * 2 * 3, "pairs, parts, points"
    assert [(row["alpha"], round(float(row["error"]), 3)) for row in rows[:3]] == [
        (0.0, 0.08),
        (0.5, 0.48),
        (1.0, 0.08),
    ]
    assert [row["loss"] for row in rows[:3]] == [0.3, 0.8, 0.3]


def test_means_at_each_k() -> None:
    made = study(names=((DENSE, 0),))
    made = dataclasses.replace(made, copies=[*made.copies, *every(3, ("0ep",), [(DENSE, 0)], after="replay")])
    rows = tables(find_tickets(made))["instability"]
    assert [(row["after"], row["part"], row["step"], row["pairs"]) for row in rows] == [
        *[("continue", part, step, 9) for part in ("train", "test") for step in (0, 50, 200)],
        *[("replay", part, 0, 9) for part in ("train", "test")],
    ]
    assert rows[1]["instability_mean"] == pytest.approx(0.61 / 3)
    assert (rows[1]["instability_lowest"], rows[1]["instability_highest"]) == (0.01, 0.3)


def test_medians_and_counts_of_seeds() -> None:
    rows = tables(find_tickets(study()))["stability"]
    by = {(row["ticket"], row["level"]): row for row in rows}
    own = by["IMP", 2]
    assert (own["seeds"], own["moments"]) == (3, 3)
    assert [own[f"stable_train_{each}"] for each in ("judged", "seeds", "median_step")] == [3, 1, "never"]
    assert [own[f"matching_{each}"] for each in ("judged", "seeds", "median_step")] == [3, 3, 200]
    assert by[DENSE, 0]["stable_train_median_step"] == 200
    # Dense networks have nothing to match: that is not the same as never.
    assert [by[DENSE, 0][f"matching_{each}"] for each in ("judged", "seeds", "median_step")] == [0, None, None]


def test_rows_along_training_are_apart() -> None:
    made = study(
        names=((DENSE, 0),), copies=[], throughout=list(every(1, ("0ep",), [(DENSE, 0)], untils=("1ep", "2ep")))
    )
    found = tables(find_tickets(made))
    assert found["copies"] == []
    assert sorted({row["until"] for row in found["throughout"]}) == ["1ep", "2ep"]


def test_files_have_the_columns_of_the_rows(tmp_path) -> None:
    found = find_tickets(study(throughout=list(every(1, ("0ep",), [("IMP", 1)]))))
    write_tables(found, tmp_path)
    for name, table in TABLES.items():
        rows = tables(found)[name]
        assert rows
        assert all(set(row) == set(table.columns) for row in rows)
        written = list(csv.DictReader(io.StringIO((tmp_path / f"{name}.csv").read_text())))
        assert len(written) == len(rows)


def test_a_study_without_copies_has_empty_tables() -> None:
    found = tables(find_tickets(study(copies=[])))
    assert all(found[name] == [] for name in ("copies", "throughout", "interpolation", "instability"))


def test_which_figures_there_are() -> None:
    (findings,) = find_tickets(study(throughout=list(every(1, ("0ep",), [("IMP", 1)]))))
    names = [figure.name for figure in drawn(findings)]
    every_one = [
        "interpolation",
        "instability",
        "throughout",
        "errors",
        "matching",
        "distances",
        "rewinding",
        "lengths",
    ]
    assert [name for name in names if name in every_one] == every_one
    (one,) = find_tickets(study(seeds=1, rewind=("0ep",), names=((DENSE, 0),)))
    assert [figure.name for figure in drawn(one)] == ["interpolation", "instability", "distances", "lengths"]


def test_page_and_terminal_say_what_was_found() -> None:
    made = study(seeds=2, names=((DENSE, 0), ("IMP", 1)), rewind=("0ep", "50it"))
    reader = Reader(render_tickets(made))
    told = io.StringIO()
    show_tickets(made, Console(width=200, file=told))
    for text in (reader.text, told.getvalue()):
        assert "The dense networks are stable at none of these k, as on test data." in plain(text)
        assert "IMP, 50 % of weights: stable from k = 50 on (5.0 % of training), on test data at none" in plain(text)
    (alt,) = [alt for name, alt in reader.attributes if name == "alt" and "50 % of weights, train" in plain(alt)][-1:]
    assert "Dense: 5.5. IMP: 8.5 at k = 0, 5.6 at k = 50." in plain(alt)
    assert "From which k on networks are stable and match" in reader.text
