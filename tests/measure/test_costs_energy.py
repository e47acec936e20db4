"""Energy and CO2eq with a tracker that only pretends; the real one is an extra."""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import asdict
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from secateurs.core import MeasureError
from secateurs.measure import emissions
from toys import BrokenError


class CPU:
    def __init__(self, mode: str) -> None:
        self._mode = mode


class RAM:
    pass


class GPU:
    pass


class Tracker:
    """What CodeCarbon's does, as far as it is used."""

    made: Any = None
    starts = True
    hardware: tuple[Any, ...] = (RAM(), CPU("cpu_load"))

    def __init__(self, **options: Any) -> None:
        type(self).made = self
        self.options, self.stopped, self._start_time, self._hardware = options, False, None, self.hardware
        logging.getLogger("codecarbon").setLevel("CRITICAL")

    def start(self) -> None:
        self._start_time = 1.0 if self.starts else None

    def stop(self) -> None:
        self.stopped = True
        country = {"DEU": "Germany"}.get(self.options["country_iso_code"])
        self.final_emissions_data = SimpleNamespace(
            energy_consumed=0.5,
            emissions=0.2,
            duration=60.0,
            cpu_energy=0.3,
            gpu_energy=0.1,
            ram_energy=0.1,
            country_name=country,
            codecarbon_version="3.3.2",
        )


@pytest.fixture
def tracker(monkeypatch: pytest.MonkeyPatch) -> type[Tracker]:
    class Fresh(Tracker):
        pass

    package, inputs = ModuleType("codecarbon"), ModuleType("codecarbon.input")
    package.OfflineEmissionsTracker = Fresh  # type: ignore[attr-defined]
    inputs.DataSource = lambda: SimpleNamespace(  # type: ignore[attr-defined]
        get_global_energy_mix_data=lambda: {"DEU": {"country_name": "Germany"}}
    )
    monkeypatch.setitem(sys.modules, "codecarbon", package)
    monkeypatch.setitem(sys.modules, "codecarbon.input", inputs)
    return Fresh


def test_what_the_tracker_found(tracker: type[Tracker]) -> None:
    with emissions("DEU") as meter:
        with pytest.raises(MeasureError, match="has not ended"):
            _ = meter.result
        assert not tracker.made.stopped
    found = meter.result
    assert (found.kilowatt_hours, found.kilograms, found.seconds) == (0.5, 0.2, 60.0)
    assert (found.cpu_kilowatt_hours, found.gpu_kilowatt_hours, found.memory_kilowatt_hours) == (0.3, 0.1, 0.1)
    assert found.estimated
    assert found.basis == "processor: estimated from its load and rated power; GPU: none; memory: estimated"
    assert (found.grid, found.tool) == ("the mix of Germany", "CodeCarbon 3.3.2")
    assert str(found).startswith("0.5 kWh and 200 g of CO2eq in 60 s (CodeCarbon 3.3.2; processor: estimated")
    json.dumps(asdict(found), allow_nan=False)


def test_nothing_goes_out_and_nothing_is_written(tracker: type[Tracker]) -> None:
    with emissions("DEU", whole_machine=False, every=5):
        pass
    given = tracker.made.options
    assert given["output_methods"] == []
    assert given["emissions_endpoint"] is given["electricitymaps_api_token"] is given["cloud_provider"] is None
    assert given["allow_multiple_runs"], "its lock is a file"
    assert (given["tracking_mode"], given["measure_power_secs"]) == ("process", 5)


def test_its_logger_is_quiet_meanwhile_and_left_as_it_was(tracker: type[Tracker]) -> None:
    logger = logging.getLogger("codecarbon")
    logger.setLevel(logging.INFO)
    with emissions():
        assert logger.level == logging.CRITICAL
    assert logger.level == logging.INFO


@pytest.mark.parametrize(
    ("hardware", "estimated", "told"),
    [
        ((CPU("intel_rapl"), GPU()), False, "processor: measured (RAPL); GPU: measured (its own counter)"),
        ((CPU("constant"),), True, "constant share"),
        ((CPU("something_new"),), True, "by something_new means"),
        ((), True, "by unknown means"),
    ],
)
def test_it_says_what_it_rests_on(tracker: type[Tracker], hardware: Any, estimated: bool, told: str) -> None:
    tracker.hardware = hardware
    with emissions() as meter:
        pass
    assert meter.result.estimated is estimated
    assert told in meter.result.basis
    assert meter.result.grid == "the world's average mix"


def test_an_intensity_in_place_of_a_country(tracker: type[Tracker]) -> None:
    with emissions(intensity=35) as meter:
        pass
    assert tracker.made.options["force_carbon_intensity_g_co2e_kwh"] == 35
    assert meter.result.grid == "35 g of CO2eq for a kWh"


def test_a_block_that_raises_is_measured_as_well(tracker: type[Tracker]) -> None:
    with pytest.raises(BrokenError), emissions() as meter:
        raise BrokenError
    assert tracker.made.stopped
    assert meter.result.kilowatt_hours == 0.5


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"country": "Germany"}, "no country 'Germany': give an ISO code of three"),
        ({"country": "DEU", "intensity": 3.0}, "a country or an intensity"),
        ({"intensity": -1.0}, "a country or an intensity"),
    ],
)
def test_refused(tracker: type[Tracker], given: dict[str, Any], told: str) -> None:
    with pytest.raises(MeasureError, match=told), emissions(**given):
        pytest.fail("the block must not run")
    assert tracker.made is None


def test_a_tracker_that_cannot_start_is_told_before_the_block(tracker: type[Tracker]) -> None:
    tracker.starts = False
    with pytest.raises(MeasureError, match="could not start"), emissions():
        pytest.fail("the block must not run")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    with pytest.raises(MeasureError, match=r"pip install 'secateurs\[energy\]'"), emissions():
        pytest.fail("the block must not run")
