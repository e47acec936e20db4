"""Energy beside jobs: readings add up, several workers share, sums and shares are exact."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from secateurs.measure.costs import Emissions, Meter, metering

ONE = Emissions(
    kilowatt_hours=0.4,
    kilograms=0.2,
    seconds=60.0,
    cpu_kilowatt_hours=0.2,
    gpu_kilowatt_hours=0.1,
    memory_kilowatt_hours=0.1,
    estimated=False,
    basis="processor: measured (RAPL); GPU: measured; memory: estimated",
    grid="the mix of Germany",
    tool="CodeCarbon 3",
)
ESTIMATED = replace(ONE, estimated=True, basis="processor: estimated from its load and rated power; GPU: none")


def test_two_together() -> None:
    both = ONE + replace(ONE, kilograms=1.0, estimated=True, tool="CodeCarbon 4")
    assert (both.kilowatt_hours, both.kilograms, both.seconds) == (0.8, 1.2, 120.0)
    assert both.estimated
    assert (both.grid, both.tool) == ("the mix of Germany", "CodeCarbon 3 | CodeCarbon 4")
    assert (both + ONE).tool == both.tool


def test_a_share_is_one_of_everything() -> None:
    assert ONE.share(1.0) == ONE
    half = ONE.share(0.5)
    assert half + half == ONE
    without = ONE.share(1.0, processor=0.5, gpu=0.0)
    assert without.kilowatt_hours == pytest.approx(0.2)
    assert without.kilograms == pytest.approx(0.1), "CO2eq goes with the energy"
    assert replace(ONE, kilowatt_hours=0.0).share(1.0, processor=1.0).kilograms == 0.0
    assert Emissions(**ONE.to_json()) == ONE


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What each block of emissions was asked for; each takes ``ESTIMATED`` or what ``found`` says."""
    asked: list[dict[str, Any]] = []

    @contextmanager
    def pretended(country: str | None = None, **options: Any) -> Iterator[Meter]:
        meter = Meter()
        asked.append({"country": country, **options, "found": ESTIMATED})
        now = asked[-1]
        yield meter
        meter._found = now["found"]

    monkeypatch.setattr(metering, "emissions", pretended)
    return asked


def test_readings_add_up(blocks: list[dict[str, Any]]) -> None:
    with metering.energy_of_job("cpu", 1, 1, country="DEU") as reading:
        assert reading()["kilowatt_hours"] == pytest.approx(0.4)
        assert reading()["kilowatt_hours"] == pytest.approx(0.8)
    assert len(blocks) == 3, "a reading ends a block and begins the next"
    assert all(block["country"] == "DEU" and block["whole_machine"] and block["gpus"] is None for block in blocks)


def test_a_block_that_raises_is_ended(blocks: list[dict[str, Any]]) -> None:
    with pytest.raises(KeyboardInterrupt), metering.energy_of_job("cpu", 1, 1):
        raise KeyboardInterrupt
    assert len(blocks) == 1


def test_of_several_workers_each_counts_its_own_load(blocks: list[dict[str, Any]]) -> None:
    with metering.energy_of_job("cpu", 4, 4) as reading:
        found = Emissions(**reading())
    assert not blocks[0]["whole_machine"]
    assert found.cpu_kilowatt_hours == pytest.approx(0.2)
    assert found.gpu_kilowatt_hours == pytest.approx(0.1 / 4)
    assert found.basis.endswith("one of several workers: its own load and 1/4 of its GPU")


def test_of_several_workers_each_has_its_part_of_what_is_measured(blocks: list[dict[str, Any]]) -> None:
    with metering.energy_of_job("cpu", 4, 2) as reading:
        blocks[0]["found"] = ONE
        found = Emissions(**reading())
    assert found.cpu_kilowatt_hours == pytest.approx(0.05)
    assert found.gpu_kilowatt_hours == pytest.approx(0.05)
    assert found.memory_kilowatt_hours == pytest.approx(0.1)
    assert found.kilowatt_hours == pytest.approx(0.2)
    assert "1/4 of the processor and 1/2 of its GPU" in found.basis
