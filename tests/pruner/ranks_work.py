"""What the processes do that these tests start."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from loops import Run, batches, begin, sgd, tell, train
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from secateurs.core import Batch
from secateurs.train import SAM
from secateurs.when import Below, FisherTrace, KLUniform, TrainLoss

RESUMED: dict[str, Any] = {"what": "fisher", "signals": [FisherTrace(samples=16)], "examples": 20}
PARALLEL: dict[str, dict[str, Any]] = {
    "magnitude": {"signals": [KLUniform(), FisherTrace(samples=16), TrainLoss()]},
    "snip, decided by a signal": {"what": "snip", "when": Below("loss", 0.8)},
    "guarded": {"guard": "odd"},
    "the default trigger": {"when": None, "epochs": 6},
    "trained by SAM": {"sam": True},
}


def resume_elsewhere(rank: int, folder: str, cuts: tuple[int, ...], last: int) -> None:
    """Go on from each of the cuts, in a process that knows nothing but the files."""
    torch.set_num_threads(1)
    for cut in cuts:
        _resume(Path(folder) / str(cut), cut, last)


def _resume(here: Path, first: int, last: int) -> None:
    run = begin(**RESUMED)
    run.net.load_state_dict(load_file(here / "model"))
    run.optimizer.load_state_dict(torch.load(here / "optimizer", weights_only=True))
    run.pruner.load_state_dict(
        {"tensors": load_file(here / "tensors"), "meta": json.loads((here / "meta").read_text())}
    )
    train(run, range(first, last))
    save_file(run.net.state_dict(), here / "result")


def parallel(rank: int, folder: str, world: int) -> None:
    """Every case of PARALLEL on one rank; what it ends with is written down for the test to compare."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=world)
    try:
        for number, (name, options) in enumerate(PARALLEL.items()):
            run, asked = _trained(rank, world, options)
            pruner = run.pruner
            state = {f"model/{k}": v for k, v in run.net.state_dict().items()} | pruner.mask.to_tensors()
            state |= {f"model/moved/{k}": v for k, v in run.moved.items()}
            save_file(state, Path(folder) / f"{number}-{rank}.safetensors")
            log = [[str(m), {k: v for k, v in row.items() if "seconds" not in k}] for m, row in pruner.log]
            clear = all(
                not p.grad[~pruner.mask[n]].count_nonzero() for n, p in run.net.named_parameters() if n in pruner.mask
            )
            told = {"name": name, "log": log, "fired": str(pruner.event.fired), "pruned": str(pruner.event.moment)}
            told["why"] = pruner.event.why
            told |= {"clear": clear, "asked": asked, "own": run.told}
            (Path(folder) / f"{number}-{rank}.json").write_text(json.dumps(told))
    finally:
        dist.destroy_process_group()


def passed(run: Run, mine: Batch) -> tuple[Tensor, Tensor]:
    run.moved = {name: p.detach().clone() for name, p in run.net.named_parameters()}  # of SAM's last pass
    output = run.model(mine.inputs)
    loss = F.cross_entropy(output, mine.targets)
    loss.backward()
    return output, loss


def plain_step(run: Run, mine: Batch) -> tuple[Tensor, Tensor]:
    run.optimizer.zero_grad()
    output, loss = passed(run, mine)
    run.optimizer.step()
    return output, loss


def _trained(rank: int, world: int, options: dict[str, Any]) -> tuple[Run, int]:
    asked = 0

    def guard(pruned: nn.Module) -> bool:
        nonlocal asked
        asked += 1
        return rank == 0 or asked > 1  # the others say no at first

    options = {**options, "guard": guard} if "guard" in options else options
    options = dict(options)
    sharp = options.pop("sam", False)
    run = begin(DistributedDataParallel, (lambda net: SAM(net, sgd(net), rho=0.5)) if sharp else sgd, **options)

    def epoch(run: Run, number: int) -> None:
        total, count = 0.0, 0
        for x, y in batches(number):
            mine = Batch(x[rank::world], y[rank::world])
            output, loss = run.optimizer.step(partial(passed, run, mine)) if sharp else plain_step(run, mine)
            tell(run, mine, output)
            total, count = total + float(loss) * len(mine.targets), count + len(mine.targets)
        run.told.append(total / count)

    train(run, range(6), epoch)
    return run, asked
