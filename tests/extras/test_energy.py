"""Energy by the real CodeCarbon, for a second."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from secateurs.core import MeasureError
from secateurs.measure import emissions


@pytest.fixture(autouse=True)
def codecarbon(absent: Callable[[str], object], monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        import codecarbon  # noqa: F401
    except ModuleNotFoundError:
        absent("needs the extra 'energy': pip install 'secateurs[energy]'")

    def refuse(*_: Any) -> None:
        pytest.fail("it looked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def busy(seconds: float) -> None:
    start = time.perf_counter()
    while time.perf_counter() - start < seconds:
        sum(range(1000))


def test_a_second_of_work(elsewhere: Path) -> None:
    with emissions("DEU") as meter:
        busy(1.0)
    found = meter.result
    assert found.seconds >= 1.0
    assert 0 < found.kilowatt_hours < 1e-2
    parts = found.cpu_kilowatt_hours + found.gpu_kilowatt_hours + found.memory_kilowatt_hours
    assert found.kilowatt_hours == pytest.approx(parts)
    assert 0.05 < found.kilograms / found.kilowatt_hours < 1.0, "Germany's mix, in kg for a kWh"
    assert "unknown" not in found.basis, "CodeCarbon names its means as this release expects"
    assert found.estimated is not found.basis.startswith("processor: measured")
    assert found.grid == "the mix of Germany"
    assert not list(elsewhere.iterdir()), "no file is written"


def test_an_intensity_is_exact_and_a_country_is_known(elsewhere: Path) -> None:
    with emissions(intensity=100) as meter:
        busy(0.2)
    assert meter.result.kilograms == pytest.approx(0.1 * meter.result.kilowatt_hours)
    with emissions() as meter:
        busy(0.2)
    assert meter.result.grid == "the world's average mix"
    with pytest.raises(MeasureError, match="no country 'XYZ'"), emissions("XYZ"):
        pytest.fail("the block must not run")
