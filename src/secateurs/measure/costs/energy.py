"""Energy and CO2eq of what is done meanwhile, by CodeCarbon without a network (extra ``energy``)."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from secateurs.core import MeasureError

_PROCESSOR = {
    "intel_rapl": "measured (RAPL)",
    "windows_emi": "measured (Windows EMI)",
    "intel_power_gadget": "measured (Intel Power Gadget)",
    "cpu_load": "estimated from its load and rated power",
    "constant": "estimated as a constant share of its rated power",
}
_GPU = {"GPU": "measured (its own counter)", "AppleSiliconChip": "measured (powermetrics)"}


@dataclass(frozen=True)
class Emissions:
    """Electricity used by a machine, and the greenhouse gases that making it emitted.

    Attributes:
        kilowatt_hours: in all.
        kilograms: of CO2 equivalents; P1's tables are in grams.
        seconds: how long was measured.
        cpu_kilowatt_hours, gpu_kilowatt_hours, memory_kilowatt_hours: the parts.
        estimated: whether the processor's part is an estimate. Without RAPL, which virtual machines and containers
            mostly hide, it is: good to compare runs on one machine, and no measurement. Memory's part always is one.
        basis: what the parts rest on.
        grid: how electricity is turned into CO2eq: a country's mix, the world's average, or an intensity told.
        tool: what measured, with its version.
    """

    kilowatt_hours: float
    kilograms: float
    seconds: float
    cpu_kilowatt_hours: float
    gpu_kilowatt_hours: float
    memory_kilowatt_hours: float
    estimated: bool
    basis: str
    grid: str
    tool: str

    def __add__(self, other: Emissions) -> Emissions:
        """Both together; what they rest on is told of both where it differs."""
        return Emissions(
            kilowatt_hours=self.kilowatt_hours + other.kilowatt_hours,
            kilograms=self.kilograms + other.kilograms,
            seconds=self.seconds + other.seconds,
            cpu_kilowatt_hours=self.cpu_kilowatt_hours + other.cpu_kilowatt_hours,
            gpu_kilowatt_hours=self.gpu_kilowatt_hours + other.gpu_kilowatt_hours,
            memory_kilowatt_hours=self.memory_kilowatt_hours + other.memory_kilowatt_hours,
            estimated=self.estimated or other.estimated,
            basis=_both(self.basis, other.basis),
            grid=_both(self.grid, other.grid),
            tool=_both(self.tool, other.tool),
        )

    def share(self, of: float, *, processor: float | None = None, gpu: float | None = None) -> Emissions:
        """A share of it all.

        Args:
            of: which, from 0 to 1.
            processor, gpu: another share of their parts; CO2eq goes with the energy.

        >>> whole = Emissions(0.4, 0.2, 60, 0.2, 0.1, 0.1, True, "a guess", "the world's average mix", "me")
        >>> whole.share(0.5).kilowatt_hours, round(whole.share(1, gpu=0).kilograms, 3)
        (0.2, 0.15)
        """
        cpu = self.cpu_kilowatt_hours * (of if processor is None else processor)
        card = self.gpu_kilowatt_hours * (of if gpu is None else gpu)
        memory = self.memory_kilowatt_hours * of
        if processor is None and gpu is None:
            energy, part = self.kilowatt_hours * of, of
        else:
            energy = cpu + card + memory
            part = energy / self.kilowatt_hours if self.kilowatt_hours else 0.0
        return replace(
            self,
            kilowatt_hours=energy,
            kilograms=self.kilograms * part,
            seconds=self.seconds * of,
            cpu_kilowatt_hours=cpu,
            gpu_kilowatt_hours=card,
            memory_kilowatt_hours=memory,
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON: numbers and strings; ``Emissions(**told)`` reads it."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.kilowatt_hours:.3g} kWh and {1000 * self.kilograms:.3g} g of CO2eq in {self.seconds:.0f} s "
            f"({self.tool}; {self.basis}; {self.grid})"
        )


def _both(one: str, other: str) -> str:
    """Two descriptions as one; what was said stands once."""
    told = one.split(" | ")
    return " | ".join([*told, *(each for each in other.split(" | ") if each not in told)])


class Meter:
    """Holds the emissions of a block once it has ended."""

    def __init__(self) -> None:
        self._found: Emissions | None = None

    @property
    def result(self) -> Emissions:
        """What the block took.

        Raises:
            MeasureError: before the block has ended.
        """
        if self._found is None:
            raise MeasureError("emissions: the block has not ended: read the result after it")
        return self._found


@contextmanager
def emissions(
    country: str | None = None,
    *,
    intensity: float | None = None,
    whole_machine: bool = True,
    gpus: Sequence[str] | None = None,
    every: float = 15.0,
) -> Iterator[Meter]:
    """Measure energy and CO2eq of the block: ``with emissions("DEU") as meter: ...``, then ``meter.result``.

    CodeCarbon's offline tracker: nothing is sent or looked up anywhere, no file is written. What it finds in its own
    configuration about the hardware (``force_cpu_power``, ``pue``) counts. A block that raises is measured as
    well. Starting takes some seconds the first time, which are not counted: the hardware is looked at.

    Args:
        country: whose mix of electricity, by its ISO code of three letters; None: the world's average.
        intensity: grams of CO2eq for a kilowatt hour, in place of a country, where the supplier's is known.
        whole_machine: count everything the machine uses; False: this process's share of memory and, where the
            processor's part is estimated from its load, of the processor.
        gpus: count only these, by number or UUID as ``nvidia-smi -L`` lists them; None: all.
        every: seconds between looks at the hardware.

    Raises:
        MeasureError: without the extra, for an unknown country, for both a country and an intensity, or when
            CodeCarbon cannot start.

    Example::

        with emissions("DEU") as meter:
            state = train(state, data, settings, until="30ep")
        print(meter.result)
    """
    if intensity is not None and (country is not None or not 0 <= intensity < math.inf):
        raise MeasureError(
            f"emissions: expected a country or an intensity in grams of CO2eq for a kilowatt hour, got {country!r} "
            f"and {intensity!r}"
        )
    check_energy(country)
    from codecarbon import OfflineEmissionsTracker

    meter, logger = Meter(), logging.getLogger("codecarbon")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        tracker = OfflineEmissionsTracker(
            country_iso_code=country,
            force_carbon_intensity_g_co2e_kwh=intensity,
            tracking_mode="machine" if whole_machine else "process",
            measure_power_secs=every,
            gpu_ids=None if gpus is None else [*gpus],
            log_level="critical",
            allow_multiple_runs=True,  # its lock is a file, and takes Ctrl-C over
            output_methods=[],
            emissions_endpoint=None,
            electricitymaps_api_token=None,
            cloud_provider=None,
            cloud_region=None,
            region=None,
        )
        tracker.start()
        if getattr(tracker, "_start_time", None) is None:  # it keeps its own errors to itself
            raise MeasureError(
                "emissions: CodeCarbon could not start: see what codecarbon.OfflineEmissionsTracker(log_level='debug') "
                "says"
            )
        try:
            yield meter
        finally:
            tracker.stop()
            grid = f"{intensity:g} g of CO2eq for a kWh" if intensity is not None else None
            meter._found = _read(tracker, grid)
    finally:
        logger.setLevel(level)


def check_energy(country: str | None = None) -> None:
    """See beforehand whether energy can be measured here, and a country's electricity is known.

    Raises:
        MeasureError: without the extra, or for an unknown country.
    """
    try:
        import codecarbon  # noqa: F401
        from codecarbon.input import DataSource
    except ModuleNotFoundError as error:
        raise MeasureError(f"emissions: {error}: pip install 'secateurs[energy]' (extra `energy`)") from error
    if country is not None and country not in DataSource().get_global_energy_mix_data():
        raise MeasureError(
            f"emissions: CodeCarbon knows no country {country!r}: give an ISO code of three capital letters such as "
            "'DEU', intensity= in grams of CO2eq for a kilowatt hour, or nothing for the world's average"
        )


def _read(tracker: Any, grid: str | None) -> Emissions:
    """What a stopped tracker has found."""
    data = tracker.final_emissions_data
    parts, estimated = _basis(getattr(tracker, "_hardware", ()))
    return Emissions(
        kilowatt_hours=float(data.energy_consumed),
        kilograms=float(data.emissions),
        seconds=float(data.duration),
        cpu_kilowatt_hours=float(data.cpu_energy),
        gpu_kilowatt_hours=float(data.gpu_energy),
        memory_kilowatt_hours=float(data.ram_energy),
        estimated=estimated,
        basis=parts,
        grid=grid or (f"the mix of {data.country_name}" if data.country_name else "the world's average mix"),
        tool=f"CodeCarbon {data.codecarbon_version}",
    )


def _basis(hardware: Any) -> tuple[str, bool]:
    """What the parts rest on, and whether the processor's is an estimate."""
    kinds = {type(part).__name__: part for part in hardware}
    mode = str(getattr(kinds.get("CPU"), "_mode", "unknown"))
    processor = _PROCESSOR.get(mode, f"by {mode} means")
    for name in ("AppleSiliconChip", "Raspberry"):
        if name in kinds:
            processor = "measured (by the chip itself)"
    gpu = next((told for name, told in _GPU.items() if name in kinds), "none")
    return f"processor: {processor}; GPU: {gpu}; memory: estimated", not processor.startswith("measured")
