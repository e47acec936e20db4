"""Tables: fixed columns, every digit kept, clocks only in columns named so."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest

from secateurs.report import COLUMNS, InstabilityRun, columns_of, find, tables, to_csv, write_tables


def test_every_row_has_exactly_the_columns(several) -> None:
    noise = InstabilityRun(0, several.dense[0].setting, "4ep", 4.0, {"train_instability": 0.25, "stable": False})
    several = dataclasses.replace(several, instability=[noise])
    made, columns = tables(several, find(several)), columns_of(several)
    assert set(made) == set(columns) == {"overview", *COLUMNS}
    for name, rows in made.items():
        assert rows, name
        for row in rows:
            assert set(row) == set(columns[name]), name


def test_csv_keeps_every_digit(make_study, tmp_path) -> None:
    study = make_study()
    files = write_tables(study, find(study), tmp_path)
    assert sorted(path.stem for path in files) == sorted(columns_of(study))
    rows = list(csv.DictReader(io.StringIO((tmp_path / "runs.csv").read_text())))
    assert len(rows) == len(study.dense) + len(study.pruned)
    assert float(rows[3]["validation_accuracy"]) == study.pruned[0].summary["validation_accuracy"]
    assert rows[0]["moment"] == ""


def test_only_columns_named_seconds_follow_the_clock(make_study) -> None:
    study = make_study()
    slow = dataclasses.replace(
        study,
        dense=[
            dataclasses.replace(
                run,
                summary={**run.summary, "seconds": 99.0},
                log=[{**row, "seconds/fisher_trace": 7.0} for row in run.log],
            )
            for run in study.dense
        ],
        pruned=[dataclasses.replace(run, summary={**run.summary, "seconds": 98.0}) for run in study.pruned],
    )
    for name, columns in columns_of(study).items():
        timeless = [column for column in columns if not column.startswith("seconds")]
        first, second = (
            [{column: row[column] for column in timeless} for row in tables(s, find(s))[name]] for s in (study, slow)
        )
        assert first == second


def test_an_unknown_column_is_refused() -> None:
    with pytest.raises(ValueError, match="not in fieldnames"):
        to_csv([{"a": 1, "z": 2}], ["a"])


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1+1", "-x", "@SUM(A1)", "\tx", "-"])
def test_text_that_a_spreadsheet_would_run_is_made_inert(text: str) -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([{"a": text}], ["a"]), newline=""))
    assert row["a"] == f"'{text}"


@pytest.mark.parametrize(
    ("value", "said"), [(-0.5, "-0.5"), ("-1e-3", "-1e-3"), ("+2", "+2"), ("a=b", "a=b"), ("", "")]
)
def test_numbers_and_other_text_stay_as_they_are(value: object, said: str) -> None:
    (row,) = csv.DictReader(io.StringIO(to_csv([{"a": value, "b": 1}], ["a", "b"])))
    assert row["a"] == said
