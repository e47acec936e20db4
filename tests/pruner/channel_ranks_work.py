"""What the processes do that test the removal of channels under DistributedDataParallel."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from loops import Run, batches, begin, tell
from safetensors.torch import save_file
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from secateurs.core import Batch, PruningError
from secateurs.pruner import Channels, Latency
from secateurs.pruner import channels as module
from secateurs.when import Below

CASES: dict[str, dict[str, Any]] = {
    "snip": {"what": "snip", "how": Channels(0.5, counted="channels"), "when": Below("loss", 2.0, warm_up=2)},
    "time": {"what": "random", "how": Channels(target=Latency(milliseconds=250))},
}


def parallel(rank: int, folder: str, world: int) -> None:
    """Every case on one rank; what it ends with is written down for the test to compare."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    # A clock by which a network takes a millisecond for each weight, and the second rank's goes wrong.
    module.forward_milliseconds = lambda model, task, batch: float(  # type: ignore[assignment]
        sum(p.numel() for p in model.parameters()) * (1 + 9 * rank)
    )
    try:
        for name, options in CASES.items():
            _case(Path(folder) / f"{name}-{rank}", rank, world, options)
    finally:
        dist.destroy_process_group()


def _case(here: Path, rank: int, world: int, options: dict[str, Any]) -> None:
    told: dict[str, Any] = {}
    try:
        begin(DistributedDataParallel, **options)
    except PruningError as error:
        told["without rewrap"] = str(error)
    run = begin(DistributedDataParallel, rewrap=DistributedDataParallel, **options)
    old = run.model
    _train(run, range(3), rank, world)
    told["renewed"] = run.model is not old and isinstance(run.model, DistributedDataParallel)
    try:
        old(next(batches(0)).inputs)
    except PruningError as error:
        told["old"] = str(error)
    again = begin(DistributedDataParallel, rewrap=DistributedDataParallel, **options)
    again.pruner.load_state_dict(run.pruner.state_dict())
    again.model = again.pruner.model
    again.net.load_state_dict(run.net.state_dict())
    again.optimizer.load_state_dict(copy.deepcopy(run.optimizer.state_dict()))
    for each in (run, again):
        _train(each, range(3, 5), rank, world)
    told["resumed"] = all(torch.equal(p, q) for p, q in zip(run.net.parameters(), again.net.parameters(), strict=True))
    told["event"] = str(run.events[0])
    here.with_suffix(".json").write_text(json.dumps(told))
    tensors = {f"keep/{name}": kept for name, kept in run.pruner.keep.items()}
    tensors |= {f"model/{name}": p.detach() for name, p in run.net.named_parameters()}
    save_file(tensors, here.with_suffix(".safetensors"))


def _train(run: Run, epochs: range, rank: int, world: int) -> None:
    for number in epochs:
        torch.manual_seed(number)
        for x, y in batches(number):
            mine = Batch(x[rank::world], y[rank::world])
            run.optimizer.zero_grad()
            output = run.model(mine.inputs)
            F.cross_entropy(output, mine.targets).backward()
            nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
            run.optimizer.step()
            tell(run, mine, output)
        if event := run.pruner.epoch_end():
            run.events.append(event)
        run.model = run.pruner.model
