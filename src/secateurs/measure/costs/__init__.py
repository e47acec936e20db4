"""What a network costs: counted exactly where it can be, measured where it must be (P1 appendix D)."""

from secateurs.measure.costs.allocator import most_allocated
from secateurs.measure.costs.energy import Emissions, Meter, check_energy, emissions
from secateurs.measure.costs.history import History, area_under, training_flops
from secateurs.measure.costs.memory import MakeOptimizer, momentum, peak_memory
from secateurs.measure.costs.metering import energy_of_job
from secateurs.measure.costs.money import V100_16GB, V100_32GB, money
from secateurs.measure.costs.sparsity import Left, nodes_left, weights_left
from secateurs.measure.costs.storage import buffer_bytes, bytes_of, csr_bytes
from secateurs.measure.costs.table import Costs, costs
from secateurs.measure.costs.timing import BatchTime, Clock, batch_time, batch_times
from secateurs.measure.costs.work import (
    Cost,
    counted_by_torch,
    counts,
    layer_multiply_adds,
    multiply_adds,
    without_values,
    work_of,
)

__all__ = [
    "V100_16GB",
    "V100_32GB",
    "BatchTime",
    "Clock",
    "Cost",
    "Costs",
    "Emissions",
    "History",
    "Left",
    "MakeOptimizer",
    "Meter",
    "area_under",
    "batch_time",
    "batch_times",
    "buffer_bytes",
    "bytes_of",
    "check_energy",
    "costs",
    "counted_by_torch",
    "counts",
    "csr_bytes",
    "emissions",
    "energy_of_job",
    "layer_multiply_adds",
    "momentum",
    "money",
    "most_allocated",
    "multiply_adds",
    "nodes_left",
    "peak_memory",
    "training_flops",
    "weights_left",
    "without_values",
    "work_of",
]
