"""Training loops as people write them, with a pruner's three lines in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from secateurs.core import Batch
from secateurs.pruner import EarlyPruner, PruneEvent, Unstructured
from secateurs.when import At
from secateurs.zoo import Classification
from toys import CLASSES, toy_data

DATA = toy_data()
TASK = Classification(CLASSES)
STEPS = 4
"""Steps of an epoch."""


def network(seed: int = 0) -> nn.Module:
    """Convolution, norm, dropout (which draws from the global random state) and classifier on 1 x 6 x 6."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.2)]
        return nn.Sequential(*layers, nn.Flatten(), nn.Linear(144, CLASSES))


def batches(epoch: int) -> Iterator[Batch]:
    return DATA.train.epoch(epoch, len(DATA.train) // STEPS, seed=7)


@dataclass
class Run:
    """A run with its pruner (None: without one)."""

    net: nn.Module
    model: nn.Module
    optimizer: Optimizer
    pruner: EarlyPruner | None
    events: list[PruneEvent] = field(default_factory=list)
    ema: AveragedModel | None = None
    told: list[float] = field(default_factory=list)
    moved: dict[str, Tensor] = field(default_factory=dict)


def sgd(net: nn.Module) -> Optimizer:
    return SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)


def begin(
    wrap: Callable[[nn.Module], nn.Module] = lambda net: net,
    optimizer: Callable[[nn.Module], Optimizer] = sgd,
    *,
    pruned: bool = True,
    **options: Any,
) -> Run:
    """A run before its first step; ``options`` are the pruner's."""
    net = network()
    model, chosen = wrap(net), optimizer(net)
    options = {"how": Unstructured(0.3), "when": At("2ep"), **options}
    return Run(net, model, chosen, EarlyPruner(model, chosen, TASK, **options) if pruned else None)


def tell(run: Run, batch: Batch | tuple[Tensor, Tensor], output: Tensor) -> None:
    if run.pruner is not None:
        assert run.pruner.step(batch, output) is None


def plain_epoch(run: Run, epoch: int) -> None:
    for x, y in batches(epoch):
        run.optimizer.zero_grad()
        output = run.model(x)
        F.cross_entropy(output, y).backward()
        run.optimizer.step()
        tell(run, (x, y), output)


def accumulating_epoch(run: Run, epoch: int) -> None:
    for batch in batches(epoch):
        run.optimizer.zero_grad()
        for part in range(2):
            x, y = batch.inputs[part::2], batch.targets[part::2]
            output = run.model(x)
            (F.cross_entropy(output, y) / 2).backward()
        run.told.append(float(nn.utils.clip_grad_norm_(run.net.parameters(), 1.0)))
        run.optimizer.step()
        tell(run, Batch(x, y), output)


def mixed_epoch(run: Run, epoch: int) -> None:
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    for batch in batches(epoch):
        run.optimizer.zero_grad(set_to_none=False)
        with torch.autocast("cpu", torch.bfloat16):
            output = run.model(batch.inputs)
            loss = F.cross_entropy(output, batch.targets)
        scaler.scale(loss).backward()
        scaler.unscale_(run.optimizer)
        scaler.step(run.optimizer)
        scaler.update()
        tell(run, batch, output)


def skipping_epoch(run: Run, epoch: int) -> None:
    """The gradient of each epoch's second step overflows: the scaler leaves that step out."""
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    for number, batch in enumerate(batches(epoch)):
        run.optimizer.zero_grad()
        output = run.model(batch.inputs)
        loss = F.cross_entropy(output, batch.targets)
        scaler.scale(loss * (float("inf") if number == 1 else 1.0)).backward()
        scaler.step(run.optimizer)
        scaler.update()
        tell(run, batch, output)


def averaging_epoch(run: Run, epoch: int) -> None:
    if run.ema is None:
        run.ema = AveragedModel(run.net, multi_avg_fn=get_ema_multi_avg_fn(0.9))
    for batch in batches(epoch):
        run.optimizer.zero_grad()
        output = run.model(batch.inputs)
        F.cross_entropy(output, batch.targets).backward()
        run.optimizer.step()
        run.ema.update_parameters(run.net)
        tell(run, batch, output)


def scheduled_epoch(run: Run, epoch: int) -> None:
    if not run.told:
        run.schedule = torch.optim.lr_scheduler.ExponentialLR(run.optimizer, 0.8)  # type: ignore[attr-defined]
    plain_epoch(run, epoch)
    run.schedule.step()  # type: ignore[attr-defined]
    run.told.append(run.optimizer.param_groups[0]["lr"])


def groups(net: nn.Module) -> Optimizer:
    heavy = [p for p in net.parameters() if p.ndim > 1]
    light = [p for p in net.parameters() if p.ndim == 1]
    return AdamW([{"params": heavy, "weight_decay": 0.5}, {"params": light, "weight_decay": 0.0}], lr=0.01)


def compiled(net: nn.Module) -> nn.Module:
    return torch.compile(net, backend="eager")  # type: ignore[return-value]


def partly_compiled(net: nn.Module) -> nn.Module:
    net[5] = compiled(net[5])  # type: ignore[index,operator]
    return net


Epoch = Callable[[Run, int], None]
LOOPS: dict[str, tuple[Epoch, dict[str, Any]]] = {
    "plain": (plain_epoch, {}),
    "accumulation and clipping": (accumulating_epoch, {}),
    "bfloat16": (mixed_epoch, {}),
    "scaler that skips steps": (skipping_epoch, {}),
    "compiled": (plain_epoch, {"wrap": compiled}),
    "a compiled part": (plain_epoch, {"wrap": partly_compiled}),
    "data parallel": (plain_epoch, {"wrap": nn.DataParallel}),
    "average of weights": (averaging_epoch, {}),
    "parameter groups": (plain_epoch, {"optimizer": groups}),
    "schedule": (scheduled_epoch, {}),
}


def train(run: Run, epochs: range, epoch: Epoch = plain_epoch) -> Run:
    """The loop: dropout of an epoch follows from its number, so that a resumed run can be compared."""
    for number in epochs:
        torch.manual_seed(number)
        epoch(run, number)
        if run.pruner is not None and (event := run.pruner.epoch_end()):
            run.events.append(event)
            if run.ema is not None:
                run.pruner.apply(run.ema)
    return run
