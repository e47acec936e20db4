"""Instability in the report: moment by moment, in words, on the page and in a table."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from secateurs.report import InstabilityRun, Study, find
from secateurs.report.instability import at_moments, sentence
from secateurs.report.page import render
from secateurs.report.tables import tables, write_tables


def summary(value: float) -> dict[str, float | bool]:
    return {"train_instability": value, "stable": value < 0.02}


def runs(*values: tuple[float, int, float | None]) -> list[InstabilityRun]:
    return [
        InstabilityRun(seed, "s", f"{epoch:g}ep", epoch, {} if value is None else summary(value))
        for epoch, seed, value in values
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], None),
        ([(0, 0, None)], None),
        (
            [(0, 0, 0.5)],
            "At epoch 0: the last of these does not find the network stable to SGD noise on the only",
        ),
        (
            [(0, 0, 0.01), (0, 1, 0.0), (2, 0, 0.3), (2, 1, 0.0), (4, 0, 0.019), (4, 1, 0.0)],
            "Of the epochs 0, 2 and 4, the network is stable to SGD noise on both seeds from epoch 4 on.",
        ),
        ([(0, 0, 0.5), (2, 0, 0.02)], "At epochs 0 and 2: the last of these does not find the network stable"),
    ],
)
def test_the_sentence(given: list[tuple[float, int, float | None]], told: str | None) -> None:
    said = sentence(at_moments(runs(*given)))
    assert said is None if told is None else said is not None and said.startswith(told)


def test_moments_are_means_over_seeds_and_lost_runs_do_not_count() -> None:
    found = at_moments(runs((4, 0, 0.01), (4, 1, 0.05), (4, 2, None), (0, 0, 0.25)))
    assert [each.epoch for each in found] == [0, 4]
    assert found[1].train is not None
    assert (found[1].train.mean, found[1].stable, found[1].seeds) == (pytest.approx(0.03), 1, 2)


def test_page_and_table(several: Study, tmp_path: Path) -> None:
    study = several
    setting = study.dense[0].setting
    measured = [replace(run, setting=setting) for run in runs((0, 0, 0.31), (4, 0, 0.01))]
    with_noise = replace(study, instability=measured)
    page = render(with_noise)
    assert "When is the network stable to SGD noise?" in page
    assert "31.0" in page
    assert "When is the network stable" not in render(study)
    rows = tables(with_noise, find(with_noise))["instability"]
    assert [(row["epoch"], row["train_instability"]) for row in rows] == [(0, 0.31), (4, 0.01)]
    assert (tmp_path / "instability.csv") in write_tables(with_noise, find(with_noise), tmp_path)
