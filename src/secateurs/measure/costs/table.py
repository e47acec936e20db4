"""All costs of a network side by side: the columns of P1's tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor, nn

from secateurs.core import Batch, PruningError, Task, prunable
from secateurs.measure.costs.energy import Emissions
from secateurs.measure.costs.memory import MakeOptimizer, momentum, peak_memory
from secateurs.measure.costs.sparsity import nodes_left, weights_left
from secateurs.measure.costs.storage import buffer_bytes, bytes_of
from secateurs.measure.costs.timing import BatchTime, Clock, batch_times
from secateurs.measure.costs.work import check_mask, counts, multiply_adds, work_of


@dataclass(frozen=True)
class Costs:
    """What a network costs to keep, to use and to train: all columns of P1's tables 1, 2, 5 and 6 but the accuracy.

    Attributes:
        parameters: all numbers that are trained or could be, biases and norms included, masked ones too.
        weights: of the Conv and Linear layers of the dense network.
        weights_kept: of those left.
        weight_sparsity: 1 - weights_kept / weights.
        nodes: output channels and neurons of the dense network's Conv and Linear layers.
        nodes_kept: of those left, where a weight still enters.
        node_sparsity: 1 - nodes_kept / nodes.
        multiply_adds_dense: of the dense network's forward pass, for one example, in Conv and Linear layers.
        multiply_adds: of those the ones whose weight is left. Only removed channels save them on ordinary hardware.
        bytes_dense: all parameters as they are stored, masked ones too.
        bytes_csr: the same with masked layers (without a mask: all Conv and Linear layers) in compressed sparse rows.
        bytes_csr_16: the same with 16 bits for each floating-point number, as P1 counts; indices have 32.
        bytes_buffers: of running statistics, in a file beside the parameters.
        bytes_peak: most memory of a training step (:func:`peak_memory`); None where it was not measured.
        batch: time of a forward and backward pass; None where it was not measured.
        device: on which time and memory were measured: its type.
        batch_dense: time of the dense network, pass by pass in turn with this one's: their ratio is fair also on a
            busy machine. None where it was not measured.
        bytes_peak_dense: peak memory of the dense network; None where it was not measured.
        seconds: from the start of the experiment to the end of the pruned network's training; None: not told.
        emissions: energy and CO2eq of the same; None: not told.
    """

    parameters: int
    weights: int
    weights_kept: int
    weight_sparsity: float
    nodes: int
    nodes_kept: int
    node_sparsity: float
    multiply_adds_dense: int
    multiply_adds: int
    bytes_dense: int
    bytes_csr: int
    bytes_csr_16: int
    bytes_buffers: int
    bytes_peak: int | None
    batch: BatchTime | None
    device: str
    batch_dense: BatchTime | None = None
    bytes_peak_dense: int | None = None
    seconds: float | None = None
    emissions: Emissions | None = None

    def of_run(self, seconds: float, emissions: Emissions | None = None) -> Costs:
        """With what the whole run took, the search for what to prune included."""
        return replace(self, seconds=seconds, emissions=emissions)

    def to_json(self) -> dict[str, Any]:
        """As JSON: numbers, strings, None, and objects of those."""
        found = asdict(self)
        for name in _TIMES:
            if found[name] is not None:
                found[name]["quartiles"] = [*found[name]["quartiles"]]
        return found

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Costs:
        """What :meth:`to_json` gave, now or when it had fewer fields: those that are optional may be missing."""
        times = {name: _time(told.get(name)) for name in _TIMES}
        spent = told.get("emissions")
        emissions = None if spent is None else Emissions(**spent)
        return cls(**{**told, **times, "emissions": emissions})


_TIMES = ("batch", "batch_dense")


def _time(told: Mapping[str, Any] | None) -> BatchTime | None:
    return None if told is None else BatchTime(**{**told, "quartiles": tuple(told["quartiles"])})


def costs(
    model: nn.Module,
    task: Task,
    batch: Batch,
    *,
    mask: Mapping[str, Tensor] | None = None,
    optimizer: MakeOptimizer = momentum,
    reference: nn.Module | None = None,
    repeats: int = 20,
    clock: Clock = "wall",
    memory: bool = True,
) -> Costs:
    """What a network costs, counted exactly where it can be and measured where it must be; it is left as it was.

    Time and memory are those of the network as it is: a mask alone saves neither, removed channels save both.

    Args:
        model: the module itself, not what DistributedDataParallel makes of it.
        batch: on the model's device, of the size to train with.
        mask: parameter name -> which weights are kept; None: all.
        optimizer: makes the optimiser of the training step whose memory is measured.
        reference: the dense network that ``model`` was cut from. On the meta device, where it takes no memory, it is
            only counted; on the model's own its time and memory are measured as well, by turns. None: ``model``
            without its mask, which is not measured.
        repeats: timed passes; 0: time is not measured.
        clock: "wall", or "cpu" for own processor time (:func:`batch_time`).
        memory: whether to measure it.

    Raises:
        MeasureError: when the mask does not fit the model, and as :func:`batch_time` and :func:`peak_memory`.
        PruningError: when the model or the reference has no Conv or Linear layer, or all of them are frozen.

    >>> import torch
    >>> from secateurs.zoo import Classification
    >>> net = nn.Sequential(nn.Linear(100, 10), nn.ReLU(), nn.Linear(10, 3))
    >>> batch = Batch(torch.ones(4, 100), torch.tensor([0, 1, 2, 0]))
    >>> found = costs(net, Classification(3), batch, mask={"0.weight": torch.eye(10, 100)}, repeats=0, memory=False)
    >>> found.weights, found.weights_kept, round(found.weight_sparsity, 3), found.node_sparsity
    (1030, 40, 0.961, 0.0)
    >>> found.multiply_adds_dense, found.multiply_adds, found.bytes_dense, found.bytes_csr, found.bytes_csr_16
    (1030, 40, 4172, 296, 190)
    """
    kept = mask or {}
    if reference is not None:
        _check_reference(reference)
    check_mask(model, kept, "costs")
    number = counts(kept) or {name: p.numel() for name, p in prunable(model).items()}
    sparse = [*number]
    work = work_of(model, sparse, multiply_adds(model, task, batch))
    dense = work.dense if reference is None else _dense_work(reference, task, batch)
    weights, nodes = weights_left(model, kept, reference), nodes_left(model, kept, reference)
    stored = bytes_of(model, sparse)
    beside = None if reference is None or _kind_of_device(reference) == "meta" else reference
    networks = [model] if beside is None else [model, beside]
    peaks: Sequence[int | None] = [None]
    times: Sequence[BatchTime | None] = [None]
    if memory:
        peaks = [peak_memory(each, task, batch, optimizer=optimizer) for each in networks]
    if repeats:
        times = batch_times(networks, task, batch, repeats=repeats, clock=clock)
    return Costs(
        parameters=sum(p.numel() for p in model.parameters()),
        weights=weights.total,
        weights_kept=weights.kept,
        weight_sparsity=weights.sparsity,
        nodes=nodes.total,
        nodes_kept=nodes.kept,
        node_sparsity=nodes.sparsity,
        multiply_adds_dense=dense,
        multiply_adds=work.under(number),
        bytes_dense=stored.dense,
        bytes_csr=stored.under(number),
        bytes_csr_16=bytes_of(model, sparse, value_bytes=2).under(number),
        bytes_buffers=buffer_bytes(model),
        bytes_peak=peaks[0],
        batch=times[0],
        device=_kind_of_device(model),
        batch_dense=times[1] if len(times) > 1 else None,
        bytes_peak_dense=peaks[1] if len(peaks) > 1 else None,
    )


def _check_reference(reference: nn.Module) -> None:
    try:
        prunable(reference)
    except PruningError as error:
        raise PruningError(f"costs: the reference: {error}") from error


def _kind_of_device(model: nn.Module) -> str:
    return next(model.parameters()).device.type


def _dense_work(reference: nn.Module, task: Task, batch: Batch) -> int:
    """Multiply-adds of another network for the same examples, wherever it is."""
    there = next(reference.parameters()).device
    moved = Batch(*(part.to(there) for part in batch))
    return work_of(reference, [], multiply_adds(reference, task, moved)).dense
