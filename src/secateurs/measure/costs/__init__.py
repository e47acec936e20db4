"""What a network costs: counted exactly where it can be, measured where it must be (P1 appendix D)."""

from secateurs.measure.costs.energy import Emissions, Meter, emissions
from secateurs.measure.costs.history import History, area_under, training_flops
from secateurs.measure.costs.memory import MakeOptimizer, momentum, peak_memory
from secateurs.measure.costs.money import V100_16GB, V100_32GB, money
from secateurs.measure.costs.sparsity import Left, nodes_left, weights_left
from secateurs.measure.costs.storage import buffer_bytes, bytes_of, csr_bytes
from secateurs.measure.costs.table import Costs, costs
from secateurs.measure.costs.timing import BatchTime, batch_time
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
    "Cost",
    "Costs",
    "Emissions",
    "History",
    "Left",
    "MakeOptimizer",
    "Meter",
    "area_under",
    "batch_time",
    "buffer_bytes",
    "bytes_of",
    "costs",
    "counted_by_torch",
    "counts",
    "csr_bytes",
    "emissions",
    "layer_multiply_adds",
    "momentum",
    "money",
    "multiply_adds",
    "nodes_left",
    "peak_memory",
    "training_flops",
    "weights_left",
    "without_values",
    "work_of",
]
