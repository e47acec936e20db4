"""P1's tables: what they show, in which units, what is marked, what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from secateurs.core import DataError
from secateurs.report.costs import (
    COST_COLUMNS,
    LAYOUT,
    MEASURES,
    Costed,
    against_of,
    cost_columns,
    cost_table,
    trade_off,
    trade_off_alt,
    trade_off_caption,
)
from secateurs.report.costs.measures import digits
from secateurs.report.words import NOTHING, SPACE

MakeCosts = Callable[..., dict[str, Any]]
FULL: dict[str, Any] = {
    "weight_sparsity": 0.0,
    "node_sparsity": 0.0,
    "multiply_adds": 2_000_000,
    "bytes_csr": 8_000_000,
}


def column(table: Any, head: str) -> list[str]:
    (place,) = [place for place, known in enumerate(table.heads) if known.startswith(head)]
    return [line.cells[place].text.replace(SPACE, " ") for line in table.lines]


def marks(table: Any, head: str) -> list[str]:
    (place,) = [place for place, known in enumerate(table.heads) if known.startswith(head)]
    return [line.cells[place].mark for line in table.lines]


@pytest.fixture
def rows(costs: MakeCosts, emissions: dict[str, Any]) -> list[Costed]:
    """The dense network, three ways to remove channels, two masks."""
    dense = costs(0.3, None, **FULL, seconds=180.0, bytes_peak=2_000_000, emissions=emissions)
    return [
        Costed("dense", [0.91, 0.93], [dense, dense], dense=True),
        Costed("early", [0.92, 0.90], [costs(0.1, 0.4, bytes_peak=500_000)], "structured"),
        Costed("at once", [0.85], [costs(0.12, 0.4, seconds=60.0, bytes_peak=600_000)], "structured"),
        Costed("chance", [0.80], [costs(0.12, 0.4, bytes_peak=500_000)], "structured"),
        Costed("mask", [0.94], [costs(0.2, 0.2, bytes_peak=2_000_000)], "unstructured"),
        Costed("lost", [None], [{}], "unstructured"),
    ]


def test_units_dashes_and_ratios(rows: list[Costed]) -> None:
    table = cost_table(rows)
    assert column(table, "Test accuracy, % ↑") == ["92.0 ± 1.4", "91.0 ± 1.4", "85.0", "80.0", "94.0", NOTHING]
    assert column(table, "Weight sparsity, %") == ["0.0", "90.0", "90.0", "90.0", "90.0", NOTHING]
    assert column(table, "Training time, min ↓") == ["3.00", "1.50", "1.00", "1.50", "1.50", NOTHING]
    assert column(table, "Disk, MB") == ["4.00", "0.800", "0.800", "0.800", "0.800", NOTHING]
    assert column(table, "CO2eq, g") == ["50.0", *[NOTHING] * 5]
    assert column(table, "Multiply-adds, million") == ["2.00", "0.150", "0.150", "0.150", "0.150", NOTHING]
    assert table.kinds == ("", "structured", "unstructured")


def test_the_dense_batch_is_the_one_that_was_timed_in_turn(rows: list[Costed]) -> None:
    dense, *others = column(cost_table(rows), "Batch time over dense (ms)")
    assert dense == "1.00× (350)", "the mean of those beside the four others, not its own job's 300"  # noqa: RUF001
    assert others == ["0.25× (100)", "0.30× (120)", "0.30× (120)", "1.00× (200)", NOTHING]  # noqa: RUF001
    alone = [row for row in rows if row.dense]
    assert column(cost_table(alone), "Batch time, ms") == ["300"]


def test_the_best_of_each_kind_and_the_second(rows: list[Costed]) -> None:
    table = cost_table(rows)
    assert marks(table, "Test accuracy") == ["", "best", "second", "", "", ""]
    assert marks(table, "Training time") == [""] * 6, "of fewer than three seeds no time is marked"
    assert marks(table, "Batch time") == [""] * 6
    assert marks(table, "Peak memory") == ["", "best", "", "best", "", ""], "what is alike is marked alike"
    assert marks(table, "Weight sparsity") == [""] * 6, "neither end of it is better"
    assert marks(table, "Disk") == [""] * 6, "all alike: nothing is best"
    assert table.marks
    assert not cost_table(rows, marked=False).marks


def test_times_are_marked_as_they_are_printed(costs: MakeCosts) -> None:
    def row(name: str, *times: float) -> Costed:
        known = [costs(time, 1.0, seconds=100 * time) for time in times]
        return Costed(name, [0.9] * len(times), known)

    table = cost_table([row("a", 0.20, 0.21, 0.22), row("b", 0.50, 0.51, 0.52), row("c", 0.511, 0.521, 0.531)])
    assert marks(table, "Batch time over dense") == ["best", "", ""], "closer than they spread: alike"
    assert marks(table, "Training time") == ["best", "", ""]
    noisy = cost_table([row("a", 0.2, 0.5, 0.9), row("b", 0.5, 0.6, 0.7)])
    assert marks(noisy, "Training time") == ["", ""]
    against = against_of([row("a", 0.2), row("b", 0.3)])
    assert against == "batch_ratio"
    assert trade_off([row("a", 0.2), row("b", 0.3)]).axes[0].get_xlabel().startswith("batch time over dense")


def test_a_line_with_a_seed_that_diverged_is_not_marked(rows: list[Costed]) -> None:
    some = [replace(row, judged=row.name != "early") for row in rows]
    table = cost_table(some)
    assert marks(table, "Test accuracy") == ["", "", "best", "", "", ""], "the best of those that are judged"
    assert marks(table, "Peak memory") == ["", "", "", "best", "", ""]


def test_what_is_not_known_of_anyone_has_no_column_but_a_remedy(costs: MakeCosts) -> None:
    table = cost_table([Costed("dense", [0.9], [costs()], dense=True), Costed("mask", [0.8], [costs()])])
    assert not [head for head in table.heads if head.startswith(("Batch", "Peak", "CO2"))]
    said = " ".join(table.notes)
    assert "Not measured: batch time (costs.repeats=20), peak memory (costs.memory=true) and CO2eq" in said
    assert cost_table([]).lines == ()


def test_the_notes_say_what_was_measured_and_how(rows: list[Costed]) -> None:
    said = " ".join(cost_table(rows).notes)
    assert "over 128 examples on the CPU, median of 20, processor time" in said
    assert "CodeCarbon 3; processor: a guess; the mix of Germany. An estimate" in said
    assert "Not measured" not in said


@pytest.mark.parametrize("name", LAYOUT)
def test_nothing_is_known_of_nothing(name: str) -> None:
    assert MEASURES[name].value({}) is None


def test_digits() -> None:
    assert [digits(value) for value in (999.96, 99.96, 9.996, 0.0005, -2.0)] == [
        "1,000",
        "100",
        "10.0",
        f"<{SPACE}0.001",
        "-2.00",
    ]


def test_every_number_has_a_column(costs: MakeCosts, emissions: dict[str, Any]) -> None:
    row = cost_columns(costs(0.1, 0.4, emissions=emissions, density_area=2.5, training_flops=1e9))
    assert tuple(row) == COST_COLUMNS or set(row) == set(COST_COLUMNS)
    assert (row["seconds_batch"], row["seconds_batch_ratio"], row["kilograms_co2eq"]) == (0.1, 0.25, 0.05)
    assert (row["density_area"], row["training_flops"], row["energy_estimated"]) == (2.5, 1e9, True)
    assert set(cost_columns({}).values()) == {None}
    assert set(cost_columns({})) == set(COST_COLUMNS)


def test_what_a_trade_off_is_drawn_against(rows: list[Costed], costs: MakeCosts) -> None:
    assert against_of(rows) == "memory"
    assert against_of([Costed(str(i), [0.5], [costs(0.1)]) for i in range(2)]) == "batch"
    assert against_of([Costed(str(i), [0.5], [costs()]) for i in range(2)]) == "seconds"
    assert against_of([Costed("one", [0.5], [costs()]), Costed("lost", [None], [costs()])]) is None


def test_the_trade_off(rows: list[Costed]) -> None:
    figure = trade_off(rows)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "peak memory, MB"
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert sorted(labels) == sorted(["dense", "early", "at once", "chance", "mask"])
    assert trade_off(rows, "seconds").axes[0].get_xlabel() == "training time, min"
    alt = trade_off_alt(rows, "memory").replace(SPACE, " ")
    assert "early 91.0 ± 1.4 % at 500 kB" in alt
    assert "lost" not in alt
    assert "bar of one standard deviation" in trade_off_caption("memory", 2)


def test_a_trade_off_of_nothing_is_refused(rows: list[Costed]) -> None:
    with pytest.raises(DataError, match="co2eq was not measured"):
        trade_off(rows[1:], "emissions")
    with pytest.raises(DataError, match="any of memory, batch_ratio, batch, seconds, disk"):
        trade_off([])
