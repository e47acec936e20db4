"""The costs section of a study of early periods."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from secateurs.report import Study, find, render, tables
from secateurs.report.early_costs import costed, sentences, table
from secateurs.report.words import SPACE

MakeCosts = Callable[..., dict[str, Any]]
FULL: dict[str, Any] = {"weight_sparsity": 0.0, "multiply_adds": 2_000_000, "bytes_csr": 8_000_000}


@pytest.fixture
def study(make_study: Callable[..., Study], costs: MakeCosts) -> Study:
    """With what everything cost; a trigger's run also its signals."""
    plain = make_study()
    whole = costs(0.5, None, **FULL, seconds=100.0, seconds_signals=0.0, seconds_scoring=0.0, bytes_peak=9000)
    part = costs(0.1, 0.4, seconds=60.0, seconds_signals=0.0, seconds_scoring=2.0, bytes_peak=3000)
    watched = {**part, "seconds": 75.0, "seconds_signals": 15.0}
    return dataclasses.replace(
        plain,
        dense=[dataclasses.replace(run, summary={**run.summary, "costs": whole}) for run in plain.dense],
        pruned=[
            dataclasses.replace(run, costs={who: part if who == "grid" else watched for who in run.chosen_by})
            for run in plain.pruned
        ],
    )


def test_the_dense_network_each_moment_and_each_trigger(study: Study) -> None:
    (found,) = find(study)
    rows = costed(found)
    assert [row.name for row in rows] == ["dense", "epoch 0", "epoch 4, best", "epoch 8", "peak"]
    assert [row.chosen for row in rows] == [False, False, True, False, False]
    made = table(found)
    assert made is not None
    seconds = [line.cells[made.heads.index("Training time, min ↓")].text for line in made.lines]
    assert seconds == ["1.67", "1.00", "1.00", "1.00", "1.25"]
    assert not made.marks


def test_what_is_said(study: Study) -> None:
    (found,) = find(study)
    (said,) = (each.replace(SPACE, " ") for each in sentences(found))
    assert "takes 1.00 min to train (dense: 1.67 min, 0.60×)" in said  # noqa: RUF001
    assert "800 kB on disk (dense: 4.00 MB, 0.20×)" in said  # noqa: RUF001
    assert "A batch takes 0.25 times as long" in said
    assert "3.00 kB of memory at its peak, the dense network's 9.00 kB" in said


def test_the_page_has_it(study: Study) -> None:
    page = render(study)
    assert "What it costs" in page
    assert "What the columns are" in page
    assert "pruned where a trigger fired" in page


def test_a_study_without_costs_has_no_such_section(make_study: Callable[..., Study]) -> None:
    study = make_study()
    (found,) = find(study)
    assert table(found) is None
    assert sentences(found) == []
    assert "What it costs" not in render(study)


def test_the_table_has_a_row_for_each_reason_to_prune(study: Study) -> None:
    rows = tables(study, find(study))["costs"]
    assert len(rows) == 3 + 3 * 3 + 3, "dense, grid, and the trigger on each seed"
    assert {row["seconds"] for row in rows if row["chosen_by"] == "peak"} == {75.0}
    assert {row["seconds"] for row in rows if row["chosen_by"] == "grid"} == {60.0}
    assert {row["multiply_adds"] for row in rows if row["chosen_by"] == "dense"} == {2_000_000}
