"""What the columns of a table of costs are, where they come from, and what was not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from secateurs.report.costs.rows import Costed
from secateurs.report.words import listed

_CLOCKS = {"cpu": "processor time", "wall": "time on the clock"}
_REMEDIES = {
    "batch": ("batch time", "costs.repeats=20"),
    "memory": ("peak memory", "costs.memory=true"),
    "emissions": ("CO2eq", "--energy world"),
}


def notes(rows: Sequence[Costed], known: Sequence[str], layout: Sequence[str]) -> Iterator[str]:
    """A sentence or two on each column that is shown, and one on those that could be."""
    every = [costs for row in rows for costs in row.costs]
    if "weight_sparsity" in known:
        yield "Weight sparsity: the share of the weights of convolutions and linear layers that are gone."
    if "node_sparsity" in known:
        yield (
            "Node sparsity: the share that is gone of all output channels and neurons of the dense network's "
            "convolutions and linear layers. A density that is counted in channels is of those that could go; some "
            "never can, the outputs for one, so that the node sparsity is another number."
        )
    if "seconds" in known:
        yield (
            "Training time: from the start to the end of the network's training, the dense network's until it was "
            "pruned, the signals that were needed and scoring included; without loading data, validation and the "
            "final evaluation. It depends on what else the machine did."
        )
    if "batch" in known:
        yield from _batch(every)
    if "memory" in known:
        yield (
            f"Peak memory: the most that one training step takes on {_devices(every)}: weights, gradients, the "
            "optimiser's state and activations; the batch itself is not counted."
        )
    if "disk" in known:
        yield (
            "Disk: all parameters, as they are or, where that is smaller, pruned layers in compressed sparse rows with "
            "32-bit indices."
        )
    if "emissions" in known or "energy" in known:
        yield from _emissions(every)
    if "multiply_adds" in known:
        yield (
            "Multiply-adds: of one example's forward pass, with the weights that are left. A mask saves them only "
            "where zeros are skipped, which ordinary kernels do not; removed channels are not computed at all."
        )
    missing = [f"{what} ({how})" for name, (what, how) in _REMEDIES.items() if name in layout and name not in known]
    if missing:
        yield f"Not measured: {listed(missing)}. Add to the command what stands in brackets, and it is."


def _batch(every: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    timed = [costs["batch"] for costs in every if costs.get("batch")]
    examples = sorted({batch["examples"] for batch in timed})
    clocks = dict.fromkeys(_CLOCKS.get(batch["clock"], batch["clock"]) for batch in timed)
    turns = any(costs.get("batch_dense") for costs in every)
    yield (
        f"Batch time: a forward and backward pass over {listed(examples)} examples on {_devices(every)}, median of "
        f"{min(batch['repeats'] for batch in timed)}, {listed(list(clocks))}."
        + (
            " Shown over that of the dense network, timed in turn with it, which is fair also on a busy machine; in "
            "brackets the time itself."
            if turns
            else ""
        )
    )


def _devices(every: Sequence[Mapping[str, Any]]) -> str:
    names = {"cpu": "the CPU", "cuda": "the GPU"}
    kinds = dict.fromkeys(costs["device"] for costs in every if costs.get("device"))
    return listed([names.get(kind, kind) for kind in kinds]) if kinds else "the device"


def _emissions(every: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    told = [costs["emissions"] for costs in every if costs.get("emissions")]
    bases = [part for name in ("tool", "basis", "grid") for part in dict.fromkeys(each[name] for each in told)]
    estimate = " An estimate: good to compare runs on one machine." if any(each["estimated"] for each in told) else ""
    yield f"CO2eq and energy, of the same as the training time: {'; '.join(bases)}.{estimate}"
