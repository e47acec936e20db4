"""``--energy``: refused at once where it cannot be measured, else told beside the costs; a tracker pretends."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from secateurs.cli import main

TINY = ("run", "demo", "--scale", "smoke", "--workers", "1", "moments=[2]", "seeds=[0]", "triggers=null")


class Tracker:
    """What CodeCarbon's does, as far as it is used: a watt-hour for each block."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        self._hardware: tuple[Any, ...] = ()

    def start(self) -> None:
        self._start_time = 1.0

    def stop(self) -> None:
        self.final_emissions_data = SimpleNamespace(
            energy_consumed=1e-3,
            emissions=4e-4,
            duration=1.0,
            cpu_energy=6e-4,
            gpu_energy=0.0,
            ram_energy=4e-4,
            country_name={"DEU": "Germany"}.get(self._options["country_iso_code"]),
            codecarbon_version="3",
        )


@pytest.fixture
def codecarbon(monkeypatch: pytest.MonkeyPatch) -> None:
    package, inputs = ModuleType("codecarbon"), ModuleType("codecarbon.input")
    package.OfflineEmissionsTracker = Tracker  # type: ignore[attr-defined]
    inputs.DataSource = lambda: SimpleNamespace(  # type: ignore[attr-defined]
        get_global_energy_mix_data=lambda: {"DEU": {"country_name": "Germany"}}
    )
    monkeypatch.setitem(sys.modules, "codecarbon", package)
    monkeypatch.setitem(sys.modules, "codecarbon.input", inputs)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The command's exit status."""
    monkeypatch.setattr(sys, "argv", ["secateurs", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize("command", [TINY, ("prune", "demo", "--scale", "smoke")], ids=["run", "prune"])
def test_without_the_extra_nothing_begins(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    assert call(monkeypatch, *command, "--energy", "DEU") == 2
    assert "pip install 'secateurs[energy]'" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_country_is_refused_at_once(
    codecarbon: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *TINY, "--energy", "Germany") == 2
    assert "no country 'Germany': give an ISO code" in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_a_study_tells_the_energy_of_what_it_did(
    codecarbon: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *TINY, "--energy", "DEU", "--out", "study") == 0
    assert "is not known" not in capsys.readouterr().out
    with (tmp_path / "study" / "tables" / "costs.csv").open(newline="") as file:
        dense, pruned = csv.DictReader(file)
    assert 0 < float(dense["kilowatt_hours"]) <= 1e-3, "its training's share of the job's"
    assert float(dense["kilowatt_hours"]) < float(pruned["kilowatt_hours"]) + 1e-3
    assert pruned["energy_estimated"] == "True"
    page = (tmp_path / "study" / "report.html").read_text(encoding="utf-8")
    assert "the mix of Germany" in page
    assert call(monkeypatch, *TINY, "--energy", "world", "--out", "study") == 0
    assert "is not known" not in capsys.readouterr().out


def test_what_was_done_without_it_is_told(
    codecarbon: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(monkeypatch, *TINY, "--out", "study") == 0
    assert call(monkeypatch, *TINY, "--out", "study", "--energy", "world") == 0
    assert "The energy of 2 of 2 jobs is not known" in " ".join(capsys.readouterr().out.split())
    with (tmp_path / "study" / "tables" / "costs.csv").open(newline="") as file:
        assert {row["kilowatt_hours"] for row in csv.DictReader(file)} == {""}


def test_a_run_that_prunes_itself_tells_its_energy(
    codecarbon: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prune = ("prune", "demo", "--scale", "smoke", "--trigger", "halfway", "--energy", "world", "--out", "run")
    assert call(monkeypatch, *prune) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "of CO2eq (an estimate; CodeCarbon 3; " in told
    assert "Finding what to prune took" in told
    costs = json.loads((tmp_path / "run" / "result.json").read_text(encoding="utf-8"))["costs"]
    assert costs["emissions"]["grid"] == "the world's average mix"
    assert 2 < costs["density_area"] < 2.5, "of four epochs two dense"


def test_a_ticket_tells_the_energy_of_all_that_found_it(
    codecarbon: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ticket = (
        "ticket",
        "lenet_300_100",
        "digits",
        "--density",
        "0.5",
        "--one-shot",
        "model.hidden=[8,8]",
        "--out",
        "run",
    )
    assert call(monkeypatch, *ticket, "train.epochs=1", "--energy", "DEU") == 0
    assert "Energy: " in " ".join(capsys.readouterr().out.split())
    costs = json.loads((tmp_path / "run" / "ticket.json").read_text(encoding="utf-8"))["costs"]
    assert costs["emissions"]["kilowatt_hours"] == pytest.approx(4e-3), "the dense run, W_0, the mask, the ticket"
